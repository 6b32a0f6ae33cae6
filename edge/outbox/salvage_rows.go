package outbox

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/event"
)

var bg = context.Background()

func sorted(all map[uint64]term) (t terms) {
	for _, first := range slices.Sorted(maps.Keys(all)) {
		t = append(t, all[first])
	}
	return t
}

// widestStride is how far to go on at most where a page can't be read.
const widestStride = 1 << 16

// items gives what can be read and has the right bytes, row by row; where a page is broken it goes on
// behind it.
func (w *damagedBuffer) items(files *segments) iter.Seq[stored] {
	return func(yield func(stored) bool) {
		var last uint64
		if w.db.QueryRow("SELECT max(seq) FROM items").Scan(&last) != nil {
			last = 1 << 24 // as far as the search goes where even that is broken
		}
		last = min(last, w.farthest())
		for from, stride := uint64(1), uint64(1); from <= last; {
			got, on, err := w.read(from, files, yield)
			if got >= from {
				from, stride = got+1, 1
			}
			if err == nil || !on {
				return
			}
			from += stride
			stride = min(stride*2, widestStride)
		}
	}
}

// farthest bounds the search for rows where pages can't be read: a number with a flipped bit would make
// it endless.
func (w *damagedBuffer) farthest() uint64 {
	far := max(w.witness.Committed, 1<<24) + 1<<20
	if w.counted {
		far = max(far, w.counts.Committed)
	}
	return far
}

func (w *damagedBuffer) columns() string {
	return strings.Replace(itemColumns, "mark", w.checksumColumn, 1)
}

// read gives the rows from that number on until one can't be read, and the last it came to.
func (w *damagedBuffer) read(from uint64, files *segments, yield func(stored) bool) (last uint64, on bool, err error) {
	rows, err := w.db.Query(w.columns()+"WHERE i.seq>=? ORDER BY i.seq", from)
	if err != nil {
		return 0, true, err
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scanItem(rows)
		if i.own > 0 {
			last = i.own
		}
		if err != nil {
			return last, true, err
		}
		if w.fill(&i, files) != nil {
			continue
		}
		if !yield(i) {
			return last, false, nil
		}
	}
	return last, true, rows.Err()
}

// fill reads an item's data where that is not in the database, and compares it.
func (w *damagedBuffer) fill(i *stored, files *segments) (err error) {
	if i.at.segment != 0 {
		if i.at.bytes < 0 || i.at.bytes > segmentBytes {
			return errCorrupt
		}
		if i.Data, err = files.read(i.at); err != nil {
			return err
		}
	}
	if event.Sum(i.Data) != i.SHA256 {
		return errCorrupt
	}
	return nil
}

func (w *damagedBuffer) one(own uint64, files *segments) (stored, error) {
	i, err := scanItem(w.db.QueryRow(w.columns()+"WHERE i.seq=?", own))
	if err == nil {
		err = w.fill(&i, files)
	}
	return i, err
}

// dropRow is one of the ledger's rows.
type dropRow struct {
	own                  uint64
	kind, stream, reason string
	bytes, at, checksum  int64
}

// drops gives what can be read of the ledger.
func (w *damagedBuffer) drops() iter.Seq[dropRow] {
	return func(yield func(dropRow) bool) {
		rows, err := w.db.Query("SELECT seq, kind, stream, bytes, reason, at, " + w.checksumColumn + " FROM ledger ORDER BY seq")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() {
			var e dropRow
			if rows.Scan(&e.own, &e.kind, &e.stream, &e.bytes, &e.reason, &e.at, &e.checksum) == nil && !yield(e) {
				return
			}
		}
	}
}

// keys gives what can be read of the keys under which something was committed.
func (w *damagedBuffer) keys() iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		rows, err := w.db.Query("SELECT key, seq FROM keys")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() {
			var key string
			var seq uint64
			if rows.Scan(&key, &seq) == nil && !yield(key, seq) {
				return
			}
		}
	}
}

// marks gives what can be read of the notes of sources. Each source checks its own.
func (w *damagedBuffer) marks() iter.Seq[Mark] {
	return func(yield func(Mark) bool) {
		rows, err := w.db.Query("SELECT name, value FROM marks")
		if err != nil {
			return
		}
		defer rows.Close()
		for rows.Next() {
			var m Mark
			if rows.Scan(&m.Name, &m.Value) == nil && m.Value != nil && !yield(m) {
				return
			}
		}
	}
}

// What was found wrong while running.
const (
	suspectPages = "pages" // that SQLite could not read: the next start checks each
	suspectRows  = "rows"  // that are not as they were written: the next start salvages
)

func markSuspect(dir, what string) {
	_ = os.WriteFile(suspectFile(dir), fmt.Appendf(nil, "%s %s\n", what, time.Now().UTC().Format(time.RFC3339)), 0o600)
}

func isSuspect(dir, what string) bool {
	b, err := os.ReadFile(suspectFile(dir))
	return err == nil && strings.HasPrefix(string(b), what)
}
