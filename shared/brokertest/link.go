package brokertest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Link is a TCP connection to a broker that a test can cut, as a mast in a storm does.
type Link struct {
	listener net.Listener
	target   string
	pumps    sync.WaitGroup

	mu    sync.Mutex
	conns []net.Conn
	down  bool
}

// NewLink listens on a free loopback port and passes everything on to target, host:port.
func NewLink(t testing.TB, target string) *Link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &Link{listener: listener, target: target}
	l.pumps.Add(1)
	go l.accept()
	t.Cleanup(func() {
		listener.Close()
		l.Cut()
		l.pumps.Wait()
	})
	return l
}

// Addr is where to connect instead of the target.
func (l *Link) Addr() string { return l.listener.Addr().String() }

// URL is a broker's URL by way of the link.
func (l *Link) URL(broker string) string {
	u, err := url.Parse(broker)
	if err != nil {
		return broker
	}
	u.Host = l.Addr()
	return u.String()
}

// Cut ends all connections and refuses new ones until Mend.
func (l *Link) Cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = true
	for _, c := range l.conns {
		c.Close()
	}
	l.conns = nil
}

// Mend lets connections through again.
func (l *Link) Mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = false
}

func (l *Link) accept() {
	defer l.pumps.Done()
	for {
		near, err := l.listener.Accept()
		if err != nil {
			return
		}
		l.join(near)
	}
}

// join connects one caller with the target.
func (l *Link) join(near net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		near.Close()
		return
	}
	far, err := net.Dial("tcp", l.target)
	if err != nil {
		near.Close()
		return
	}
	l.conns = append(l.conns, near, far)
	for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
		l.pumps.Go(func() {
			io.Copy(pair[0], pair[1])
			pair[0].Close()
			pair[1].Close()
		})
	}
}
