package integration

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWhatIsCarriedOutOnAStickArrivesOnce exports a waiting buffer while the agent runs, takes it in
// twice, and lets the link come back as well: each number is in Kafka once.
func TestWhatIsCarriedOutOnAStickArrivesOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	load := s.readings(300, 2)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 50 })
	l.cut()
	until(t, 2*time.Minute, "items that wait", func() bool { return s.must().waiting > 200 })
	load.stop()

	edgeConfig, cloudConfig, stick := filepath.Join(s.dir, "edge.yaml"), filepath.Join(s.dir, "cloud.yaml"), t.TempDir()
	if out := must(t, "canvas-edge", "--config", edgeConfig, "buffer", "verify"); !strings.Contains(out, " 0 faults") {
		t.Error(out)
	}
	must(t, "canvas-edge", "--config", edgeConfig, "buffer", "export", stick)
	for range 2 {
		must(t, "canvas-cloud", "--config", cloudConfig, "import", stick)
	}
	waiting := s.must().waiting
	l.mend()
	c, _ := s.balance(time.Minute)
	if waiting == 0 || c.dropped > 0 {
		t.Errorf("%d waited while the stick was carried, %d were dropped", waiting, c.dropped)
	}
}

// TestABufferIsDrainedWithoutItsAgent kills the agent with a backlog and drains.
func TestABufferIsDrainedWithoutItsAgent(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	load := s.readings(300, 2)
	l.cut()
	until(t, 2*time.Minute, "items that wait", func() bool { return s.must().waiting > 100 })
	load.stop()
	config := filepath.Join(s.dir, "edge.yaml")
	if code, out := run(t, "canvas-edge", "--config", config, "buffer", "drain"); code != 1 || !strings.Contains(out, "another process") {
		t.Errorf("draining beside the agent: exit code %d, %s", code, out)
	}
	s.edge.kill(t)
	l.mend()
	if out := must(t, "canvas-edge", "--config", config, "buffer", "drain", "--timeout", "1m"); !strings.Contains(out, " 0 wait") {
		t.Error(out)
	}
	s.run("")
	s.balance(time.Minute)
}

// must runs a program that has to succeed, and gives what it printed.
func must(t testing.TB, name string, args ...string) string {
	t.Helper()
	code, out := run(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), code, out)
	}
	return out
}
