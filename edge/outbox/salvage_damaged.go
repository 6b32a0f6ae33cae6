package outbox

import (
	"database/sql"
	"os"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// damagedBuffer is a corrupt database that was moved aside.
type damagedBuffer struct {
	path           string // where it is kept as it was found
	repaired       string // a copy by whose log SQLite goes on; empty: none is needed
	db             *sql.DB
	segments       string // a folder of links to the segments that it names
	witness        witness
	checksumColumn string // of the rows; "0" in databases of earlier programs
	counts         Stats
	counted        bool // counts are plausible
	terms          terms
	last           uint64 // the highest number of an intact row
}

// openDamaged keeps the segments of a corrupt database, which the new one would remove, and reads how
// it stood.
func openDamaged(p *opening, folder string) *damagedBuffer {
	w := &damagedBuffer{path: p.damaged, segments: p.damaged + "-segments", witness: p.witness, checksumColumn: "mark"}
	files, _ := filepath.Glob(filepath.Join(folder, "*.seg"))
	if os.MkdirAll(w.segments, 0o700) == nil {
		for _, f := range files {
			_ = os.Link(f, filepath.Join(w.segments, filepath.Base(f))) // a payload that is not there is lost
		}
	}
	from := w.path
	if p.wal.end > p.wal.good || p.wal.headBad && p.wal.end > 0 || isEmpty(w.path) {
		if err := w.repairLog(p.wal); err != nil {
			p.log.Error("the outbox's damaged write-ahead log can't be read behind the damage", "file", w.path+"-wal", telemetry.Err, err)
		} else {
			from = w.repaired
		}
	}
	w.db, _ = sql.Open("sqlite", durable.SQLiteURI(from)+"?mode=ro&_pragma=busy_timeout(1000)")
	w.readCounts()
	w.readTerms()
	payloads := &segments{dir: w.segments, files: map[uint64]*os.File{}}
	defer payloads.close()
	for i := range w.items(payloads) {
		if w.intact(i) {
			w.last = max(w.last, i.own)
		}
	}
	return w
}

func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0
}

// repairLog makes a copy by whose log SQLite goes on behind the damage.
func (w *damagedBuffer) repairLog(l walState) error {
	w.repaired = w.path + ".mended"
	w.removeRepaired()
	_, pages := pageSizeOf(w.path)
	var err error
	if isEmpty(w.path) { // SQLite would remove the log of an empty database
		if err = os.WriteFile(w.repaired, nil, 0o600); err == nil {
			err = os.Truncate(w.repaired, int64(l.pages)*int64(l.head.page))
		}
	} else {
		err = os.Link(w.path, w.repaired)
	}
	if err == nil {
		err = repairWAL(w.path+"-wal", w.repaired+"-wal", l, pages)
	}
	return err
}

func (w *damagedBuffer) removeRepaired() {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(w.repaired + suffix)
	}
}

func (w *damagedBuffer) close() {
	w.db.Close()
	if w.repaired != "" {
		w.removeRepaired()
	}
	os.RemoveAll(w.segments)
}

func (w *damagedBuffer) readCounts() {
	c := &w.counts
	var first event.Epoch
	err := w.db.QueryRow("SELECT epoch, committed, received, dropped, waiting, bytes FROM counts").Scan(&first, &c.Committed, &c.Received, &c.Dropped, &c.Waiting, &c.Bytes)
	w.counted = err == nil && c.Committed == c.Received+c.Dropped+c.Waiting && c.Committed < 1<<40
	if w.counted && c.Committed < w.witness.Committed { // it had lost its last writes besides
		w.counts.Waiting += w.witness.Committed - c.Committed
		w.counts.Committed = w.witness.Committed
	}
	var version int
	if w.db.QueryRow("PRAGMA user_version").Scan(&version) == nil && version == oneFormat && !w.has("SELECT mark FROM items LIMIT 0") {
		w.checksumColumn = "0"
		if err == nil && w.counted && first.Valid() {
			w.terms = terms{{epoch: first, first: 1, waiting: int64(c.Waiting)}}
		}
	}
}

func (w *damagedBuffer) has(query string) bool {
	rows, err := w.db.Query(query)
	if err == nil {
		rows.Close()
	}
	return err == nil
}

// readTerms puts the epochs together from the database and from the witness file, which has a
// checksum and is right where the two differ.
func (w *damagedBuffer) readTerms() {
	all := map[uint64]term{}
	for _, t := range w.terms {
		all[t.first] = t
	}
	if rows, err := w.db.Query("SELECT epoch, first, waiting FROM epochs ORDER BY first"); err == nil {
		for rows.Next() {
			var t term
			if rows.Scan(&t.epoch, &t.first, &t.waiting) == nil && t.epoch.Valid() && t.first > 0 && t.first < 1<<40 {
				all[t.first] = t
			}
		}
		rows.Close()
	}
	for _, t := range w.witness.terms() {
		for first, other := range all {
			if other.epoch == t.epoch && first != t.first {
				delete(all, first)
			}
		}
		t.waiting = all[t.first].waiting
		all[t.first] = t
	}
	w.terms = sorted(all)
}
