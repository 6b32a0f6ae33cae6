package uplink

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/edge/uplink/packet"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/telemetry"
)

// stateFile holds what outlives the process: what was spent of the budget, so that a restart
// does not spend it twice, and how fast the link was, so that the first parts have the right size.
type stateFile struct {
	path    string
	written time.Time
	last    savedState
	failing bool // the last writing did
}

type savedState struct {
	Usage          schedule.Usage `json:"accounts"` // the file's word
	BytesPerSecond float64        `json:"bytes_per_second"`
	Limit          *savedLimit    `json:"packet_limit,omitempty"`
}

// savedLimit is what a broker takes; another broker has another limit.
type savedLimit struct {
	Broker string `json:"broker"`
	packet.Known
}

const (
	saveEvery     = 10 * time.Second
	maxStateBytes = 1 << 20
)

// loadState takes up what the file says; none is no fault.
func (u *Uplink) loadState() error {
	if u.state.path == "" {
		return nil
	}
	info, err := os.Stat(u.state.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size() > maxStateBytes {
		return fmt.Errorf("%s has %d bytes, more than it can have", u.state.path, info.Size())
	}
	text, err := os.ReadFile(u.state.path)
	if err != nil {
		return err
	}
	var r savedState
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("read %s: %w", u.state.path, err)
	}
	u.schedule.Restore(r.Usage)
	u.pace.Expect(r.BytesPerSecond)
	if l := r.Limit; l != nil && l.Broker == u.limits.broker {
		u.limits.Restore(time.Now(), l.Known)
	}
	u.state.last = r
	return nil
}

// saveState writes the file every so often, and at the end. What is spent between two writes is forgotten
// by a crash: at most ten seconds of sending.
func (u *Uplink) saveState(now bool) {
	if u.state.path == "" || !now && time.Since(u.state.written) < saveEvery {
		return
	}
	u.state.written = time.Now()
	u.mu.Lock()
	r := savedState{Usage: u.schedule.Usage(), BytesPerSecond: u.pace.Rate()}
	if k := u.limits.Known(); k.Settled {
		r.Limit = &savedLimit{u.limits.broker, k}
	}
	u.mu.Unlock()
	if r.Usage.Spent == u.state.last.Usage.Spent { // nothing was sent: spare the disk
		return
	}
	u.state.last = r
	text, err := json.Marshal(r)
	if err == nil {
		err = renameio.WriteFile(u.state.path, text, 0o600)
	}
	if err != nil && !u.state.failing {
		u.log.Warn("the uplink's state (budget spent, rate of the link) could not be written; it is tried again, and logged once", telemetry.Err, err)
	}
	u.state.failing = err != nil
}
