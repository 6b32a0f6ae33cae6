package outbox

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// copyFolder copies a buffer as it lies on the disk now, as a card is copied, or as a crash leaves it.
func copyFolder(t testing.TB, from, to string) {
	t.Helper()
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

func troubleOf(o *Outbox, kind string) *event.Trouble {
	for _, t := range o.Troubles() {
		if t.Kind == kind {
			return &t
		}
	}
	return nil
}

// alerts are the subjects of the alerts that wait.
func alerts(t testing.TB, o *Outbox) (subjects []string) {
	t.Helper()
	rows, err := o.db.Query("SELECT subject FROM items WHERE kind='alert' ORDER BY seq")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		rows.Scan(&s)
		subjects = append(subjects, s)
	}
	return subjects
}

func TestADatabaseOfAnEarlierProgramGoesOnWithItsEpochAndNumbers(t *testing.T) {
	dir := t.TempDir()
	db, err := sql.Open("sqlite", "file:"+databasePath(dir)+dsn)
	if err != nil {
		t.Fatal(err)
	}
	data := []byte("data")
	sum := event.Sum(data)
	id := event.NewID(time.Now())
	for _, text := range []string{earlierSchema,
		"INSERT INTO counts VALUES (1, 'abcdef0123456789', 7, 3, 2, 2, 8)",
		"INSERT INTO ledger VALUES (5, 'tile', 's', 4, 'quota', 1, 0), (6, 'tile', 's', 4, 'quota', 1, 1)",
		"INSERT INTO streams VALUES ('s', 2, 8)", "INSERT INTO keys VALUES ('k', 7)"} {
		if _, err := db.Exec(text); err != nil {
			t.Fatal(err)
		}
	}
	for _, seq := range []int{4, 7} {
		if _, err := db.Exec("INSERT INTO items VALUES (?, 2, -0.1, 4, 1, 0, 0, 0, 's', 'tile', 4, 0.5, 'x', ?, 1, '{}', 'x', ?)", seq, id[:], sum[:]); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("INSERT INTO payloads VALUES (?, ?)", seq, data); err != nil {
			t.Fatal(err)
		}
	}
	db.Close()
	if r, err := OpenReader(dir, "mast-7"); err != nil {
		t.Error(err)
	} else {
		if i, err := r.Item(7); err != nil || i.Epoch != "abcdef0123456789" || i.Seq != 7 {
			t.Errorf("before it has become one of this program's: %+v %v", i, err)
		}
		r.Close()
	}
	o := open(t, dir, DefaultConfig())
	balanced(t, o)
	for _, seq := range []uint64{4, 7} {
		if i, err := o.Load(seq); err != nil || i.Epoch != "abcdef0123456789" || i.Seq != seq || i.ID != id {
			t.Errorf("%+v %v", i, err)
		}
	}
	items, err := o.Commit(t.Context(), draft(1))
	if err != nil || items[0].Seq != 1 || items[0].Epoch != o.Epoch() || items[0].Epoch == "abcdef0123456789" {
		t.Fatalf("%+v %v", items, err)
	}
	if n, err := o.Report(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	told, err := o.Load(o.Stats().Committed)
	if err != nil {
		t.Fatal(err)
	}
	report, err := event.ParseDropReport(told)
	if err != nil || len(report.Drops) != 0 || len(report.Earlier) != 1 || report.Earlier[0].Epoch != "abcdef0123456789" || report.Earlier[0].Drops[0].Seq != 5 {
		t.Errorf("the drop is told as %s, %v", told.Data, err)
	}
	if n, err := o.Receive(t.Context(), event.Receipt{Epoch: "abcdef0123456789", Through: 7}); n != 2 || err != nil {
		t.Errorf("freed %d, %v", n, err)
	}
}

// earlierSchema is that of format 2.
const earlierSchema = `
CREATE TABLE counts (one INTEGER PRIMARY KEY CHECK (one=1), epoch TEXT NOT NULL, committed INTEGER NOT NULL, received INTEGER NOT NULL,
	dropped INTEGER NOT NULL, waiting INTEGER NOT NULL, bytes INTEGER NOT NULL);
CREATE TABLE items (seq INTEGER PRIMARY KEY, priority INTEGER NOT NULL, cheap REAL NOT NULL, bytes INTEGER NOT NULL, committed INTEGER NOT NULL,
	expires INTEGER NOT NULL, segment INTEGER NOT NULL, place INTEGER NOT NULL, stream TEXT NOT NULL, kind TEXT NOT NULL,
	rung INTEGER NOT NULL, value REAL NOT NULL, subject TEXT NOT NULL, id BLOB NOT NULL, time INTEGER NOT NULL,
	attrs TEXT NOT NULL, type TEXT NOT NULL, sha256 BLOB NOT NULL);
CREATE TABLE payloads (seq INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE segments (id INTEGER PRIMARY KEY, waiting INTEGER NOT NULL);
CREATE TABLE streams (stream TEXT PRIMARY KEY, waiting INTEGER NOT NULL, bytes INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE keys (key TEXT PRIMARY KEY, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE parts (seq INTEGER PRIMARY KEY, cut INTEGER NOT NULL, have TEXT NOT NULL);
CREATE TABLE ledger (seq INTEGER PRIMARY KEY, kind TEXT NOT NULL, stream TEXT NOT NULL, bytes INTEGER NOT NULL,
	reason TEXT NOT NULL, at INTEGER NOT NULL, reported INTEGER NOT NULL DEFAULT 0);
PRAGMA user_version=2;`

func TestWhatACopyCommitsHasOtherNumbersThanWhatItWasCopiedFromDid(t *testing.T) {
	dir, copied := t.TempDir(), t.TempDir()
	o := open(t, dir, DefaultConfig())
	before, err := o.Commit(t.Context(), draft(1), draft(2))
	if err != nil {
		t.Fatal(err)
	}
	copyFolder(t, dir, copied)
	after, err := o.Commit(t.Context(), draft(3), draft(4), draft(5))
	if err != nil {
		t.Fatal(err)
	}
	old := o.Epoch()
	o.Close()

	o = open(t, copied, DefaultConfig())
	fresh, err := o.Commit(t.Context(), draft(6), draft(7), draft(8))
	if err != nil {
		t.Fatal(err)
	}
	for n := range fresh {
		if fresh[n].Epoch == after[n].Epoch {
			t.Errorf("%s/%d is used twice", fresh[n].Epoch, fresh[n].Seq)
		}
	}
	// The cloud has all that the first one committed: true of what waits here, and more than is known here.
	if n, err := o.Receive(t.Context(), event.Receipt{Epoch: old, Through: 5, Last: &event.Known{Seq: 5, ID: after[2].ID}}); n != 2 || err != nil {
		t.Errorf("freed %d, %v", n, err)
	}
	if told := troubleOf(o, Older); told == nil || told.Epoch != old || told.From != 3 || told.To != 5 || told.Items != 3 {
		t.Errorf("told %+v", o.Troubles())
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: old, Through: 6}); err != nil {
		t.Fatal(err)
	}
	if got := alerts(t, o); len(got) != 1 || got[0] != "outbox/older" {
		t.Errorf("alerts %q", got)
	}
	if s := balanced(t, o); s.Waiting != 4 || before[0].Epoch != old {
		t.Errorf("%+v", s)
	}
	if foreign, _ := o.Receipts(); foreign != 0 {
		t.Error(foreign)
	}
	o.Close()
	o = open(t, copied, DefaultConfig())
	if troubleOf(o, Older) == nil {
		t.Error("the trouble is forgotten with a restart")
	}
	if n, err := Seen(copied); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := o.Expire(t.Context()); err != nil || len(o.Troubles()) != 0 {
		t.Errorf("seen to, and still told: %+v %v", o.Troubles(), err)
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: old, Through: 9}); err != nil || len(o.Troubles()) != 0 || len(alerts(t, o)) != 1 {
		t.Errorf("seen to, and told again: %+v %v", o.Troubles(), err)
	}
}

