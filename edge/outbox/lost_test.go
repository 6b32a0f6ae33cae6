package outbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// quick is a folder that needs no disk.
func quick(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp(memory(), "outbox")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// left is a buffer as a crash leaves it, with everything still in the log, and the ids in it by number.
func left(t testing.TB, n int) (dir string, ids map[uint64]string, epoch event.Epoch) {
	t.Helper()
	running, dir := quick(t), quick(t)
	o := open(t, running, DefaultConfig())
	ids = map[uint64]string{}
	for i := range n {
		d := draft(i)
		d.Data = bytes.Repeat([]byte{byte(i)}, 700)
		items, err := o.Commit(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		ids[items[0].Seq] = items[0].ID.String()
	}
	o.writeWitness(true)
	epoch = o.Epoch()
	copyFolder(t, running, dir)
	o.Close()
	return dir, ids, epoch
}

// stillThere counts the items that wait under their old numbers.
func stillThere(t testing.TB, o *Outbox, ids map[uint64]string, epoch event.Epoch) (n int) {
	t.Helper()
	for seq, id := range ids {
		own := o.Number(epoch, seq)
		if i, err := o.Load(own); err == nil {
			if i.ID.String() != id || i.Epoch != epoch || i.Seq != seq {
				t.Errorf("%s/%d is another item now", epoch, seq)
			}
			n++
		} else if !errors.Is(err, ErrGone) {
			t.Error(err)
		}
	}
	return n
}

func TestFlippedBitsInTheLogAreFoundAndWhatIsBehindThemIsKept(t *testing.T) {
	const n = 30
	dir, ids, epoch := left(t, n)
	wal, err := os.ReadFile(databasePath(dir) + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		at, err := os.MkdirTemp(memory(), "flipped")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(at)
		copyFolder(t, dir, at)
		b := bytes.Clone(wal)
		where := rapid.IntRange(0, len(b)-1).Draw(r, "where")
		if rapid.Bool().Draw(r, "header") {
			where = rapid.IntRange(0, walHeader-1).Draw(r, "in the header")
		}
		b[where] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		os.WriteFile(databasePath(at)+"-wal", b, 0o600)
		o := open(t, at, DefaultConfig())
		defer o.Close()
		s := balanced(t, o)
		got := stillThere(t, o, ids, epoch)
		renumbered := int(s.Waiting) - got - len(alerts(t, o))
		if renumbered < 0 || got+renumbered < n-8 { // a page holds some items: a flip in one may cost them, no more
			r.Fatalf("%d of %d are kept, %d renumbered; %+v, got %+v", got, n, renumbered, s, o.Troubles())
		}
		if got < n && len(o.Troubles()) == 0 {
			r.Fatalf("%d of %d are kept, and nothing is reported", got, n)
		}
		if fresh, err := o.Commit(t.Context(), draft(1)); err != nil || fresh[0].Epoch == epoch {
			r.Fatal(err)
		}
	})
}

// TestFlippedBitsInTheDatabaseMakeNoItemAnother flips some bits anywhere in the database, sends what
// waits, and starts again as often as the buffer says that it is corrupt.
func TestFlippedBitsInTheDatabaseMakeNoItemAnother(t *testing.T) {
	const n = 30
	dir, ids, epoch := left(t, n)
	open(t, dir, DefaultConfig()).Close() // the log is written into its place
	byID := map[string]bool{}
	for _, id := range ids {
		byID[id] = true
	}
	good, err := os.ReadFile(databasePath(dir))
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(r *rapid.T) {
		at, err := os.MkdirTemp(memory(), "flipped")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(at)
		copyFolder(t, dir, at)
		b := bytes.Clone(good)
		for range rapid.IntRange(1, 3).Draw(r, "flips") {
			b[rapid.IntRange(0, len(b)-1).Draw(r, "where")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
		}
		os.WriteFile(databasePath(at), b, 0o600)
		sent := map[string]bool{}
		for starts := 0; ; starts++ {
			if starts == 4 {
				r.Fatal("it is corrupt at every start")
			}
			o, err := Open(at, "mast-7", DefaultConfig(), quiet)
			if err != nil {
				r.Fatal(err)
			}
			clear(sent)
			for refs := o.Fresh(); len(refs) > 0; refs = o.Fresh() {
				for _, ref := range refs {
					i, err := o.Load(ref.Seq)
					if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, errCorrupt) && !errors.Is(err, errUndecodable) {
						r.Log(err)
					}
					if err != nil || !byID[i.ID.String()] {
						continue
					}
					if i.Epoch == epoch && ids[i.Seq] != i.ID.String() {
						r.Fatalf("%s/%d is another item now", i.Epoch, i.Seq)
					}
					sent[i.ID.String()] = true
				}
			}
			corrupt := false
			select {
			case <-o.Corrupt():
				corrupt = true
			default:
			}
			s := balanced(t, o)
			lost := n - len(sent)
			reported := len(o.Troubles()) > 0 || s.Dropped > 0
			o.Close()
			if corrupt {
				continue
			}
			if lost > 0 && !reported {
				r.Fatalf("%d of %d items are lost, and nothing is reported: %+v", lost, n, s)
			}
			return
		}
	})
}

func TestATornEndOfTheLogIsNoDamage(t *testing.T) {
	dir, ids, epoch := left(t, 20)
	os.Remove(witnessFile(dir)) // nothing was noted of what was not durable
	wal := databasePath(dir) + "-wal"
	info, err := os.Stat(wal)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(wal, info.Size()-100); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir, DefaultConfig())
	if got := stillThere(t, o, ids, epoch); got != 19 || len(o.Troubles()) != 0 || len(alerts(t, o)) != 0 {
		t.Errorf("%d are kept, got %+v", got, o.Troubles())
	}
}

