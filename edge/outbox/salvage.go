package outbox

import (
	"database/sql"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
)

// wreckage is a corrupt database that was moved aside.
type wreckage struct {
	path     string // where it is kept as it was found
	mended   string // a copy by whose log SQLite goes on; empty: none is needed
	db       *sql.DB
	segments string // a folder of links to the segments that it names
	witness  witness
	mark     string // the column of the marks; "0" in databases of earlier programs
	counts   Stats
	counted  bool // counts can be believed
	terms    terms
	last     uint64 // the highest number of a row that is believed
}

// openWreckage keeps the segments of a corrupt database, which the new one would remove, and reads how
// it stood.
func openWreckage(p *opening, folder string) *wreckage {
	w := &wreckage{path: p.wreck, segments: p.wreck + "-segments", witness: p.witness, mark: "mark"}
	files, _ := filepath.Glob(filepath.Join(folder, "*.seg"))
	if os.MkdirAll(w.segments, 0o700) == nil {
		for _, f := range files {
			_ = os.Link(f, filepath.Join(w.segments, filepath.Base(f))) // a payload that is not there is lost
		}
	}
	from := w.path
	if p.look.end > p.look.good || p.look.headBad && p.look.end > 0 || isEmpty(w.path) {
		if err := w.mend(p.look); err != nil {
			p.log.Error("the damaged log of the outbox can't be read on", "file", w.path+"-wal", "problem", err)
		} else {
			from = w.mended
		}
	}
	w.db, _ = sql.Open("sqlite", durable.SQLiteURI(from)+"?mode=ro&_pragma=busy_timeout(1000)")
	w.readCounts()
	w.readTerms()
	payloads := &segments{dir: w.segments, files: map[uint64]*os.File{}}
	defer payloads.close()
	for i := range w.items(payloads) {
		if w.believes(i) {
			w.last = max(w.last, i.own)
		}
	}
	return w
}

func isEmpty(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == 0
}

// mend makes a copy by whose log SQLite goes on behind the damage.
func (w *wreckage) mend(l walLook) error {
	w.mended = w.path + ".mended"
	w.unmend()
	_, pages := pageSizeOf(w.path)
	var err error
	if isEmpty(w.path) { // SQLite would remove the log of an empty database
		if err = os.WriteFile(w.mended, nil, 0o600); err == nil {
			err = os.Truncate(w.mended, int64(l.pages)*int64(l.head.page))
		}
	} else {
		err = os.Link(w.path, w.mended)
	}
	if err == nil {
		err = mendWAL(w.path+"-wal", w.mended+"-wal", l, pages)
	}
	return err
}

func (w *wreckage) unmend() {
	for _, suffix := range []string{"", "-wal", "-shm"} {
		os.Remove(w.mended + suffix)
	}
}

func (w *wreckage) close() {
	w.db.Close()
	if w.mended != "" {
		w.unmend()
	}
	os.RemoveAll(w.segments)
}

func (w *wreckage) readCounts() {
	c := &w.counts
	var life event.Epoch
	err := w.db.QueryRow("SELECT epoch, committed, received, dropped, waiting, bytes FROM counts").Scan(&life, &c.Committed, &c.Received, &c.Dropped, &c.Waiting, &c.Bytes)
	w.counted = err == nil && c.Committed == c.Received+c.Dropped+c.Waiting && c.Committed < 1<<40
	if w.counted && c.Committed < w.witness.Committed { // it had lost its last writes besides
		w.counts.Waiting += w.witness.Committed - c.Committed
		w.counts.Committed = w.witness.Committed
	}
	var version int
	if w.db.QueryRow("PRAGMA user_version").Scan(&version) == nil && version == oneFormat && !w.has("SELECT mark FROM items LIMIT 0") {
		w.mark = "0"
		if err == nil && w.counted && life.Valid() {
			w.terms = terms{{epoch: life, first: 1, waiting: int64(c.Waiting)}}
		}
	}
}