func TestAReceiptThatCantBeTrueFreesNothingAndWhatWaitsGoesUnderOtherNumbers(t *testing.T) {
	for name, spoil := range map[string]func(*event.Receipt){
		"more than was committed":    func(r *event.Receipt) { r.Through = 9 },
		"a range above":              func(r *event.Receipt) { r.Above = []event.Range{{From: 4, To: 1 << 60}} },
		"another item is the last":   func(r *event.Receipt) { r.Last = &event.Known{Seq: 2, ID: event.NewID(time.Now())} },
		"another item has a number":  func(r *event.Receipt) { r.Conflicts = []event.Known{{Seq: 2, ID: event.NewID(time.Now())}} },
		"another is last, above all": func(r *event.Receipt) { r.Last = &event.Known{Seq: 7, ID: event.NewID(time.Now())} },
	} {
		t.Run(name, func(t *testing.T) {
			o := open(t, t.TempDir(), DefaultConfig())
			big, keyed := large(2), draft(3)
			keyed.Key = "k"
			items, err := o.Commit(t.Context(), draft(1), big, keyed)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Above: []event.Range{{From: 1, To: 1}}, Parts: []event.PartsHeld{{Seq: 2, Of: 4, Have: []event.Range{{From: 0, To: 1}}}}}); err != nil {
				t.Fatal(err)
			}
			r := event.Receipt{Epoch: o.Epoch(), Through: 2}
			spoil(&r)
			if n, err := o.Receive(t.Context(), r); n != 0 || err != nil {
				t.Fatalf("freed %d, %v", n, err)
			}
			if o.Epoch() == r.Epoch || troubleOf(o, Conflict) == nil || len(alerts(t, o)) != 1 {
				t.Fatalf("epoch %s as before, told %+v", o.Epoch(), o.Troubles())
			}
			for n, want := range items[1:] {
				own := o.Number(o.Epoch(), uint64(n+1))
				i, err := o.Load(own)
				if err != nil || i.ID != want.ID || i.Epoch != o.Epoch() || i.Seq != uint64(n+1) || !bytes.Equal(i.Data, want.Data) {
					t.Errorf("item %d: %+v %v", n, i, err)
				}
				if of, _ := o.Parts(own); of != 0 {
					t.Error("parts of another number are kept")
				}
			}
			if !o.WaitsUnder("k") {
				t.Error("the key does not know its item any more")
			}
			if s := balanced(t, o); s.Waiting != 3 || s.Dropped != 2 {
				t.Errorf("%+v", s)
			}
			if n, err := o.Receive(t.Context(), r); n != 0 || err != nil || balanced(t, o).Waiting != 3 {
				t.Errorf("the second time it freed %d, %v", n, err)
			}
			if n, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Through: 3}); n != 3 || err != nil {
				t.Errorf("of the new epoch %d were freed, %v", n, err)
			}
		})
	}
}

