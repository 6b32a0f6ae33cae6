package zk

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// servers hands out the servers in turn, by name: each dial resolves it anew, and TLS can check it.
// (The library's own provider resolves once, fails at start where DNS is late, and pauses a second
// before it comes back to a single server.)
type servers struct {
	mu     sync.Mutex
	list   []string
	next   int
	failed int // servers tried since the last that answered
}

func (s *servers) Init(list []string) error { s.list = list; return nil }
func (s *servers) Len() int                 { return len(s.list) }

func (s *servers) Next() (server string, pause bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	server = s.list[s.next%len(s.list)]
	pause = s.failed > 0 && s.failed%len(s.list) == 0
	s.next++
	s.failed++
	return server, pause
}

func (s *servers) Connected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failed = 0
}

// dialer connects, encrypted where tls is given.
type dialer struct {
	tls       func() (*tls.Config, error) // anew for each connection: certificates are renewed
	timeout   time.Duration               // of the session, as asked for
	granted   atomic.Int64                // the session timeout that the server granted; 0: unknown
	handshake time.Duration               // bounds the wait for a server's first answer
	made      atomic.Int64                // connections so far
	hushed    atomic.Pointer[time.Time]   // until when no connection is made; nil: never was
}

// hush makes no connection for long enough that the servers end the session. Where requests arrive
// and answers don't, each new connection would keep it alive, and what it owned out of everyone's reach.
func (d *dialer) hush() {
	until := time.Now().Add(d.session() * 3 / 2)
	d.hushed.Store(&until)
}

var errHushed = errors.New("no server has answered for a whole session: waiting until it has surely ended")

func (d *dialer) dial(network, address string, timeout time.Duration) (net.Conn, error) {
	if until := d.hushed.Load(); until != nil && time.Now().Before(*until) {
		return nil, errHushed
	}
	config, err := d.tls()
	if err != nil {
		return nil, err
	}
	plain := &net.Dialer{Timeout: timeout}
	var c net.Conn
	if config == nil {
		c, err = plain.Dial(network, address)
	} else {
		c, err = tls.DialWithDialer(plain, network, address, config)
	}
	if err != nil {
		return nil, err
	}
	return &conn{Conn: c, dialer: d, watches: newRenewal(d.made.Add(1) > 1)}, nil
}

// conn bounds how long a server that accepts but does not answer (stopped, or hung) can hold up the
// client: the library would wait for 20/3 session timeouts, and lose the session meanwhile although
// another server may be fine. It also reads the granted session timeout in passing, which the
// library keeps to itself.
type conn struct {
	net.Conn
	*dialer
	head    []byte // the first bytes that came: length, protocol version, session timeout
	watches *renewal
}

const headBytes = 12

func (c *conn) SetReadDeadline(t time.Time) error {
	if most := time.Now().Add(c.handshake); len(c.head) < headBytes && (t.IsZero() || t.After(most)) {
		t = most
	}
	return c.Conn.SetReadDeadline(t)
}

func (c *conn) Write(b []byte) (int, error) {
	c.watches.sent(b)
	return c.Conn.Write(b)
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.watches.wait()
	if missing := headBytes - len(c.head); missing > 0 {
		c.head = append(c.head, b[:min(n, missing)]...)
		if len(c.head) == headBytes {
			if ms := int32(binary.BigEndian.Uint32(c.head[8:])); ms > 0 {
				c.granted.Store(int64(ms) * int64(time.Millisecond))
			}
		}
	}
	return n, err
}

// session is the timeout to count with: the shorter of what was asked for and what was granted.
func (d *dialer) session() time.Duration {
	if granted := time.Duration(d.granted.Load()); granted > 0 && granted < d.timeout {
		return granted
	}
	return d.timeout
}
