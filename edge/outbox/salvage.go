package outbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"iter"
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/shared/event"
)

// wreckage is a corrupt database that was moved aside.
type wreckage struct {
	path     string
	db       *sql.DB
	segments string // a folder of links to the segments that it names
}

// openWreckage keeps the segments of a corrupt database, which the new one would remove.
func openWreckage(path, segments string) *wreckage {
	w := &wreckage{path: path, segments: path + "-segments"}
	files, _ := filepath.Glob(filepath.Join(segments, "*.seg"))
	if os.MkdirAll(w.segments, 0o700) == nil {
		for _, f := range files {
			_ = os.Link(f, filepath.Join(w.segments, filepath.Base(f))) // a payload that is not there is lost
		}
	}
	w.db, _ = sql.Open("sqlite", "file:"+path+"?mode=ro&_pragma=busy_timeout(1000)")
	return w
}

// Salvaged is what became of a corrupt buffer, in the data of the alert that tells of it.
type Salvaged struct {
	Epoch     event.Epoch `json:"epoch,omitempty"` // of the corrupt buffer, where it could be read
	File      string      `json:"file"`            // where it is kept
	Salvaged  uint64      `json:"salvaged"`        // items that were committed again, with new numbers
	Lost      uint64      `json:"lost"`            // items that waited and could not be read
	LostAtAll bool        `json:"unknown"`         // it can't be told how many were lost
}

// salvage commits again what can be read of a corrupt database, and tells of it.
func (o *Outbox) salvage(w *wreckage) {
	defer os.RemoveAll(w.segments)
	defer w.db.Close()
	told := Salvaged{File: filepath.Base(w.path)}
	var waiting uint64
	err := w.db.QueryRow("SELECT epoch, waiting FROM counts").Scan(&told.Epoch, &waiting)
	told.LostAtAll = err != nil
	files := &segments{dir: w.segments, files: map[uint64]*os.File{}}
	defer files.close()
	told.Salvaged = o.commitAgain(w.items(files))
	if !told.LostAtAll {
		told.Lost = waiting - min(waiting, told.Salvaged)
	}
	o.log.Error("the corrupt outbox was salvaged", "file", w.path, "epoch", told.Epoch, "salvaged", told.Salvaged, "lost", told.Lost, "unknown", told.LostAtAll)
	data, err := json.Marshal(told)
	if err != nil {
		return
	}
	<-o.Submit(context.Background(), Draft{Kind: event.Alert, Stream: "outbox", Subject: "outbox/salvaged", Priority: event.Urgent, Value: 1,
		Type: "application/json", Data: data})
	o.putBack()
}

// commitAgain commits drafts a transaction's worth at a time, and says how many.
func (o *Outbox) commitAgain(drafts iter.Seq[Draft]) (n uint64) {
	var under []<-chan Answer
	bytes := 0
	settle := func() {
		for _, answer := range under {
			if a := <-answer; a.Err != nil {
				o.log.Error("an item of the corrupt outbox was read and could not be committed again", "problem", a.Err)
			} else {
				n++
			}
		}
		under, bytes = under[:0], 0
		o.putBack()
	}
	for d := range drafts {
		under = append(under, o.Submit(context.Background(), d))
		if bytes += len(d.Data); len(under) == maxBatch || bytes >= maxBatchBytes {
			settle()
		}
	}
	settle()
	return n
}

// putBack lets Fresh read from the index what nobody has asked for yet, which is thus not held in
// memory. Only before the outbox is in use.
func (o *Outbox) putBack() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fresh = nil
	o.backlog = &backlog{through: o.stats.Committed}
}

// widestStride is how far to go on at most where a page can't be read.
const widestStride = 1 << 16

// items gives what can be read, row by row; where a page is broken it goes on behind it.
func (w *wreckage) items(files *segments) iter.Seq[Draft] {
	return func(yield func(Draft) bool) {
		var last uint64
		if w.db.QueryRow("SELECT max(seq) FROM items").Scan(&last) != nil {
			last = 1 << 24 // as far as is looked where even that is broken
		}
		for from, stride := uint64(1), uint64(1); from <= last; {
			got, err := w.read(from, files, yield)
			if got >= from {
				from, stride = got+1, 1
			}
			if err == nil {
				return
			}
			from += stride
			stride = min(stride*2, widestStride)
		}
	}
}

// read gives the rows from that number on until one can't be read, and the last it came to.
func (w *wreckage) read(from uint64, files *segments, yield func(Draft) bool) (last uint64, err error) {
	rows, err := w.db.Query(itemColumns+"WHERE i.seq>=? ORDER BY i.seq", from)
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		i, err := scanItem(rows)
		if i.Seq > 0 {
			last = i.Seq
		}
		if err != nil {
			return last, err
		}
		if i.at.segment != 0 {
			if i.Data, err = files.read(i.at); err != nil {
				continue
			}
		}
		if event.Sum(i.Data) != i.SHA256 || i.Kind == event.Ack { // a report speaks of numbers that are no more
			continue
		}
		d := Draft{Kind: i.Kind, Stream: i.Stream, Subject: i.Subject, Time: i.Time, Priority: i.Priority, Rung: i.rung, Value: i.value,
			Attrs: i.Attrs, Type: i.Type, Data: i.Data}
		if i.expires > 0 {
			d.Expires = time.Unix(0, i.expires)
		}
		if !yield(d) {
			return last, nil
		}
	}
	return last, rows.Err()
}

// markSuspect makes the next start look at every page.
func markSuspect(dir string) {
	_ = os.WriteFile(suspectFile(dir), []byte(time.Now().UTC().Format(time.RFC3339)+"\n"), 0o600)
}