func TestATwinIsToldOnceAndNothingIsRefused(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	if _, err := o.Commit(t.Context(), draft(1)); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if _, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Through: 1, Twin: "0123456789abcdef"}); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := o.Receive(t.Context(), event.Receipt{Epoch: "0123456789abcdef", Through: 5}); n != 0 || err != nil {
		t.Error(n, err)
	}
	if s := balanced(t, o); s.Received != 1 || len(alerts(t, o)) != 1 || troubleOf(o, Twin) == nil || troubleOf(o, Twin).Epoch != "0123456789abcdef" {
		t.Errorf("%+v %q %+v", s, alerts(t, o), o.Troubles())
	}
	if foreign, refused := o.Receipts(); foreign != 1 || refused != 0 {
		t.Error(foreign, refused)
	}
}

func TestAReportOfDropsIsNotMovedButToldAnew(t *testing.T) {
	c := DefaultConfig()
	c.QuotaRows = 100
	o := open(t, t.TempDir(), c)
	d := draft(1)
	d.Expires = time.Now().Add(-time.Second)
	if _, err := o.Commit(t.Context(), d, draft(2)); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	old := o.Epoch()
	if n, err := o.Report(t.Context()); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: old, Through: 99}); err != nil {
		t.Fatal(err)
	}
	if n, err := o.Report(t.Context()); n != 3 || err != nil { // 1 expired, 2 was moved, 3 was the report
		t.Fatal(n, err)
	}
	told, err := o.Load(o.Stats().Committed)
	if err != nil {
		t.Fatal(err)
	}
	report, err := event.ParseDropReport(told)
	if err != nil || len(report.Drops) != 0 || len(report.Earlier) != 1 || report.Earlier[0].Epoch != old || len(report.Earlier[0].Drops) != 3 {
		t.Errorf("%s %v", told.Data, err)
	}
	balanced(t, o)
}