func TestADatabaseThatLostItsLastWritesIsReportedAndTheCloudIsAsked(t *testing.T) {
	dir, _, epoch := left(t, 40)
	wal := databasePath(dir) + "-wal"
	look, err := inspectWAL(wal, 4096)
	if err != nil || look.good != look.end || look.damaged || look.torn {
		t.Fatalf("%+v %v", look, err)
	}
	if err := os.Truncate(wal, walHeader+int64(look.good*2/3)*(walFrame+4096)); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir, DefaultConfig())
	reported := troubleOf(o, Truncated)
	if reported == nil || reported.Epoch != epoch || reported.To != 40 || reported.Items != 40-reported.From+1 || len(alerts(t, o)) != 1 {
		t.Fatalf("got %+v", o.Troubles())
	}
	if s := balanced(t, o); s.Committed != 41 || s.Dropped != reported.Items {
		t.Errorf("%+v", s)
	}
	// The cloud has some of what is missing: the rest is lost, and reported so.
	now := time.Now()
	o.now = func() time.Time { return now }
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: epoch, Through: 38}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * gapReceiptWait)
	if n, err := o.Report(t.Context()); n != 2 || err != nil {
		t.Fatalf("reported %d, %v", n, err)
	}
	report, err := o.Load(o.Stats().Committed)
	if err != nil {
		t.Fatal(err)
	}
	var drops event.DropReport
	if json.Unmarshal(report.Data, &drops); len(drops.Earlier) != 1 || drops.Earlier[0].Epoch != epoch || drops.Earlier[0].Drops[0].Seq != 39 || drops.Earlier[0].Drops[1].Reason != ReasonCorrupt {
		t.Errorf("%s", report.Data)
	}
	if s := balanced(t, o); s.Dropped != 2 || s.Received != 38 {
		t.Errorf("%+v", s)
	}
	if troubleOf(o, Older) != nil || troubleOf(o, Lost) == nil {
		t.Errorf("%+v", o.Troubles())
	}
}

func TestADatabaseThatIsGoneIsReported(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"missing": os.Remove,
		"empty":   func(path string) error { return os.Truncate(path, 0) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			o := open(t, dir, DefaultConfig())
			for n := range 79 {
				if _, err := o.Commit(t.Context(), draft(n)); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := o.Commit(t.Context(), large(1)); err != nil {
				t.Fatal(err)
			}
			epoch := o.Epoch()
			o.Close()
			if err := spoil(databasePath(dir)); err != nil {
				t.Fatal(err)
			}
			o = open(t, dir, DefaultConfig())
			reported := troubleOf(o, Missing)
			if reported == nil || reported.Items != 80 || reported.Epoch != epoch || reported.To != 80 || !strings.Contains(reported.Text, "1 files") || len(alerts(t, o)) != 1 {
				t.Fatalf("got %+v", o.Troubles())
			}
			if s := balanced(t, o); s.Dropped != 80 || s.Committed != 81 {
				t.Errorf("%+v", s)
			}
			epochs := o.Epochs()
			if len(epochs) != 2 || epochs[1].Epoch != epoch || epochs[1].Through != 80 {
				t.Errorf("the cloud is asked for %+v", epochs)
			}
		})
	}
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "segments"), 0o700)
	os.WriteFile(filepath.Join(dir, "segments", "000000000001.seg"), make([]byte, 20000), 0o600)
	if o := open(t, dir, DefaultConfig()); troubleOf(o, Missing) == nil {
		t.Error("payloads without a database are no evidence")
	}
	if o := open(t, t.TempDir(), DefaultConfig()); len(o.Troubles()) != 0 || len(alerts(t, o)) != 0 {
		t.Errorf("a new buffer: %+v", o.Troubles())
	}
}

func TestAnEmptyDatabaseWithALogIsReadFromTheLog(t *testing.T) {
	dir, ids, epoch := left(t, 79)
	if err := os.Truncate(databasePath(dir), 0); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir, DefaultConfig())
	if got := stillThere(t, o, ids, epoch); got != 79 || troubleOf(o, Corrupt) == nil {
		t.Errorf("%d are kept, got %+v", got, o.Troubles())
	}
}

func TestASalvageThatIsCutShortIsGoneOnWith(t *testing.T) {
	dir, ids, epoch := left(t, 60)
	wal := databasePath(dir) + "-wal"
	b, _ := os.ReadFile(wal)
	b[len(b)/2] ^= 4
	os.WriteFile(wal, b, 0o600)
	aside := databasePath(dir) + ".corrupt-1"
	if err := os.WriteFile(salvageFile(dir), []byte(`{"wreck":"outbox.db.corrupt-1"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := moveAside(databasePath(dir), aside); err != nil {
		t.Fatal(err)
	}
	half := open(t, t.TempDir(), DefaultConfig()) // what the first try had made
	half.Commit(t.Context(), draft(1))
	half.Close()
	copyFolder(t, half.dir, filepath.Join(dir, "half"))
	os.Rename(filepath.Join(dir, "half", "outbox.db"), databasePath(dir))
	o := open(t, dir, DefaultConfig())
	if got := stillThere(t, o, ids, epoch); got < 52 || troubleOf(o, Corrupt) == nil {
		t.Errorf("%d are kept, got %+v", got, o.Troubles())
	}
	if _, err := os.Stat(salvageFile(dir)); err == nil {
		t.Error("the next start would salvage again")
	}
}
