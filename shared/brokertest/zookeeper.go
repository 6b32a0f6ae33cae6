package brokertest

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// ZooKeeper is a running ensemble.
type ZooKeeper struct {
	Servers   []string // host:port of each
	processes []*process
	t         testing.TB
}

// StartZooKeeper starts an ensemble of that many servers (1 is a server by itself) and waits until
// they have a leader.
func StartZooKeeper(t testing.TB, servers int) *ZooKeeper {
	t.Helper()
	java, lib, err := jars("zookeeper")
	if err != nil {
		t.Skip("no ZooKeeper: ", err)
	}
	z := &ZooKeeper{t: t}
	peers := ""
	for n := 1; n <= servers && servers > 1; n++ {
		peers += fmt.Sprintf("server.%d=127.0.0.1:%d:%d\n", n, FreePort(t), FreePort(t))
	}
	for n := 1; n <= servers; n++ {
		port := FreePort(t)
		p, err := zooKeeperServer(java, lib, t.TempDir(), n, port, peers)
		if err != nil {
			t.Fatal(err)
		}
		z.processes = append(z.processes, p)
		z.Servers = append(z.Servers, loopback(port))
		t.Cleanup(p.kill)
		if err := p.start(); err != nil {
			t.Fatal(err)
		}
	}
	z.await()
	return z
}

// zooKeeperServer is the n-th server of an ensemble, not yet started, with its files in dir.
func zooKeeperServer(java, lib, dir string, n, port int, peers string) (*process, error) {
	config := strings.Join([]string{
		"tickTime=500", // sessions of 1 to 10 s
		"initLimit=20", "syncLimit=10",
		"dataDir=" + dir,
		"clientPort=" + strconv.Itoa(port), "clientPortAddress=127.0.0.1",
		"admin.enableServer=false",
		"4lw.commands.whitelist=srvr",
		"maxClientCnxns=0",
		peers,
	}, "\n")
	file := filepath.Join(dir, "zoo.cfg")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "myid"), []byte(strconv.Itoa(n)), 0o600); err != nil {
		return nil, err
	}
	return &process{
		name: fmt.Sprintf("ZooKeeper server %d", n),
		argv: []string{java, "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
			"-cp", filepath.Join(lib, "*"), "org.apache.zookeeper.server.quorum.QuorumPeerMain", file},
		log:     filepath.Join(dir, "zookeeper.log"),
		answers: func() bool { return listening(port) },
	}, nil
}

// SharedZooKeeper gives the servers of the ZooKeeper that all tests of the process share; it is started
// when it is first asked for. Tests should use a root of their own, and leave the server alone.
func SharedZooKeeper(t testing.TB) (servers []string) {
	t.Helper()
	java, lib, err := jars("zookeeper")
	if err != nil {
		t.Skip("no ZooKeeper: ", err)
	}
	onlyZooKeeper.Do(func() { onlyZooKeeper.server, onlyZooKeeper.err = startSharedZooKeeper(java, lib) })
	if onlyZooKeeper.err != nil {
		t.Fatal(onlyZooKeeper.err)
	}
	return []string{onlyZooKeeper.server}
}

var onlyZooKeeper struct {
	sync.Once
	server  string
	process *process // kept: what ends the server is that the pipe to it closes
	err     error
}

func startSharedZooKeeper(java, lib string) (server string, err error) {
	// Not a test's folder: it outlives the test that asked first. The process removes it.
	dir, err := os.MkdirTemp("", "canvas-zookeeper-")
	if err != nil {
		return "", err
	}
	port, err := freePort()
	var p *process
	if err == nil {
		p, err = zooKeeperServer(java, lib, dir, 1, port, "")
	}
	if err == nil {
		p.remove = dir
		p.answers = func() bool { return serving(loopback(port)) }
		err = p.start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return "", err
	}
	onlyZooKeeper.process = p
	return loopback(port), nil
}

// Kill ends a server, counted from 0, as SIGKILL does.
func (z *ZooKeeper) Kill(server int) { z.processes[server].kill() }

// Freeze stops a server's clock, as a long garbage collection does, until Thaw.
func (z *ZooKeeper) Freeze(server int) { z.processes[server].signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (z *ZooKeeper) Thaw(server int) { z.processes[server].signal(syscall.SIGCONT) }

// Restart starts a killed server again, on the same port with what was on disk.
func (z *ZooKeeper) Restart(server int) {
	z.t.Helper()
	if err := z.processes[server].start(); err != nil {
		z.t.Fatal(err)
	}
	z.await()
}

// Leader is the server that leads, counted from 0.
func (z *ZooKeeper) Leader() int {
	z.t.Helper()
	for n, p := range z.processes {
		if p.cmd != nil && strings.Contains(srvr(z.Servers[n]), "Mode: leader") {
			return n
		}
	}
	z.t.Fatal("no ZooKeeper server leads")
	return 0
}

// await waits until every running server serves clients.
func (z *ZooKeeper) await() {
	z.t.Helper()
	deadline := time.Now().Add(startPatience)
	for n, p := range z.processes {
		for p.cmd != nil && !serving(z.Servers[n]) {
			if time.Now().After(deadline) {
				z.t.Fatalf("%s finds no leader; the end of its log:\n%s", p.name, tail(p.log))
			}
			time.Sleep(20 * time.Millisecond) // another program's start can only be polled for
		}
	}
}

// serving says whether a server takes requests.
func serving(server string) bool { return strings.Contains(srvr(server), "Mode: ") }

// srvr is what a server answers to these four letters; empty where it does not.
func srvr(server string) string {
	conn, err := net.DialTimeout("tcp", server, time.Second)
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	if _, err := conn.Write([]byte("srvr")); err != nil {
		return ""
	}
	answer, _ := io.ReadAll(conn)
	return string(answer)
}