func (w *wreckage) has(query string) bool {
	rows, err := w.db.Query(query)
	if err == nil {
		rows.Close()
	}
	return err == nil
}

// readTerms puts the epochs together from the database and from what was noted beside it, which has a
// checksum and is believed where the two differ.
func (w *wreckage) readTerms() {
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

// Salvaged is what became of a corrupt buffer, in the data of the alert that tells of it.
type Salvaged struct {
	Epoch     event.Epoch `json:"epoch,omitempty"` // the last of the corrupt buffer, where it could be read
	File      string      `json:"file"`            // where it is kept
	Salvaged  uint64      `json:"salvaged"`        // items that wait on
	Renamed   uint64      `json:"renumbered"`      // of them: whose number could not be believed, and that were given another
	Lost      uint64      `json:"lost"`            // items that waited and could not be read
	LostAtAll bool        `json:"unknown"`         // it can't be told how many were lost
}

// base is how the new database begins: with every number used that was used before.
func (w *wreckage) base() adoption {
	a := adoption{terms: w.terms, committed: max(w.witness.Committed, w.last)}
	if w.counted {
		a.committed = max(a.committed, w.counts.Committed)
	}
	if n := len(a.terms); n > 0 {
		a.committed = max(a.committed, a.terms[n-1].first)
	}
	a.received = a.committed // until it is known better
	return a
}

// believes says whether an item's row is as it was written, by its mark.
func (w *wreckage) believes(i stored) bool {
	if i.mark == 0 || i.own == 0 {
		return false
	}
	item := i.Item
	item.Epoch, item.Seq = w.terms.place(i.own)
	return item.Epoch != "" && i.marked(item)
}

// salvage takes over what can be read of a corrupt database, and tells of it. What is as it was
// written, by its mark, keeps its epoch and number; of the rest what has the right bytes is committed
// anew, with its id.
func (o *Outbox) salvage(w *wreckage) error {
	files := &segments{dir: w.segments, files: map[uint64]*os.File{}}
	defer files.close()
	kept := map[event.Epoch]int64{}
	var batch, doubtful []stored
	bytes, n := 0, uint64(0)
	putBack := func() error {
		put, err := o.restoreAll(batch, w.segments)
		for _, i := range put {
			epoch, _ := w.terms.place(i.own)
			kept[epoch]++
			n++
		}
		batch, bytes = nil, 0
		o.putBack()
		return err
	}
	for i := range w.items(files) {
		if !w.believes(i) {
			if i.Kind != event.Ack { // a report of drops speaks of numbers, which are not believed
				i.Data = nil
				doubtful = append(doubtful, i)
			}
			continue
		}
		batch = append(batch, i)
		if bytes += len(i.Data); len(batch) == maxBatch || bytes >= maxBatchBytes {
			if err := putBack(); err != nil {
				return err
			}
		}
	}
	if err := putBack(); err != nil {
		return err
	}
	if err := o.putLedgerBack(w); err != nil {
		return err
	}
	told := Salvaged{File: filepath.Base(w.path), LostAtAll: !w.counted}
	if t := w.terms; len(t) > 0 {
		told.Epoch = t[len(t)-1].epoch
	}
	if err := o.settleCounts(w, kept, n); err != nil {
		return err
	}
	told.Renamed = o.commitAgain(w.drafts(doubtful, files))
	told.Salvaged = n + told.Renamed
	if w.counted {
		told.Lost = w.counts.Waiting - min(w.counts.Waiting, told.Salvaged)
	}
	o.log.Error("the corrupt outbox was salvaged", "file", w.path, "epoch", told.Epoch, "salvaged", told.Salvaged, "renumbered", told.Renamed, "lost", told.Lost, "unknown", told.LostAtAll)
	o.found = append(o.found, event.Trouble{Kind: Corrupt, Epoch: told.Epoch, Items: told.Lost, Text: told.text()})
	o.alert("salvaged", told)
	o.putBack()
	return nil
}

func (s Salvaged) text() string {
	lost := fmt.Sprintf("%d could not be read", s.Lost)
	if s.LostAtAll {
		lost = "how many could not be read is not known"
	}
	return fmt.Sprintf("the buffer's database was damaged; it is kept as %s. %d items that waited wait on, %d of them under other numbers; %s. "+
		"What is in the cloud besides is not lost. Disks seldom fail once: look at `dmesg`, and replace it", s.File, s.Salvaged, s.Renamed, lost)
}

// restoreAll puts rows back, each alone where one of them does not let itself be put back: a damaged
// index may give a row twice. A disk without room ends it; the next start begins the salvage anew.
func (o *Outbox) restoreAll(rows []stored, links string) (put []stored, err error) {
	restore := func(rows []stored) error {
		return o.change(bg, func(s *step) error {
			for _, i := range rows {
				if err := s.restore(i, links); err != nil {
					return fmt.Errorf("put item %d back: %w", i.own, err)
				}
			}
			return nil
		})
	}
	if err = restore(rows); err == nil {
		return rows, nil
	}
	for n := range rows {
		switch err := restore(rows[n : n+1]); {
		case err == nil:
			put = append(put, rows[n])
		case isFull(err) || isDisk(err):
			return put, err
		default:
			o.log.Error("an item of the corrupt outbox was read and could not be put back", "problem", err)
		}
	}
	return put, nil
}

// restore puts a row back as it was. Larger payloads stay where they are.
func (s *step) restore(i stored, links string) error {
	item := i.Item
	item.Epoch, item.Seq = s.terms().place(i.own)
	if i.Priority > event.Low {
		i.Priority = event.Normal
	}
	d := i.draft()
	committed := time.Unix(0, i.committed)
	if i.at.segment == 0 {
		s.p.stats.Received--
		return s.write(i.own, item, d, committed)
	}
	name := filepath.Base(s.o.segments.path(i.at.segment))
	if err := os.Link(filepath.Join(links, name), s.o.segments.path(i.at.segment)); err != nil && !os.IsExist(err) {
		return fmt.Errorf("keep segment %d: %w", i.at.segment, err)
	}
	s.p.stats.Received--
	s.p.segments[i.at.segment]++
	return s.enterRow(i.own, item, d, committed, i.at)
}

func (i stored) draft() Draft {
	d := Draft{Kind: i.Kind, Stream: i.Stream, Subject: i.Subject, Time: i.Time, Priority: i.Priority, Rung: i.rung, Value: i.value,
		Attrs: i.Attrs, Type: i.Type, Data: i.Data}
	if i.expires > 0 {
		d.Expires = time.Unix(0, i.expires)
	}
	return d
}

// settleCounts makes the counts right, and asks the cloud for what is not accounted for: how many of
// each epoch were put back is known.
func (o *Outbox) settleCounts(w *wreckage, kept map[event.Epoch]int64, n uint64) error {
	var ledger uint64
	if err := o.db.QueryRow("SELECT count(*) FROM ledger").Scan(&ledger); err != nil {
		return err
	}
	dropped, owed := max(ledger, w.witness.Dropped), int64(0)
	if w.counted {
		dropped, owed = w.counts.Dropped, int64(w.counts.Waiting)-int64(n)
	} else if w.witness.Waiting > n {
		owed = int64(w.witness.Waiting - n)
	}
	owed = max(owed, 0)
	return o.change(bg, func(s *step) error {
		c := &s.p.stats
		c.Dropped = min(dropped+uint64(owed), c.Committed-c.Waiting)
		c.Received = c.Committed - c.Waiting - c.Dropped
		if owed == 0 && w.counted {
			return nil
		}
		gaps := wholeGaps(w.terms, w.base().committed, owed)
		if byEpoch := w.owedByEpoch(kept); byEpoch != nil {
			for epoch, g := range gaps {
				g.owed = byEpoch[epoch]
				gaps[epoch] = g
			}
		}
		for epoch, g := range gaps {
			if err := s.exec("INSERT OR REPLACE INTO gaps VALUES (?,?,?,?)", string(epoch), g.low, g.high, g.owed); err != nil {
				return err
			}
			o.mu.Lock()
			o.gaps[epoch] = g
			o.mu.Unlock()
		}
		return nil
	})
}

// owedByEpoch is what of each epoch waited and was not put back; nil where that is not known.
func (w *wreckage) owedByEpoch(kept map[event.Epoch]int64) map[event.Epoch]int64 {
	owed, sum := map[event.Epoch]int64{}, int64(0)
	for _, t := range w.terms {
		sum += t.waiting
		if owed[t.epoch] = t.waiting - kept[t.epoch]; t.waiting < kept[t.epoch] {
			return nil
		}
	}
	if !w.counted || sum != int64(w.counts.Waiting) {
		return nil
	}
	return owed
}

// putLedgerBack takes over the ledger, as far as its entries are as they were written, and the keys. It
// goes as far as it comes: an entry that is missing is found as a gap, and without its key a source is
// read again.
func (o *Outbox) putLedgerBack(w *wreckage) error {
	var batch []func(*step) error
	put := func() error {
		do := batch
		batch = nil
		err := o.change(bg, func(s *step) error {
			for _, one := range do {
				if err := one(s); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil && !isFull(err) && !isDisk(err) {
			o.log.Warn("some of the corrupt outbox's ledger and keys could not be taken over", "problem", err)
			return nil
		}
		return err
	}
	add := func(one func(*step) error) error {
		if batch = append(batch, one); len(batch) < deletesAtOnce {
			return nil
		}
		return put()
	}
	for row := range w.ledger() {
		err := add(func(s *step) error {
			epoch, seq := s.terms().place(row.own)
			if row.own > s.p.stats.Committed || row.mark != dropMark(row.own, epoch, seq, row.reason) {
				return nil
			}
			// told anew: a report that told of it may be lost
			return s.exec("INSERT OR IGNORE INTO ledger (seq, kind, stream, bytes, reason, at, reported, mark) VALUES (?,?,?,?,?,?,0,?)",
				row.own, row.kind, row.stream, row.bytes, row.reason, row.at, row.mark)
		})
		if err != nil {
			return err
		}
	}
	for key, seq := range w.keys() {
		err := add(func(s *step) error {
			if seq == 0 || seq > s.p.stats.Committed {
				return nil
			}
			return s.exec("INSERT OR IGNORE INTO keys VALUES (?,?)", key, seq)
		})
		if err != nil {
			return err
		}
	}
	return put()
}

// commitAgain commits items anew a transaction's worth at a time, and says how many.
func (o *Outbox) commitAgain(items iter.Seq[request]) (n uint64) {
	var under []request
	bytes := 0
	settle := func() {
		for _, r := range under {
			if a := <-r.answer; a.Err != nil {
				o.log.Error("an item of the corrupt outbox was read and could not be committed again", "problem", a.Err)
			} else {
				n++
			}
		}
		under, bytes = under[:0], 0
		o.putBack()
	}
	for r := range items {
		o.ask <- r
		under = append(under, r)
		if bytes += len(r.draft.Data); len(under) == maxBatch || bytes >= maxBatchBytes {
			settle()
		}
	}
	settle()
	return n
}

// drafts are items to be committed anew, with their data read once more.
func (w *wreckage) drafts(items []stored, files *segments) iter.Seq[request] {
	return func(yield func(request) bool) {
		for _, i := range items {
			again, err := w.one(i.own, files)
			if err != nil {
				continue
			}
			d := again.draft()
			if d.Priority > event.Low {
				d.Priority = event.Normal
			}
			id := again.ID
			if id.IsZero() {
				id = ulid.ULID{}
			}
			if !yield(request{draft: d, id: id, sum: again.SHA256, drop: true, answer: make(chan Answer, 1)}) {
				return
			}
		}
	}
}

// putBack lets Fresh read from the index what nobody has asked for yet, which is thus not held in
// memory. Only before the outbox is in use.
func (o *Outbox) putBack() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fresh = nil
	o.backlog = &backlog{through: o.stats.Committed}
}
