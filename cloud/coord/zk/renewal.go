package zk

import (
	"encoding/binary"
	"sync/atomic"
	"time"
)

// renewal keeps the answers of a new connection back until the library has asked for its watches again.
// The library asks "what changed since the last answer", and takes the number of that answer while
// answers to other requests may already move it on (go-zookeeper/zk issue of 2020, pull request 35,
// open): what changed while there was no connection would then never be reported.
type renewal struct {
	asked   atomic.Bool   // a request went out whose answer moves the number on
	renewed chan struct{} // closed when the watches are asked for, or it is clear that there are none
	done    atomic.Bool
}

// renewalWait is how long answers are kept back where there may be no watch: the library asks for
// them within microseconds.
const renewalWait = 100 * time.Millisecond

// Operations of ZooKeeper's protocol, the third number of a request after its length and its xid.
const (
	opPing       = 11
	opAuth       = 100
	opSetWatches = 101
)

func newRenewal(reconnected bool) *renewal {
	r := &renewal{renewed: make(chan struct{})}
	r.done.Store(!reconnected) // the first connection has nothing to renew
	return r
}

// sent looks at a request, which the library writes whole.
func (r *renewal) sent(packet []byte) {
	if r.done.Load() || len(packet) < 12 {
		return
	}
	switch xid, op := int32(binary.BigEndian.Uint32(packet[4:])), binary.BigEndian.Uint32(packet[8:]); {
	case xid == 0, op == opPing, op == opAuth: // xid 0: the request for a session, which has no operation
	case op == opSetWatches:
		if r.done.CompareAndSwap(false, true) {
			close(r.renewed)
		}
	default:
		r.asked.Store(true)
	}
}

// wait returns when an answer may be read.
func (r *renewal) wait() {
	if r.done.Load() || !r.asked.Load() {
		return
	}
	select {
	case <-r.renewed:
	case <-time.After(renewalWait):
		r.done.Store(true)
	}
}
