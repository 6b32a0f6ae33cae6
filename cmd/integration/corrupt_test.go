package integration

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestACorruptBufferIsSetAsideAndTheDeviceGoesOn writes garbage into the buffer's database between
// two runs. The next run keeps the file aside, goes on with what can be read under its old numbers, and
// tells of the rest.
func TestACorruptBufferIsSetAsideAndTheDeviceGoesOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	l := s.newLink()
	s.run("")
	load := s.readings(500, 20)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 100 })
	l.cut()
	until(t, 2*time.Minute, "items that wait", func() bool { return s.must().waiting > 300 })
	load.stop()
	old := s.epoch()
	s.edge.cmd.Process.Signal(syscall.SIGTERM)
	<-s.edge.done
	file := filepath.Join(s.data, "outbox", "outbox.db")
	garble(t, file)

	l.mend()
	s.run("")
	if aside, _ := filepath.Glob(filepath.Join(filepath.Dir(file), "*corrupt*")); len(aside) == 0 || !strings.Contains(s.edge.log.String(), "corrupt") {
		t.Errorf("no corrupt file is kept, or nobody was told:\n%s", s.edge.log.tail(20))
	}
	load = s.readings(300, 3)
	until(t, 2*time.Minute, "items that are received", func() bool { return s.must().received > 100 })
	load.stop()
	s.judged(t)
	s.balance(time.Minute)
	if s.epoch() == old {
		t.Error("the buffer's epoch goes on as if nothing had happened")
	}
	if !s.has("corrupt") {
		t.Errorf("the status tells %+v", s.troubles())
	}
}

// garble overwrites the middle of a database, page after page.
func garble(t testing.TB, file string) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	copy(b[len(b)/4:len(b)/2], bytes.Repeat([]byte{0xA5}, len(b)/4))
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
}
