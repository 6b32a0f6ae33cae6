package outbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/event"
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

// troublesFile keeps what is wrong until somebody has seen to it: whoever removes it has.
func troublesFile(dir string) string { return filepath.Join(dir, "troubles.json") }

// Seen says that somebody has seen to the troubles of the buffer in dir. The agent may run meanwhile.
func Seen(dir string) error {
	if err := os.Remove(troublesFile(dir)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("clear the buffer's troubles: %w", err)
	}
	return nil
}

// troublesKept is how long a trouble is told that nobody has seen to.
const troublesKept = 90 * 24 * time.Hour

// readTroubles reads what is wrong with the buffer in dir; what can't be read is none.
func readTroubles(dir string, now time.Time) (all []event.Trouble) {
	b, err := os.ReadFile(troublesFile(dir))
	if err != nil || json.Unmarshal(b, &all) != nil {
		return nil
	}
	all = slices.DeleteFunc(all, func(t event.Trouble) bool { return now.Sub(t.Since) > troublesKept })
	return all[:min(len(all), event.MaxTroubles)]
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
	all = append(all, o.troubles...)
	return all[:min(len(all), event.MaxTroubles)]
}

// Changed says that Troubles or Epochs say something new.
func (o *Outbox) Changed() <-chan struct{} { return o.changed }

func (o *Outbox) stirTroubles() {
	select {
	case o.changed <- struct{}{}:
	default:
	}
}

// told says whether a trouble is known.
func (o *Outbox) told(kind string, epoch event.Epoch) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.ContainsFunc(o.troubles, func(t event.Trouble) bool { return t.Kind == kind && t.Epoch == epoch })
}

// tell makes a trouble known: in the log, the status and an alert, once for each kind and epoch. More
// numbers of one that is known are noted.
func (o *Outbox) tell(t event.Trouble) {
	t.Since = o.now().UTC()
	o.mu.Lock()
	at := slices.IndexFunc(o.troubles, func(k event.Trouble) bool { return k.Kind == t.Kind && k.Epoch == t.Epoch })
	if at >= 0 {
		known := &o.troubles[at]
		if t.To <= known.To {
			o.mu.Unlock()
			return
		}
		known.From, known.To, known.Items, known.Text = min(known.From, t.From), t.To, max(known.Items, t.Items), t.Text
	} else {
		if len(o.troubles) == event.MaxTroubles {
			o.troubles = slices.Delete(o.troubles, 0, 1)
		}
		o.troubles = append(o.troubles, t)
	}
	all := slices.Clone(o.troubles)
	o.mu.Unlock()
	o.keepTroubles(all)
	o.stirTroubles()
	if at >= 0 {
		return
	}
	o.log.Error("the outbox has a trouble: "+t.Text, "trouble", t.Kind, "epoch", t.Epoch, "from", t.From, "to", t.To, "items", t.Items)
	if t.Kind != Corrupt { // what was salvaged has an alert of its own
		o.alert(t.Kind, t)
	}
}

func (o *Outbox) keepTroubles(all []event.Trouble) {
	b, err := json.MarshalIndent(all, "", " ")
	if err == nil {
		err = renameio.WriteFile(troublesFile(o.dir), append(b, '\n'), 0o600)
	}
	o.mu.Lock()
	o.troublesKept = err == nil
	o.mu.Unlock()
	if err != nil && !isDisk(err) {
		o.log.Warn("the outbox's troubles are not kept over a restart", "folder", o.dir, "problem", err)
	}
}

// seen forgets the troubles that somebody has seen to, and keeps those that could not be kept before.
func (o *Outbox) seen() {
	o.mu.Lock()
	all, kept := slices.Clone(o.troubles), o.troublesKept
	o.mu.Unlock()
	if len(all) == 0 {
		return
	}
	if !kept {
		o.keepTroubles(all)
		return
	}
	if _, err := os.Stat(troublesFile(o.dir)); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	o.mu.Lock()
	o.troubles = nil
	o.mu.Unlock()
	o.log.Info("somebody has seen to the outbox's troubles", "troubles", len(all))
	o.stirTroubles()
}

// alert commits an alert that says what has become of the buffer. Not for the owner, which it asks.
func (o *Outbox) alert(subject string, data any) {
	b, err := json.Marshal(data)
	if err != nil {
		return
	}
	<-o.Submit(context.Background(), Draft{Kind: event.Alert, Stream: "outbox", Subject: "outbox/" + subject, Priority: event.Urgent, Value: 1, Type: "application/json", Data: b})
}
