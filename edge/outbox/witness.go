package outbox

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// witness is what the buffer has noted of itself in a file beside the database: a database that is
// missing, empty, or behind it has lost something. It is written at the start, at the end, and every
// few seconds between; what was committed since is not in it.
type witness struct {
	Format    int           `json:"format"`
	Life      event.Epoch   `json:"life"` // the database's id
	Epochs    []witnessTerm `json:"epochs"`
	Committed uint64        `json:"committed"`
	Received  uint64        `json:"received"`
	Dropped   uint64        `json:"dropped"`
	Waiting   uint64        `json:"waiting"`
	Time      time.Time     `json:"time"`
	Sum       string        `json:"sum"` // of the rest
}

type witnessTerm struct {
	Epoch event.Epoch `json:"epoch"`
	First uint64      `json:"first"` // in the buffer's own numbers
}

const witnessEvery = 5 * time.Second

func witnessFile(dir string) string { return filepath.Join(dir, "witness.json") }

func (w witness) sum() string {
	w.Sum, w.Time = "", w.Time.UTC()
	b, _ := json.Marshal(w)
	s := sha256.Sum256(b)
	return hex.EncodeToString(s[:8])
}

// readWitness reads the file; one that is damaged counts as none.
func readWitness(dir string) (w witness, ok bool) {
	b, err := os.ReadFile(witnessFile(dir))
	if err != nil || json.Unmarshal(b, &w) != nil || w.Sum != w.sum() {
		return witness{}, false
	}
	return w, true
}

func (w witness) terms() (all terms) {
	for _, t := range w.Epochs {
		if t.Epoch.Valid() && t.First > 0 && (len(all) == 0 || t.First > all[len(all)-1].first) {
			all = append(all, term{epoch: t.Epoch, first: t.First})
		}
	}
	return all
}

// writeWitness writes how the buffer stands, where that has changed and was not written just now.
func (o *Outbox) writeWitness(now bool) {
	o.mu.Lock()
	w := witness{Format: format, Life: o.id, Committed: o.stats.Committed, Received: o.stats.Received, Dropped: o.stats.Dropped, Waiting: o.stats.Waiting}
	for n, t := range o.terms {
		if n < len(o.terms)-1 || o.begun {
			w.Epochs = append(w.Epochs, witnessTerm{t.epoch, t.first})
		}
	}
	w.Epochs = w.Epochs[max(0, len(w.Epochs)-epochsKept):]
	last := o.lastWitness
	at := o.now().UTC()
	o.mu.Unlock()
	same := last.Life == w.Life && last.Committed == w.Committed && last.Received == w.Received && last.Dropped == w.Dropped && last.Waiting == w.Waiting && slices.Equal(last.Epochs, w.Epochs)
	if same || !now && at.Sub(last.Time).Abs() < witnessEvery {
		return
	}
	w.Time = at
	w.Sum = w.sum()
	b, err := json.Marshal(w)
	if err == nil {
		err = renameio.WriteFile(witnessFile(o.dir), append(b, '\n'), 0o600)
	}
	o.mu.Lock()
	o.lastWitness = w
	o.mu.Unlock()
	if err != nil {
		o.log.Debug("the outbox's witness file could not be written", "folder", o.dir, telemetry.Err, err)
	}
}

// adoption is what a database takes over: numbers that were used and are not in it.
type adoption struct {
	terms                        terms
	committed, received, dropped uint64
	gaps                         map[event.Epoch]gap
}

