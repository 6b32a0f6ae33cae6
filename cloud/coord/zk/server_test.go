package zk_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"
)

// tick is the server's unit of time: small, so that sessions of a test end soon.
const tick = 200 * time.Millisecond

// startServer starts a real ZooKeeper server on a free loopback port, which ends with the test.
func startServer(t *testing.T) (address string) {
	t.Helper()
	java, err := exec.LookPath("java")
	if err != nil {
		t.Skip("no java here: `make setup` installs it")
	}
	jars := filepath.Join(root(t), ".deps", "zookeeper")
	if _, err := os.Stat(jars); err != nil {
		t.Skip("no ZooKeeper here: `make setup` brings it")
	}
	dir := t.TempDir()
	address = freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	config := filepath.Join(dir, "zoo.cfg")
	settings := fmt.Sprintf("tickTime=%d\nminSessionTimeout=%d\ndataDir=%s\nclientPort=%s\nclientPortAddress=127.0.0.1\nadmin.enableServer=false\n",
		tick.Milliseconds(), 2*tick.Milliseconds(), dir, port)
	if err := os.WriteFile(config, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(java, "-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars+"/*", "org.apache.zookeeper.server.quorum.QuorumPeerMain", config)
	server.Stdout, server.Stderr = log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
		log.Close()
	})
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			c.Close()
			return address
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("ZooKeeper did not start: %s", text)
		}
	}
}

func root(t *testing.T) string {
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
	}
	t.Fatal("no go.mod above the working directory")
	return ""
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

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
			if err != io.EOF {
				return
			}
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
