package outbox

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// Kinds of troubles.
const (
	Older     = "older"     // the cloud has numbers that this buffer does not know
	Truncated = "truncated" // the database is behind what was noted beside it
	Missing   = "missing"   // there was a database, and it is gone
	Corrupt   = "corrupt"   // the database was damaged, and salvaged
	Lost      = "lost"      // items of a damaged database that are not in the cloud either
	Conflict  = "conflict"  // the cloud has other items under this buffer's numbers
	Twin      = "twin"      // another agent speaks under this one's name
	ReadOnly  = "read_only" // the disk takes no writes
	Failing   = "failing"   // the disk answers with errors
	Full      = "full"      // the disk is full
)

// troublesFile keeps what is wrong, and what of it somebody has seen to.
func troublesFile(dir string) string { return filepath.Join(dir, "troubles.json") }

// kept is a trouble in its file.
type keptTrouble struct {
	event.Trouble
	Seen bool `json:"seen,omitempty"` // somebody has seen to it: it is reported no more
}

// Seen says that somebody has seen to the troubles of the buffer in dir, and how many that were. The
// agent may run meanwhile.
func Seen(dir string) (n int, err error) {
	all := readTroubles(dir, time.Now())
	for i := range all {
		if !all[i].Seen {
			all[i].Seen = true
			n++
		}
	}
	if n == 0 {
		return 0, nil
	}
	return n, writeTroubles(dir, all)
}

const (
	// troublesKept is how long a trouble is reported that nobody has seen to.
	troublesKept = 90 * 24 * time.Hour
	// mostTroubles are kept, those included that somebody has seen to.
	mostTroubles = 64
	// troublesRest is how long after one writing of the file the next may come: the numbers of a
	// trouble may go on with every receipt.
	troublesRest = 10 * time.Second
)

// readTroubles reads what is wrong with the buffer in dir; what can't be read is none.
func readTroubles(dir string, now time.Time) (all []keptTrouble) {
	b, err := os.ReadFile(troublesFile(dir))
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	all = slices.DeleteFunc(all, func(t keptTrouble) bool { return now.Sub(t.Since) > troublesKept })
	return all[max(0, len(all)-mostTroubles):]
}

func writeTroubles(dir string, all []keptTrouble) error {
	b, err := json.MarshalIndent(all, "", " ")
	if err == nil {
		err = renameio.WriteFile(troublesFile(dir), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write down the buffer's troubles: %w", err)
	}
	return nil
}

// unseen are those that nobody has seen to.
func unseen(kept []keptTrouble) (all []event.Trouble) {
	for _, t := range kept {
		if !t.Seen {
			all = append(all, t.Trouble)
		}
	}
	return all
}

// Troubles are what is wrong with the buffer, the disk's first.
func (o *Outbox) Troubles() []event.Trouble {
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []event.Trouble
	if o.fault != nil {
		all = append(all, o.fault.trouble())
	}
	if o.stats.Full {
		all = append(all, event.Trouble{Kind: Full, Since: o.fullSince.UTC(), Text: "the disk is full: what is worth least is dropped, with an entry in the ledger. Make room on it"})
	}
	all = append(all, unseen(o.troubles)...)
	return all[:min(len(all), event.MaxTroubles)]
}

// Changed says that Troubles or Epochs say something new.
func (o *Outbox) Changed() <-chan struct{} { return o.changed }

func (o *Outbox) signalChanged() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// hasTrouble says whether a trouble is known.
func (o *Outbox) hasTrouble(kind string, epoch event.Epoch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.troubles, func(t keptTrouble) bool { return t.Kind == kind && t.Epoch == epoch })
}

// raiseTrouble makes a trouble known: in the log, the status and an alert, once for each kind and epoch. More
// numbers of one that is known are added to it.
func (o *Outbox) raiseTrouble(t event.Trouble) {
	t.Since = o.now().UTC()
	if o.noteTrouble(t) {
		return
	}
	o.log.Error("the outbox has a trouble: "+t.Text, "trouble", t.Kind, "epoch", t.Epoch, "from", t.From, "to", t.To, "items", t.Items)
	o.saveTroubles(true)
	o.signalChanged()
	if t.Kind != Corrupt { // what was salvaged has an alert of its own
		o.alert(t.Kind, t)
	}
}

// noteTrouble notes a trouble, and says whether it was known.
func (o *Outbox) noteTrouble(t event.Trouble) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := slices.IndexFunc(o.troubles, func(k keptTrouble) bool { return k.Kind == t.Kind && k.Epoch == t.Epoch })
	if at < 0 {
		o.troubles = append(o.troubles, keptTrouble{Trouble: t})
		o.troubles = o.troubles[max(0, len(o.troubles)-mostTroubles):]
		o.troublesChanged = true
		return false
	}
	if known := &o.troubles[at]; t.To > known.To {
		known.From, known.To, known.Items, known.Text = min(known.From, t.From), t.To, max(known.Items, t.Items), t.Text
		o.troublesChanged = true
	}
	return true
}

// saveTroubles writes down what has changed of the troubles, and learns which somebody has seen to.
func (o *Outbox) saveTroubles(now bool) {
	o.mu.Lock()
	some := len(o.troubles) > 0
	o.mu.Unlock()
	if !some {
		return
	}
	all := o.merge(readTroubles(o.dir, o.now()), now)
	if all == nil {
		return
	}
	switch err := writeTroubles(o.dir, all); {
	case err == nil:
	case isDisk(err):
		o.mu.Lock()
		o.troublesChanged = true
		o.mu.Unlock()
	default:
		o.log.Warn("the outbox's troubles could not be written down; a restart forgets them", "folder", o.dir, telemetry.Err, err)
	}
}

// merge takes in which troubles somebody has seen to, and gives what is to be written; nil: nothing is.
func (o *Outbox) merge(file []keptTrouble, now bool) []keptTrouble {
	o.mu.Lock()
	defer o.mu.Unlock()
	before := len(unseen(o.troubles))
	for _, t := range file {
		at := slices.IndexFunc(o.troubles, func(k keptTrouble) bool { return k.Kind == t.Kind && k.Epoch == t.Epoch && k.Since.Equal(t.Since) })
		if t.Seen && at >= 0 {
			o.troubles[at].Seen = true
		}
	}
	if n := before - len(unseen(o.troubles)); n > 0 {
		o.log.Info("an operator has seen to troubles of the outbox", "troubles", n)
		o.signalChanged()
	}
	if !o.troublesChanged || !now && o.now().Sub(o.troublesWritten) < troublesRest {
		return nil
	}
	o.troublesChanged, o.troublesWritten = false, o.now()
	return slices.Clone(o.troubles)
}

// alert commits an alert that says what has become of the buffer. Not for the owner, which it asks.
func (o *Outbox) alert(subject string, data any) {
	b, err := json.Marshal(data)
	if err != nil {
		return
	}
	<-o.Submit(context.Background(), Draft{Kind: event.Alert, Stream: "outbox", Subject: "outbox/" + subject, Priority: event.Urgent, Value: 1, Type: "application/json", Data: b})
}
