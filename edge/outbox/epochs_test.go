package outbox

import (
	"bytes"
	"database/sql"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

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
	reported, err := o.Load(o.Stats().Committed)
	if err != nil {
		t.Fatal(err)
	}
	report, err := event.ParseDropReport(reported)
	if err != nil || len(report.Drops) != 0 || len(report.Earlier) != 1 || report.Earlier[0].Epoch != "abcdef0123456789" || report.Earlier[0].Drops[0].Seq != 5 {
		t.Errorf("the drop is reported as %s, %v", reported.Data, err)
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
	if reported := troubleOf(o, Older); reported == nil || reported.Epoch != old || reported.From != 3 || reported.To != 5 || reported.Items != 3 {
		t.Errorf("got %+v", o.Troubles())
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
		t.Errorf("seen to, and still reported: %+v %v", o.Troubles(), err)
	}
	if _, err := o.Receive(t.Context(), event.Receipt{Epoch: old, Through: 9}); err != nil || len(o.Troubles()) != 0 || len(alerts(t, o)) != 1 {
		t.Errorf("seen to, and reported again: %+v %v", o.Troubles(), err)
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
				t.Fatalf("epoch %s as before, got %+v", o.Epoch(), o.Troubles())
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

func TestATwinIsReportedOnceAndNothingIsRefused(t *testing.T) {
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

func TestAReportOfDropsIsNotMovedButMadeAnew(t *testing.T) {
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
	reported, err := o.Load(o.Stats().Committed)
	if err != nil {
		t.Fatal(err)
	}
	report, err := event.ParseDropReport(reported)
	if err != nil || len(report.Drops) != 0 || len(report.Earlier) != 1 || report.Earlier[0].Epoch != old || len(report.Earlier[0].Drops) != 3 {
		t.Errorf("%s %v", reported.Data, err)
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
		t.Errorf("%d epochs are reported", n)
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
	if reported := o.Troubles(); len(reported) != 1 || reported[0].Kind != ReadOnly {
		t.Errorf("%+v", reported)
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