func TestEpochsOfWhichNothingIsLeftAreForgotten(t *testing.T) {
	dir := quick(t)
	for range 2*epochsKept + 1 {
		o := open(t, dir, DefaultConfig())
		items, err := o.Commit(t.Context(), draft(1))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := o.Receive(t.Context(), event.Receipt{Epoch: items[0].Epoch, Through: 1}); err != nil {
			t.Fatal(err)
		}
		if _, err := o.Expire(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(o.terms); n > epochsKept+1 {
			t.Fatalf("%d epochs are kept", n)
		}
		o.Close()
	}
	for range 5 { // starts that commit nothing
		open(t, dir, DefaultConfig()).Close()
	}
	o := open(t, dir, DefaultConfig())
	if n := len(o.Epochs()); n != epochsKept {
		t.Errorf("%d epochs are told", n)
	}
}

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
	o.bearWitness(true)
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
			r.Fatalf("%d of %d are kept, %d renumbered; %+v, told %+v", got, n, renumbered, s, o.Troubles())
		}
		if got < n && len(o.Troubles()) == 0 {
			r.Fatalf("%d of %d are kept, and nobody is told", got, n)
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
					if err != nil && !errors.Is(err, ErrGone) && !errors.Is(err, errCorrupt) && !errors.Is(err, errNonsense) {
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
			told := len(o.Troubles()) > 0 || s.Dropped > 0
			o.Close()
			if corrupt {
				continue
			}
			if lost > 0 && !told {
				r.Fatalf("%d of %d items are lost, and nobody is told: %+v", lost, n, s)
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
		t.Errorf("%d are kept, told %+v", got, o.Troubles())
	}
}

func TestADatabaseThatLostItsLastWritesIsToldOfAndTheCloudIsAsked(t *testing.T) {
	dir, _, epoch := left(t, 40)
	wal := databasePath(dir) + "-wal"
	look, err := lookAtWAL(wal, 4096)
	if err != nil || look.good != look.end || look.damaged || look.torn {
		t.Fatalf("%+v %v", look, err)
	}
	if err := os.Truncate(wal, walHeader+int64(look.good*2/3)*(walFrame+4096)); err != nil {
		t.Fatal(err)
	}
	o := open(t, dir, DefaultConfig())
	told := troubleOf(o, Truncated)
	if told == nil || told.Epoch != epoch || told.To != 40 || told.Items != 40-told.From+1 || len(alerts(t, o)) != 1 {
		t.Fatalf("told %+v", o.Troubles())
	}
	if s := balanced(t, o); s.Committed != 41 || s.Dropped != told.Items {
		t.Errorf("%+v", s)
	}
	// The cloud has some of what is missing: the rest is lost, and told so.
	now := time.Now()
	o.now = func() time.Time { return now }
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: epoch, Through: 38}); err != nil {
		t.Fatal(err)
	}
	now = now.Add(2 * hearing)
	if n, err := o.Report(t.Context()); n != 2 || err != nil {
		t.Fatalf("told of %d, %v", n, err)
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

func TestADatabaseThatIsGoneIsToldOf(t *testing.T) {
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
			told := troubleOf(o, Missing)
			if told == nil || told.Items != 80 || told.Epoch != epoch || told.To != 80 || !strings.Contains(told.Text, "1 files") || len(alerts(t, o)) != 1 {
				t.Fatalf("told %+v", o.Troubles())
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
		t.Errorf("%d are kept, told %+v", got, o.Troubles())
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
		t.Errorf("%d are kept, told %+v", got, o.Troubles())
	}
	if _, err := os.Stat(salvageFile(dir)); err == nil {
		t.Error("the next start would salvage again")
	}
}

func TestADiskThatTakesNoWritesIsOneStateAndLosesNoReceipt(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	if _, err := o.Commit(t.Context(), draft(1), draft(2)); err != nil {
		t.Fatal(err)
	}
	broken := make(chan struct{})
	o.disk = func() error {
		select {
		case <-broken:
			return nil
		default:
			return unix.EROFS
		}
	}
	for range 20 {
		if n, err := o.Receive(t.Context(), event.Receipt{Epoch: o.Epoch(), Through: 1}); n != 0 || err != nil {
			t.Fatal(n, err)
		}
		if a := <-o.Submit(t.Context(), draft(3)); !errors.Is(a.Err, ErrDisk) {
			t.Fatal(a.Err)
		}
	}
	if o.Waits(1) || !o.Waits(2) {
		t.Error("what the cloud has would be sent again")
	}
	if told := o.Troubles(); len(told) != 1 || told[0].Kind != ReadOnly {
		t.Errorf("%+v", told)
	}
	committed := make(chan error, 1)
	go func() { _, err := o.Commit(t.Context(), draft(4)); committed <- err }()
	close(broken)
	if err := <-committed; err != nil {
		t.Fatal(err)
	}
	if _, err := o.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	for len(alerts(t, o)) == 0 {
		time.Sleep(time.Millisecond)
	}
	if s := balanced(t, o); s.Received != 1 || s.Waiting != 3 || len(o.Troubles()) != 0 {
		t.Errorf("%+v %+v", s, o.Troubles())
	}
}
