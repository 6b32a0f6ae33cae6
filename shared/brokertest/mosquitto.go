package brokertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Mosquitto is a running mosquitto.
type Mosquitto struct {
	URL     string // mqtt://127.0.0.1:port, or mqtts where it has a certificate
	process process
	t       testing.TB
	dir     string
	saving  time.Time
}

// StartMosquitto starts mosquitto with a listener on a free loopback port; lines are added to its
// configuration. Without an allow_anonymous among them everyone may come in.
func StartMosquitto(t testing.TB, lines ...string) *Mosquitto {
	t.Helper()
	dir, port := t.TempDir(), FreePort(t)
	config := []string{
		fmt.Sprintf("listener %d 127.0.0.1", port),
		"persistence true",
		"persistence_location " + dir + "/",
		"max_queued_messages 0", // no limit: the default of 1000 drops the rest
		"max_queued_bytes 0",
		"message_size_limit 8388608",
		"set_tcp_nodelay true", // as canvas-device.conf has it: what is handed on is not held back in the kernel, where a kill throws it away
	}
	if os.Getuid() == 0 {
		config = append(config, "user root")
	}
	scheme, anonymous := "mqtt", true
	for _, line := range lines {
		if strings.HasPrefix(line, "certfile") {
			scheme = "mqtts"
		}
		anonymous = anonymous && !strings.HasPrefix(line, "allow_anonymous")
	}
	if anonymous {
		config = append(config, "allow_anonymous true")
	}
	file := filepath.Join(dir, "mosquitto.conf")
	if err := os.WriteFile(file, []byte(strings.Join(append(config, lines...), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := newMosquitto(t, file, filepath.Join(dir, "mosquitto.log"), port)
	m.URL = scheme + "://" + loopback(port)
	return m
}

// newMosquitto starts mosquitto with a configuration that has a listener on port.
func newMosquitto(t testing.TB, file, log string, port int) *Mosquitto {
	t.Helper()
	program, err := exec.LookPath("mosquitto")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/mosquitto"); err != nil {
			t.Skip("mosquitto is not installed: run make setup")
		}
	}
	m := &Mosquitto{
		process: process{
			name: "mosquitto", argv: []string{program, "-c", file}, log: log,
			answers: func() bool { return listening(port) },
		},
		t: t, dir: filepath.Dir(file),
	}
	m.Restart()
	t.Cleanup(m.process.kill)
	return m
}

// Kill ends mosquitto as SIGKILL does: what it had in memory is lost.
func (m *Mosquitto) Kill() { m.process.kill() }

// Save makes mosquitto write its sessions and messages to disk, which it otherwise does twice an hour.
func (m *Mosquitto) Save() {
	m.saving = time.Now()
	m.process.signal(syscall.SIGUSR1)
}

// Reload makes mosquitto read its certificates and lists of revoked ones again.
func (m *Mosquitto) Reload() { m.process.signal(syscall.SIGHUP) }

// Saved says whether it has done so since the last Save.
func (m *Mosquitto) Saved() bool {
	info, err := os.Stat(filepath.Join(m.dir, "mosquitto.db"))
	return err == nil && info.ModTime().After(m.saving.Add(-10*time.Millisecond))
}

// Restart starts it again after Kill, on the same port with what was on disk.
func (m *Mosquitto) Restart() {
	m.t.Helper()
	if err := m.process.start(); err != nil {
		m.t.Fatal(err)
	}
}
