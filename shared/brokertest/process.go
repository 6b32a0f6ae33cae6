// Package brokertest starts the real brokers for tests: mosquitto, Kafka and ZooKeeper, on free
// loopback ports, with their data in folders of their own. Each start waits until the broker
// answers; each broker ends with its test, and, however the test process ends, with it. Tests are
// skipped, with the reason, where a broker is not installed.
package brokertest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// startPatience is how long a broker may take to answer on a busy machine.
const startPatience = 90 * time.Second

// process is a broker's process in a process group of its own.
type process struct {
	name    string
	argv    []string
	log     string // file
	answers func() bool
	remove  string // folder to remove when the test process has ended
	cmd     *exec.Cmd
	guard   *os.File // the pipe whose closing ends the process
}

// guarded runs the broker until standard input ends, which it does when the test process is gone. The signals
// that a broker is asked with (mosquitto has handlers of its own) do not end its guard.
const guarded = `trap '' HUP USR1; log=$1; remove=$2; shift 2
( "$@" </dev/null >>"$log" 2>&1; kill -KILL 0 ) &
read -r _
if [ -n "$remove" ]; then
	trap '' TERM; kill -TERM 0; sleep 1; rm -rf "$remove"
fi
kill -KILL 0`

// start runs the process and waits until it answers.
func (p *process) start() error {
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	p.cmd = exec.Command("/bin/sh", append([]string{"-c", guarded, "sh", p.log, p.remove}, p.argv...)...)
	p.cmd.Stdin = read
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = p.cmd.Start()
	read.Close()
	if err != nil {
		write.Close()
		return fmt.Errorf("starting %s: %w", p.name, err)
	}
	p.guard = write
	deadline := time.Now().Add(startPatience)
	for !p.answers() {
		if p.ended() || time.Now().After(deadline) {
			p.kill()
			return fmt.Errorf("%s does not answer; the end of its log:\n%s", p.name, tail(p.log))
		}
		time.Sleep(20 * time.Millisecond) // another program's start can only be polled for
	}
	return nil
}

// ended says whether the process is gone, without taking its exit status away from Wait.
func (p *process) ended() bool {
	var info unix.Siginfo
	err := unix.Waitid(unix.P_PID, p.cmd.Process.Pid, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil)
	return err == nil && info.Signo != 0
}

// signal sends a signal to the broker.
func (p *process) signal(s syscall.Signal) {
	if p.cmd != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, s)
	}
}

// kill ends the process as SIGKILL does and waits until it is gone.
func (p *process) kill() {
	if p.cmd == nil {
		return
	}
	p.signal(syscall.SIGKILL)
	_ = p.cmd.Wait() // "killed" is what we wanted
	p.guard.Close()
	p.cmd = nil
}

func tail(file string) []byte {
	b, _ := os.ReadFile(file)
	if len(b) > 4096 {
		b = b[len(b)-4096:]
	}
	return bytes.TrimSpace(b)
}

// FreePort is a loopback port that was free a moment ago.
func FreePort(t testing.TB) int {
	t.Helper()
	port, err := freePort()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func freePort() (int, error) {
	for {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, fmt.Errorf("looking for a free port: %w", err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		if _, given := givenPorts.LoadOrStore(port, true); !given {
			return port, nil
		}
	}
}

// givenPorts are those that somebody in this process has, although nothing may listen there yet.
var givenPorts sync.Map

// listening says whether something takes connections on a loopback port.
func listening(port int) bool {
	conn, err := net.DialTimeout("tcp", loopback(port), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func loopback(port int) string { return "127.0.0.1:" + strconv.Itoa(port) }

// jars is the folder of a Java broker that the set-up has brought, or why it cannot be used.
func jars(name string) (java, dir string, err error) {
	if java, err = exec.LookPath("java"); err != nil {
		return "", "", fmt.Errorf("java is not installed: %w", err)
	}
	home := os.Getenv("CANVAS_HOME")
	if home == "" {
		if home, err = depsFolder(); err != nil {
			return "", "", err
		}
	}
	dir = filepath.Join(home, name)
	if found, _ := filepath.Glob(filepath.Join(dir, "*.jar")); len(found) == 0 {
		return "", "", fmt.Errorf("%s is not in %s: run make setup", name, dir)
	}
	return java, dir, nil
}

// depsFolder is .deps beside the module's go.mod.
func depsFolder() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".deps"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("no go.mod above the working folder")
		}
		dir = parent
	}
}
