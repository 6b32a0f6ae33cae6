// Package integration runs the real programs as separate processes over real Kafka, ZooKeeper and
// mosquitto, and looks at what comes out.
package integration

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
)

// root is the checkout.
func root(t testing.TB) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// program is the path of one of the three commands, as `make build` put it into bin/.
func program(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), "bin", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not built: run make build, or make test", path)
	}
	return path
}

// sample is a file that set-up brought.
func sample(t testing.TB, name string) string {
	t.Helper()
	path := filepath.Join(root(t), ".deps", "samples", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not here: run make setup", path)
	}
	return path
}

// asset is a file of the assets beside the checkout, or of $CANVAS_ASSETS.
func asset(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "assets")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the asset %s is not here: set CANVAS_ASSETS to the folder of assets", name)
	}
	return path
}

// process is a running program of ours.
type process struct {
	cmd  *exec.Cmd
	name string
	log  *safeBuffer
	done chan error
}

// start runs a program until the test ends; its log is shown if the test fails.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	return startAt(t, program(t, name), name, args...)
}

// startAt starts the program at path.
func startAt(t testing.TB, path, name string, args ...string) *process {
	t.Helper()
	return startIn(t, "", path, name, args...)
}

// startIn starts it with dir as its working directory.
func startIn(t testing.TB, dir, path, name string, args ...string) *process {
	t.Helper()
	p := &process{cmd: exec.Command(path, args...), name: name + " " + strings.Join(args, " "), log: &safeBuffer{}, done: make(chan error, 1)}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, p.log, p.log
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(func() {
		p.cmd.Process.Kill()
		if t.Failed() {
			t.Logf("== %s\n%s", p.name, p.log.tail(60))
		}
	})
	return p
}

// kill ends the process as a power cut would.
func (p *process) kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

// signal is SIGSTOP or SIGCONT.
func (p *process) signal(t testing.TB, s syscall.Signal) {
	t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// run runs a program to its end and gives its exit code and what it printed.
func run(t testing.TB, name string, args ...string) (code int, output string) {
	t.Helper()
	cmd := exec.Command(program(t, name), args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// until waits for a condition, for at most limit.
func until(t testing.TB, limit time.Duration, what string, met func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !met(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", limit, what)
		}
	}
}

func readJSON(t testing.TB, path string, into any) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	decodeJSON(t, data, into)
}

func decodeJSON(t testing.TB, data []byte, into any) {
	t.Helper()
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatalf("%.200s: %v", data, err)
	}
}

// brokers are the real ones, started for a test.
type brokers struct {
	mqtt      string
	kafka     []string
	zookeeper []string
}

func startBrokers(t testing.TB) brokers {
	t.Helper()
	return brokers{
		mqtt:      brokertest.StartMosquitto(t).URL,
		kafka:     brokertest.StartOwnKafka(t).Brokers,
		zookeeper: brokertest.SharedZooKeeper(t),
	}
}

// write puts a file into a test's folder.
func write(t testing.TB, path, format string, args ...any) string {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func (b *safeBuffer) tail(lines int) string {
	all := strings.Split(b.String(), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
