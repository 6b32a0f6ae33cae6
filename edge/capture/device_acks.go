package capture

import (
	"hash/crc32"
	"slices"
	"sync"

	"cloudcanvas/shared/mqtt"
)

// acks sends acknowledgements in the order in which the messages came, as MQTT wants it (3.1.1, section
// 4.6), whichever is done with first.
type acks struct {
	mu      sync.Mutex
	waiting []*pendingAck // the oldest first
}

type pendingAck struct {
	send func()
	done bool
}

// expect takes note of a message that has come; what it returns says that it is done with, and may be
// called more than once.
func (a *acks) expect(send func()) (settle func()) {
	if send == nil {
		send = func() {}
	}
	p := &pendingAck{send: send}
	a.mu.Lock()
	a.waiting = append(a.waiting, p)
	a.mu.Unlock()
	return func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		p.done = true
		for len(a.waiting) > 0 && a.waiting[0].done {
			a.waiting[0].send()
			a.waiting[0] = nil
			a.waiting = a.waiting[1:]
		}
	}
}

// recentMessages knows the last messages that this process was given, for those that come again after a broken
// connection. It is used by one goroutine.
type recentMessages struct {
	given []messageSum
	next  int
}

// messageSum tells one message from another, as far as a sum can.
type messageSum struct {
	packet uint16
	bytes  int
	sum    uint32
}

const maxRecentMessages = 1024

// again says whether the broker sends something for the second time that was given before.
func (r *recentMessages) again(m mqtt.Message) bool {
	if m.Packet == 0 {
		return false
	}
	p := messageSum{m.Packet, len(m.Payload), crc32.ChecksumIEEE(m.Payload)}
	if m.Duplicate && slices.Contains(r.given, p) {
		return true
	}
	if len(r.given) < maxRecentMessages {
		r.given = append(r.given, p)
		return false
	}
	r.given[r.next] = p
	r.next = (r.next + 1) % maxRecentMessages
	return false
}
