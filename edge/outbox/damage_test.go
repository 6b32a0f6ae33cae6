package outbox

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sys/unix"

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
	ids := map[uint64]ulid.ULID{}
	for i := range n {
		d := draft(i)
		d.Data = bytes.Repeat([]byte{byte(i)}, 3000)
		if i%40 == 0 {
			d = large(i)
		}
		items, err := o.Commit(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		ids[items[0].Seq] = items[0].ID
	}
	if _, err := o.CommitMarked(t.Context(), nil, []Mark{{Name: "window/boiler", Value: []byte("12 readings")}}); err != nil {
		t.Fatal(err)
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
	markSuspect(dir, suspectPages)
	again := open(t, dir, DefaultConfig())
	s := balanced(t, again)
	if again.Epoch() == old || s.Waiting < n*8/10 || s.Waiting > n+1 {
		t.Fatalf("epoch %s (was %s), %+v", again.Epoch(), old, s)
	}
	reported, err := again.Load(s.Committed)
	if err != nil || reported.Subject != "outbox/salvaged" {
		t.Fatalf("nothing is reported: %+v %v", reported, err)
	}
	if marks, err := again.Marks("window/"); err != nil || len(marks) != 1 || string(marks[0].Value) != "12 readings" {
		t.Errorf("the marks are %+v %v", marks, err)
	}
	var what Salvaged
	if err := json.Unmarshal(reported.Data, &what); err != nil || what.Epoch != old || what.Salvaged != s.Waiting-1 || what.Salvaged+what.Lost != n {
		t.Errorf("%+v %v of %d", what, err, n)
	}
	whole := 0
	for seq := uint64(1); seq <= n; seq++ {
		switch i, err := again.Load(seq); {
		case errors.Is(err, ErrGone):
		case err != nil || i.Epoch != old || i.Seq != seq || i.ID != ids[seq]:
			t.Errorf("item %d is now %s of epoch %s, number %d: %v", seq, i.ID, i.Epoch, i.Seq, err)
		default:
			whole++
		}
	}
	if uint64(whole) != what.Salvaged-what.Renumbered {
		t.Errorf("%d kept their numbers, of %+v", whole, what)
	}
}

func TestTwoProcessesCannotWriteOneOutbox(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, DefaultConfig())
	if _, err := Open(dir, "mast-7", DefaultConfig(), quiet); !errors.Is(err, ErrLocked) {
		t.Errorf("got %v", err)
	}
}

// allocated is how many bytes of the disk the segments take.
func allocated(t *testing.T, dir string) (bytes int64) {
	t.Helper()
	for _, f := range segmentFiles(t, dir) {
		var s unix.Stat_t
		if err := unix.Stat(f, &s); err != nil {
			t.Fatal(err)
		}
		bytes += s.Blocks * 512
	}
	return bytes
}

// TestHoweverADatabaseIsSpoiledTheDeviceGoesOn spoils a buffer of 300 items in many ways: the next
// start has a new epoch, tells of it, keeps what can be read, and takes new items.
func TestHoweverADatabaseIsSpoiledTheDeviceGoesOn(t *testing.T) {
	const n = 300
	say := func(text string) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			if _, err := db.Exec(text); err != nil {
				t.Fatal(err)
			}
		}
	}
	write := func(at int64, what []byte) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if _, err := f.WriteAt(what, at); err != nil {
				t.Fatal(err)
			}
		}
	}
	cut := func(part func(size int64) int64) func(*testing.T, string) {
		return func(t *testing.T, path string) {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, part(info.Size())); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		spoil func(*testing.T, string)
		least uint64 // items that can be read
	}{
		"the header":            {write(0, make([]byte, 100)), 0},
		"pages":                 {write(100<<10, bytes.Repeat([]byte{0xa5}, 3*4096)), n / 2},
		"cut to half":           {cut(func(size int64) int64 { return size / 2 }), 0},
		"cut in the header":     {cut(func(int64) int64 { return 50 }), 0},
		"no counts":             {say("DELETE FROM counts"), n},
		"no table of counts":    {say("DROP TABLE counts"), n},
		"too low counts":        {say("UPDATE counts SET committed=100, waiting=100"), n},
		"counts that don't fit": {say("UPDATE counts SET received=received+1"), n},
		"no items":              {say("DROP TABLE items"), 0},
		"another's items":       {say("DROP TABLE items; CREATE TABLE items (a, b)"), 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := os.MkdirTemp(memory(), "spoiled")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			o := open(t, dir, DefaultConfig())
			d := draft(1)
			d.Data = bytes.Repeat([]byte{7}, 1000)
			submitted(t, o, n, d)
			o.Close()
			c.spoil(t, databasePath(dir))

			again := open(t, dir, DefaultConfig())
			defer again.Close()
			s := balanced(t, again)
			reported, err := again.Load(s.Committed)
			if again.Epoch() == o.Epoch() || err != nil || reported.Subject != "outbox/salvaged" {
				t.Fatalf("epoch %s (was %s), reported %q, %v", again.Epoch(), o.Epoch(), reported.Subject, err)
			}
			if got := s.Waiting - 1; got < c.least || got > n {
				t.Errorf("%d of %d items are salvaged, not %d", got, n, c.least)
			}
			fresh := uint64(0)
			for refs := again.Fresh(); len(refs) > 0; refs = again.Fresh() {
				fresh += uint64(len(refs))
			}
			if fresh != s.Waiting {
				t.Errorf("the uplink is given %d of %d", fresh, s.Waiting)
			}
			items, err := again.Commit(t.Context(), draft(2))
			if err != nil || items[0].Epoch != again.Epoch() || again.Number(items[0].Epoch, items[0].Seq) != s.Committed+1 {
				t.Errorf("the next item: %v %v", items, err)
			}
		})
	}
}
