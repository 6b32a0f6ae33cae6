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

// memory is the file of what outlives the process: what was spent of the budget, so that a restart
// does not spend it twice, and how fast the link was, so that the first parts have the right size.
type memory struct {
	path    string
	written time.Time
	last    remembered
	failing bool // the last writing did
}

type remembered struct {
	Accounts       schedule.Accounts `json:"accounts"`
	BytesPerSecond float64           `json:"bytes_per_second"`
	Limit          *rememberedLimit  `json:"packet_limit,omitempty"`
}

// rememberedLimit is what a broker takes; another broker has another limit.
type rememberedLimit struct {
	Broker string `json:"broker"`
	packet.Known
}

const (
	memoryEvery    = 10 * time.Second
	maxMemoryBytes = 1 << 20
)

// remember takes up what the file says; none is no fault.
func (u *Uplink) remember() error {
	if u.memory.path == "" {
		return nil
	}
	info, err := os.Stat(u.memory.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Size() > maxMemoryBytes {
		return fmt.Errorf("%s has %d bytes, more than it can have", u.memory.path, info.Size())
	}
	text, err := os.ReadFile(u.memory.path)
	if err != nil {
		return err
	}
	var r remembered
	if err := json.Unmarshal(text, &r); err != nil {
		return fmt.Errorf("read %s: %w", u.memory.path, err)
	}
	u.schedule.Restore(r.Accounts)
	u.pace.Expect(r.BytesPerSecond)
	if l := r.Limit; l != nil && l.Broker == u.limits.broker {
		u.limits.Restore(time.Now(), l.Known)
	}
	u.memory.last = r
	return nil
}

// keep writes the file every so often, and at the end. What is spent between two writes is forgotten
// by a crash: at most ten seconds of sending.
func (u *Uplink) keep(now bool) {
	if u.memory.path == "" || !now && time.Since(u.memory.written) < memoryEvery {
		return
	}
	u.memory.written = time.Now()
	u.mu.Lock()
	r := remembered{Accounts: u.schedule.Accounts(), BytesPerSecond: u.pace.Rate()}
	if k := u.limits.Known(); k.Settled {
		r.Limit = &rememberedLimit{u.limits.broker, k}
	}
	u.mu.Unlock()
	if r.Accounts.Spent == u.memory.last.Accounts.Spent { // nothing was sent: spare the disk
		return
	}
	u.memory.last = r
	text, err := json.Marshal(r)
	if err == nil {
		err = renameio.WriteFile(u.memory.path, text, 0o600)
	}
	if err != nil && !u.memory.failing {
		u.log.Warn("what was spent of the uplink's budget could not be written down; it is tried on and said once", telemetry.Err, err)
	}
	u.memory.failing = err != nil
}
