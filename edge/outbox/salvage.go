package outbox

import (
	"fmt"
	"iter"
	"os"
	"path/filepath"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Salvaged is what became of a corrupt buffer, in the data of its alert.
type Salvaged struct {
	Epoch       event.Epoch `json:"epoch,omitempty"` // the last of the corrupt buffer, where it could be read
	File        string      `json:"file"`            // where it is kept
	Salvaged    uint64      `json:"salvaged"`        // items that wait on
	Renumbered  uint64      `json:"renumbered"`      // of them: those whose row was not intact, and that were given another number
	Lost        uint64      `json:"lost"`            // items that waited and could not be read
	LostUnknown bool        `json:"unknown"`         // nobody knows how many were lost
}

// base is how the new database begins: with every number used that was used before.
func (w *damagedBuffer) base() adoption {
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

// intact says whether an item's row is as it was written, by its checksum.
func (w *damagedBuffer) intact(i stored) bool {
	if i.checksum == 0 || i.own == 0 {
		return false
	}
	item := i.Item
	item.Epoch, item.Seq = w.terms.place(i.own)
	return item.Epoch != "" && i.intact(item)
}

// salvage takes over what can be read of a corrupt database, and reports it. What is as it was
// written, by its checksum, keeps its epoch and number; of the rest what has the right bytes is committed
// anew, with its id.
func (o *Outbox) salvage(w *damagedBuffer) error {
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
		o.restartBacklog()
		return err
	}
	for i := range w.items(files) {
		if !w.intact(i) {
			if i.Kind != event.Ack { // a report of drops speaks of numbers, which may be wrong here
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
	if err := o.restoreDropsAndKeys(w); err != nil {
		return err
	}
	result := Salvaged{File: filepath.Base(w.path), LostUnknown: !w.counted}
	if t := w.terms; len(t) > 0 {
		result.Epoch = t[len(t)-1].epoch
	}
	if err := o.settleCounts(w, kept, n); err != nil {
		return err
	}
	result.Renumbered = o.recommit(w.drafts(doubtful, files))
	result.Salvaged = n + result.Renumbered
	if w.counted {
		result.Lost = w.counts.Waiting - min(w.counts.Waiting, result.Salvaged)
	}
	o.log.Error("the corrupt outbox was salvaged", "file", w.path, "epoch", result.Epoch, "salvaged", result.Salvaged, "renumbered", result.Renumbered, "lost", result.Lost, "unknown", result.LostUnknown)
	o.found = append(o.found, event.Trouble{Kind: Corrupt, Epoch: result.Epoch, Items: result.Lost, Text: result.text()})
	o.alert("salvaged", result)
	o.restartBacklog()
	return nil
}

func (s Salvaged) text() string {
	lost := fmt.Sprintf("%d could not be read", s.Lost)
	if s.LostUnknown {
		lost = "how many could not be read is not known"
	}
	return fmt.Sprintf("the buffer's database was damaged; it is kept as %s. %d items that waited wait on, %d of them under other numbers; %s. "+
		"What is in the cloud besides is not lost. Disks seldom fail once: look at `dmesg`, and replace it", s.File, s.Salvaged, s.Renumbered, lost)
}

// recommit commits items anew a transaction's worth at a time, and says how many.
func (o *Outbox) recommit(items iter.Seq[request]) (n uint64) {
	var under []request
	bytes := 0
	settle := func() {
		for _, r := range under {
			if a := <-r.answer; a.Err != nil {
				o.log.Error("an item of the corrupt outbox was read and could not be committed again", telemetry.Err, a.Err)
			} else {
				n++
			}
		}
		under, bytes = under[:0], 0
		o.restartBacklog()
	}
	for r := range items {
		o.requests <- r
		under = append(under, r)
		if bytes += len(r.draft.Data); len(under) == maxBatch || bytes >= maxBatchBytes {
			settle()
		}
	}
	settle()
	return n
}

// drafts are items to be committed anew, with their data read once more.
func (w *damagedBuffer) drafts(items []stored, files *segments) iter.Seq[request] {
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
