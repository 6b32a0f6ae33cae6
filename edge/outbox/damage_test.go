package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/event"
)

func large(n int) Draft {
	d := draft(n)
	d.Data = bytes.Repeat([]byte{byte(n), byte(n >> 8)}, 40<<10)
	return d
}

func segmentFiles(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "segments", "*.seg"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestASegmentIsRemovedWhenNothingInItWaits(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), large(1), large(2), draft(3)); err != nil {
		t.Fatal(err)
	}
	if n := len(segmentFiles(t, dir)); n != 1 {
		t.Fatalf("%d segments", n)
	}
	if i, err := o.Load(2); err != nil || !bytes.Equal(i.Data, large(2).Data) {
		t.Fatal(err)
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Through: 2}); err != nil {
		t.Fatal(err)
	}
	if n := len(segmentFiles(t, dir)); n != 0 {
		t.Errorf("%d segments are left", n)
	}
	if _, err := o.Load(1); !errors.Is(err, ErrGone) {
		t.Errorf("an item that was received: %v", err)
	}
	if _, err := o.Commit(t.Context(), large(4)); err != nil {
		t.Fatal(err)
	}
	balanced(t, o)
}

func TestWhatACrashLeftInASegmentIsNamedByNothing(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), large(1)); err != nil {
		t.Fatal(err)
	}
	o.Close()
	f, err := os.OpenFile(segmentFiles(t, dir)[0], os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Write(bytes.Repeat([]byte("torn"), 5000)) // appended, and the power went before the row
	f.Close()
	os.WriteFile(filepath.Join(dir, "segments", "000000000099.seg"), []byte("begun"), 0o600)
	again := open(t, dir, DefaultConfig())
	if _, err := again.Commit(t.Context(), large(2)); err != nil {
		t.Fatal(err)
	}
	for seq := range uint64(2) {
		if i, err := again.Load(seq + 1); err != nil || !bytes.Equal(i.Data, large(int(seq)+1).Data) {
			t.Errorf("item %d: %v", seq+1, err)
		}
	}
	if n := len(segmentFiles(t, dir)); n != 2 {
		t.Errorf("%d segments: what nothing names is kept", n)
	}
}

func TestAPayloadThatHasChangedIsNeverSent(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), large(1), large(2)); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(segmentFiles(t, dir)[0], os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte{0xff}, 1000)
	f.Close()
	if _, err := o.Load(1); !errors.Is(err, ErrGone) {
		t.Fatalf("a damaged item: %v", err)
	}
	if _, err := o.Load(2); err != nil {
		t.Error(err)
	}
	if s := balanced(t, o); s.Dropped != 1 || s.Waiting != 1 {
		t.Errorf("%+v", s)
	}
	drops, err := unreported(t.Context(), o.db, 10)
	if err != nil || len(drops) != 1 || drops[0].Reason != ReasonCorrupt {
		t.Errorf("%+v %v", drops, err)
	}
}

func TestWhatCanBeReadOfACorruptDatabaseIsCommittedAgain(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	const n = 400
	for i := range n {
		d := draft(i)
		d.Data = bytes.Repeat([]byte{byte(i)}, 3000)
		if i%40 == 0 {
			d = large(i)
		}
		if _, err := o.Commit(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	old := o.Epoch()
	o.Close()
	path := databasePath(dir)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(data) / 2; i < len(data)/2+3*4096; i++ {
		data[i] ^= 0xa5
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	markSuspect(dir)
	again := open(t, dir, DefaultConfig())
	s := balanced(t, again)
	if again.Epoch() == old || s.Waiting < n*8/10 || s.Waiting > n+1 {
		t.Fatalf("epoch %s (was %s), %+v", again.Epoch(), old, s)
	}
	told, err := again.Load(s.Committed)
	if err != nil || told.Subject != "outbox/salvaged" {
		t.Fatalf("nobody is told: %+v %v", told, err)
	}
	var what Salvaged
	if err := json.Unmarshal(told.Data, &what); err != nil || what.Epoch != old || what.Salvaged != s.Waiting-1 || what.Salvaged+what.Lost != n {
		t.Errorf("%+v %v of %d", what, err, n)
	}
	for seq := uint64(1); seq <= s.Committed; seq++ {
		if _, err := again.Load(seq); err != nil {
			t.Error(err)
		}
	}
}

func TestTwoProcessesCannotWriteOneOutbox(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, DefaultConfig())
	if _, err := Open(dir, "mast-7", DefaultConfig(), quiet); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}
