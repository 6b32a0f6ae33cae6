package integration

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
)

// What happens to the disks of devices in the world: a card image is written back, a log's tail is lost,
// bits flip, a database is empty, a card is put into a second device. Items are counted by their ids at
// both ends: the readings that the sensor's broker took, and what is in Kafka.

func (s *site) buffer() string { return filepath.Join(s.data, "outbox") }

// copyTree copies a folder as it lies there.
func copyTree(t testing.TB, from, to string) {
	t.Helper()
	os.RemoveAll(to)
	err := filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(from, path)
		if d.IsDir() {
			return os.MkdirAll(filepath.Join(to, name), 0o700)
		}
		if strings.HasSuffix(name, "ballast") || strings.HasSuffix(name, "-shm") {
			return nil
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, name), b, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// troubles are what the device's buffer has noted.
func (s *site) troubles() (all []event.Trouble) {
	b, err := os.ReadFile(filepath.Join(s.buffer(), "troubles.json"))
	if err == nil {
		decodeJSON(s.t, b, &all)
	}
	return all
}

func (s *site) has(kind string) bool {
	return slices.ContainsFunc(s.troubles(), func(t event.Trouble) bool { return t.Kind == kind })
}

// alerted says whether the alert of a trouble is in Kafka.
func (s *site) alerted(kind string) bool {
	for _, l := range s.inKafka() {
		if slices.ContainsFunc(l.items, func(i event.Item) bool { return i.Kind == event.Alert && i.Subject == "outbox/"+kind }) {
			return true
		}
	}
	return false
}

// captured are the readings in Kafka, and in the ledger.
func (s *site) captured() (readings, ledger int) {
	s.t.Helper()
	all := s.inKafka()
	s.once(all)
	for _, l := range all {
		for _, i := range l.items {
			if i.Kind == event.Reading {
				readings++
			}
		}
		for seq := range l.dropped {
			if l.times[seq] == 0 {
				ledger++
			}
		}
	}
	return readings, ledger
}

// noted waits until the buffer has noted beside its database how it stands.
func (s *site) noted() {
	s.t.Helper()
	until(s.t, 2*time.Minute, "a note of what is committed", func() bool {
		var w struct{ Committed, Waiting uint64 }
		b, err := os.ReadFile(filepath.Join(s.buffer(), "witness.json"))
		if err != nil {
			return false
		}
		decodeJSON(s.t, b, &w)
		c := s.must()
		return w.Committed == c.committed && w.Waiting == c.waiting
	})
}

// judged waits until the cloud has said what it has of the epochs of which something is missing, and
// the device has told the rest: every number is in Kafka or in the ledger.
func (s *site) judged(t testing.TB) {
	t.Helper()
	until(t, 2*time.Minute, "a word on every number", func() bool {
		for _, l := range s.inKafka() {
			for seq := uint64(1); seq <= largest(l); seq++ {
				if l.times[seq] == 0 && !l.dropped[seq] {
					return false
				}
			}
		}
		c, err := s.counts()
		if err != nil || c.waiting != 0 {
			return false
		}
		dropped := uint64(0)
		for _, l := range s.inKafka() {
			dropped += uint64(len(l.dropped))
		}
		return dropped == c.dropped
	})
}

// waiting fills the buffer while the link is cut.
func (s *site) fill(l *link, n uint64) (sent int) {
	s.t.Helper()
	s.hears() // before, the sensors' broker takes readings for nobody
	l.cut()
	load := s.readings(300, 3)
	until(s.t, 2*time.Minute, "items that wait", func() bool { return s.must().waiting > n })
	sent = load.stop()
	s.noted() // all that the sensors' broker took is committed
	return sent
}

// frames counts those of the buffer's log that hold something: what lies behind is of an earlier round.
func (s *site) frames() (n int) {
	b, err := os.ReadFile(filepath.Join(s.buffer(), "outbox.db-wal"))
	if err != nil || len(b) < 32 {
		return 0
	}
	for at := 32; at+walFrame <= len(b) && bytes.Equal(b[at+8:at+16], b[16:24]); at += walFrame {
		n++
	}
	return n
}

const walFrame = 24 + 4096

// logged goes on filling until the log holds a good part of it.
func (s *site) logged(l *link, n uint64) (sent int) {
	s.t.Helper()
	l.cut()
	load := s.readings(300, 3)
	until(s.t, 2*time.Minute, "items that wait, in the log", func() bool { f := s.frames(); return s.must().waiting > n && f > 200 && f < 700 })
	return load.stop()
}

func TestABufferRestoredFromAnOlderCopyUnderLoadLosesNothingNew(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	sent := s.fill(l, 60)
	s.edge.signal(t, syscall.SIGSTOP)
	older := filepath.Join(s.dir, "older")
	copyTree(t, s.buffer(), older)
	s.edge.signal(t, syscall.SIGCONT)
	l.mend()
	load := s.readings(200, 3)
	before := s.must().received
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > before+100 })
	sent += load.stop()
	s.settle(2 * time.Minute)
	s.edge.kill(t)

	copyTree(t, older, s.buffer())
	s.run("")
	load = s.readings(200, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 99 })
	sent += load.stop()
	s.settle(2 * time.Minute)
	if got, ledger := s.captured(); got < sent || got > sent+3 || ledger != 0 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, got, ledger)
	}
	until(t, 2*time.Minute, "a word on the copy", func() bool { return s.has("older") && s.alerted("older") })
}