// adopt takes over numbers that were used before, so that none is used again and the
// cloud can be asked what became of them. Only before the outbox is in use.
func (o *Outbox) adopt(a adoption) error {
	tx, err := o.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("UPDATE counts SET committed=?, received=?, dropped=?", a.committed, a.received, a.dropped); err != nil {
		return err
	}
	for _, t := range a.terms {
		if _, err := tx.Exec("INSERT OR IGNORE INTO epochs VALUES (?,?,0)", t.first, string(t.epoch)); err != nil {
			return err
		}
	}
	for epoch, g := range a.gaps {
		if _, err := tx.Exec("INSERT OR REPLACE INTO gaps VALUES (?,?,?,?)", string(epoch), g.low, g.high, g.owed); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	o.stats.Committed, o.stats.Received, o.stats.Dropped = a.committed, a.received, a.dropped
	return errors.Join(o.loadEpochs(), o.loadGaps())
}

// wholeGaps are gaps over all numbers of all terms, of which so many are owed in the last.
func wholeGaps(t terms, committed uint64, owed int64) map[event.Epoch]gap {
	gaps := map[event.Epoch]gap{}
	for n := range t {
		if last := t.last(n, committed); last >= t[n].first {
			gaps[t[n].epoch] = gap{low: 1, high: last - (t[n].first - 1)}
		}
	}
	if len(t) > 0 {
		last := gaps[t[len(t)-1].epoch]
		last.owed = owed
		gaps[t[len(t)-1].epoch] = last
	}
	return gaps
}

// compareWitness compares the database with its witness file, and reports what it lacks.
func (o *Outbox) compareWitness(w witness) error {
	if w.Life != o.id {
		if w.Committed == 0 || o.sameHistory(w) {
			return nil // the name alone has changed: a flipped bit in it harms nobody
		}
		o.reportMissing(w, true, "is not the one that was there", 0, 0)
		if o.stats.Committed == 0 {
			return o.takeOver(w)
		}
		return nil
	}
	lacks := w.Committed - min(w.Committed, o.stats.Committed)
	if lacks == 0 {
		return nil
	}
	noted, own := w.terms(), o.terms[:len(o.terms)-1]
	a := adoption{committed: w.Committed, received: o.stats.Received, dropped: o.stats.Dropped + lacks, gaps: map[event.Epoch]gap{}}
	t := event.Trouble{Kind: Truncated, Items: lacks}
	text := ""
	for n, term := range noted {
		last := noted.last(n, w.Committed)
		if last <= o.stats.Committed {
			continue
		}
		if at := own.find(term.epoch); at >= 0 && own[at].first != term.first || at < 0 && term.first <= o.stats.Committed {
			return nil // another history: its numbers can't be compared
		}
		from := max(term.first, o.stats.Committed+1)
		g := gap{low: from - (term.first - 1), high: last - (term.first - 1), owed: int64(last - from + 1)}
		if old, ok := o.gaps[term.epoch]; ok {
			g.low, g.owed = min(g.low, old.low), g.owed+old.owed
		}
		a.terms, a.gaps[term.epoch] = append(a.terms, term), g
		t.Epoch, t.From, t.To = term.epoch, g.low, g.high
		text += fmt.Sprintf(" %d to %d of epoch %s,", g.low, g.high, term.epoch)
	}
	if t.Epoch == "" {
		return nil
	}
	t.Text = fmt.Sprintf("the buffer's database has lost its last writes: at %s it had committed %d items, now %d are in it. Missing are the numbers%s and what was committed after that moment; "+
		"those that are in the cloud are not lost. The disk does not keep what it has promised, or the database was put back from an older copy: look at `dmesg`, and replace the disk",
		w.Time.Format(time.RFC3339), w.Committed, o.stats.Committed, text)
	o.found = append(o.found, t)
	return o.adopt(a)
}

func (o *Outbox) sameHistory(w witness) bool {
	for _, t := range w.terms() {
		if at := o.terms.find(t.epoch); at < 0 || o.terms[at].first != t.first {
			return false
		}
	}
	return o.stats.Committed >= w.Committed
}

// takeOver lets a new database go on with the numbers of one that is gone.
func (o *Outbox) takeOver(w witness) error {
	all := w.terms()
	if len(all) == 0 || w.Committed < all[len(all)-1].first || w.Committed != w.Received+w.Dropped+w.Waiting {
		return nil
	}
	return o.adopt(adoption{terms: all, committed: w.Committed, received: w.Received, dropped: w.Dropped + w.Waiting, gaps: wholeGaps(all, w.Committed, int64(w.Waiting))})
}

// reportMissing reports a database that was there and is gone.
func (o *Outbox) reportMissing(w witness, known bool, was string, segments int, bytes int64) {
	t := event.Trouble{Kind: Missing, Items: w.Waiting}
	text := fmt.Sprintf("the buffer's database %s, and a new one was made", was)
	if known {
		if all := w.terms(); len(all) > 0 {
			last := all[len(all)-1]
			t.Epoch, t.From, t.To = last.epoch, 1, w.Committed-min(w.Committed, last.first-1)
		}
		text += fmt.Sprintf(": at %s it had committed %d items, and %d waited for the cloud", w.Time.Format(time.RFC3339), w.Committed, w.Waiting)
		if t.To > 0 {
			text += fmt.Sprintf("; its last epoch was %s, with numbers up to %d", t.Epoch, t.To)
		}
	}
	if segments > 0 {
		text += fmt.Sprintf("; %d files with %d bytes of payloads were there, which nothing names any more", segments, bytes)
	}
	t.Text = text + ". What waited is lost unless there is a copy of the folder: stop the agent, put outbox.db and segments/ of the copy in their place, and start it again"
	o.found = append(o.found, t)
}
