package zk_test

import (
	"net"
	"sync"
	"testing"
)

// link is a connection that a test can cut in two ways: abruptly, or so that packets vanish and
// neither side hears of it.
type link struct {
	listener net.Listener
	to       string

	mu     sync.Mutex
	cut    bool
	silent bool
	heal   chan struct{}
	conns  map[net.Conn]bool
}

func newLink(t *testing.T, to string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{listener: listener, to: to, conns: map[net.Conn]bool{}, heal: make(chan struct{})}
	go l.accept()
	t.Cleanup(func() {
		listener.Close()
		l.Cut()
		l.Heal()
	})
	return l
}

func (l *link) Address() string { return l.listener.Addr().String() }

func (l *link) accept() {
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", l.to)
		l.mu.Lock()
		if err != nil || l.cut {
			near.Close()
			if err == nil {
				far.Close()
			}
			l.mu.Unlock()
			continue
		}
		l.conns[near], l.conns[far] = true, true
		l.mu.Unlock()
		go l.carry(near, far)
		go l.carry(far, near)
	}
}

func (l *link) carry(from, to net.Conn) {
	defer from.Close()
	defer to.Close()
	b := make([]byte, 32<<10)
	for {
		n, err := from.Read(b)
		l.mu.Lock()
		silent, heal := l.silent, l.heal
		l.mu.Unlock()
		if silent {
			<-heal // what was under way is lost with the connection
			return
		}
		if n > 0 {
			if _, err := to.Write(b[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// Cut closes the connections and makes no new ones.
func (l *link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.Close()
	}
	clear(l.conns)
}

// Silence lets packets vanish.
func (l *link) Silence() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.silent = true, true
}

// Heal lets new connections through.
func (l *link) Heal() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.silent = false, false
	close(l.heal)
	l.heal = make(chan struct{})
}