func TestALogWhoseTailIsLostIsToldOfToTheLastNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	sent := s.logged(l, 200)
	s.noted()
	s.edge.kill(t)
	wal := filepath.Join(s.buffer(), "outbox.db-wal")
	if err := os.Truncate(wal, 32+int64(s.frames()/2)*walFrame); err != nil {
		t.Fatal(err)
	}
	l.mend()
	s.run("")
	s.hears()
	load := s.readings(200, 3)
	until(t, 2*time.Minute, "new items", func() bool { return s.must().received > 100 })
	sent += load.stop()
	s.judged(t)
	got, ledger := s.captured()
	if got+ledger < sent || ledger == 0 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, got, ledger)
	}
	until(t, 2*time.Minute, "a word on it", func() bool { return s.has("truncated") && s.alerted("truncated") && s.alerted("lost") })
	t.Logf("%d sent, %d in Kafka, %d in the ledger; %+v", sent, got, ledger, s.troubles())
}

func TestFlippedBitsInTheLogCostAPageAndNotWhatIsBehindThem(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	sent := s.logged(l, 200)
	s.noted()
	s.edge.kill(t)
	wal := filepath.Join(s.buffer(), "outbox.db-wal")
	b, err := os.ReadFile(wal)
	if err != nil {
		t.Fatal(err)
	}
	for _, at := range []int{s.frames() / 3, s.frames() / 3 * 2} {
		b[32+at*walFrame+1000] ^= 0x10
	}
	if err := os.WriteFile(wal, b, 0o600); err != nil {
		t.Fatal(err)
	}
	l.mend()
	s.run("")
	s.hears()
	load := s.readings(200, 3)
	before := s.must().received
	until(t, 2*time.Minute, "new items", func() bool { return s.must().received > before+100 })
	sent += load.stop()
	s.judged(t)
	got, ledger := s.captured()
	if got+ledger < sent || got < sent-40 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, got, ledger)
	}
	until(t, 2*time.Minute, "a word on it", func() bool { return s.has("corrupt") && s.alerted("salvaged") })
	t.Logf("%d sent, %d in Kafka, %d in the ledger; %+v", sent, got, ledger, s.troubles())
}

func TestADatabaseOfNoBytesIsToldOfToTheLastNumber(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	sent := s.fill(l, 79)
	s.stop()
	if err := os.Truncate(filepath.Join(s.buffer(), "outbox.db"), 0); err != nil {
		t.Fatal(err)
	}
	l.mend()
	s.run("")
	s.judged(t)
	if got, ledger := s.captured(); got+ledger < sent || ledger < 79 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, got, ledger)
	}
	until(t, 2*time.Minute, "a word on it", func() bool { return s.has("missing") && s.alerted("missing") })
	s.balance(30 * time.Second)
}

func TestACardInASecondDeviceLosesNothingOfEither(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	sent := s.fill(l, 40)
	s.stop()
	// The second device has the card's copy, sensors of its own, and the same name.
	other := *s
	other.dir = t.TempDir()
	other.data, other.local, other.from = filepath.Join(other.dir, "data"), brokertest.StartMosquitto(t), fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))
	copyTree(t, s.data, other.data)
	l.mend()
	s.run("")
	other.run("")
	other.hears()
	a, b := s.readings(50, 3), other.readings(50, 3)
	told := func() bool { return s.has("twin") || other.has("twin") }
	until(t, 2*time.Minute, "a word on the twin", told)
	sent += a.stop() + b.stop()
	s.settle(2 * time.Minute)
	other.settle(2 * time.Minute)
	if got, ledger := s.captured(); got < sent || got > sent+3 || ledger != 0 {
		t.Errorf("%d readings were sent, %d are in Kafka, %d in the ledger", sent, got, ledger)
	}
	if !s.alerted("twin") {
		t.Error("no alert names the twins")
	}
}

// TestADiskThatFailsIsOneStateAndLosesNothing takes the disk away under a running device, which goes on
// with what it has; a sound disk at the next start has everything that was committed.
func TestADiskThatFailsIsOneStateAndLosesNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	d := mountExt4(t, s.data)
	s.run("")
	s.hears()
	load := s.readings(200, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 50 })
	before, lines := s.must(), len(s.edge.log.String())
	d.cutPower()
	until(t, 2*time.Minute, "a word on the disk", func() bool { return strings.Contains(s.edge.log.String()[lines:], "takes no writes") })
	time.Sleep(2 * time.Second) // of readings, which wait in the local broker
	said := s.edge.log.String()[lines:]
	if n := strings.Count(said, "\n"); n > 5 || !strings.Contains(said, "takes no writes") {
		t.Errorf("%d lines are in the log:\n%s", n, said)
	}
	ear := listen(t, s.mqtt.URL, event.StatusTopic(s.name))
	until(t, 2*time.Minute, "the trouble in the status", func() bool { return strings.Contains(ear.payload(event.StatusTopic(s.name)), `"failing"`) })
	load.stop()
	s.edge.cmd.Process.Kill()
	<-s.edge.done
	d.replug()
	s.run("")
	load = s.readings(200, 3)
	until(t, 2*time.Minute, "readings that are captured again", func() bool { return s.must().committed > before.committed+100 })
	load.stop()
	c, _ := s.balance(time.Minute)
	if c.committed < before.committed {
		t.Errorf("%d were committed before, %d in the end", before.committed, c.committed)
	}
}
