package reference

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/telemetry"
)

// FromCloud is whose the views are that came from the cloud.
const FromCloud = "the cloud"

// SharedParts are what Shared works with.
type SharedParts struct {
	Announce func(context.Context)    // sends the cloud Wanted anew
	Up       func() <-chan struct{}   // closed while there is a connection to the cloud
	Open     func(now time.Time) bool // whether the link may be used now
	Log      *slog.Logger
}

// Shared fetches the cloud's views of the ground systems that this device sees: asked for a bounded piece at a
// time, newest first, within a budget of bytes a day. Run is its one goroutine; the rest may be called from others.
type Shared struct {
	SharedParts
	config   Config
	store    *Store
	path     string
	now      func() time.Time
	messages chan []byte

	mu      sync.Mutex
	state   sharedState
	pending *question
	problem string // that the cloud told last
	counts  SharedCounts
}

// SharedCounts are since the agent began.
type SharedCounts struct {
	Systems int    `json:"systems"` // whose views are asked for
	Views   int64  `json:"views"`   // that came and are kept
	Bytes   int64  `json:"bytes"`   // that came
	Refused int64  `json:"refused"` // messages and views that can't be
	Today   int64  `json:"bytes_today"`
	Problem string `json:"problem,omitempty"` // why the cloud sends none
}

// sharedState is what a restart has to know; it lies in shared.json.
type sharedState struct {
	Systems []sharedSystem `json:"systems"` // the one seen last first
	Day     string         `json:"day"`
	Bytes   int64          `json:"bytes"` // that came on that day
}

type sharedSystem struct {
	System ground.System `json:"system"`
	List   string        `json:"list,omitempty"`
	After  uint64        `json:"after,omitempty"`  // all changes up to there are here …
	Before uint64        `json:"before,omitempty"` // … and those of this round from there on
	Top    uint64        `json:"top,omitempty"`    // of this round: After, once it has come down there
	// Complete is when a round was last at its end.
	Complete time.Time `json:"complete,omitzero"`
}

// question is what the cloud was asked and has not answered.
type question struct {
	system ground.System
	bytes  int64
	asked  time.Time
	tries  int
}

const (
	stateFile   = "shared.json"
	maxState    = 64 << 10
	maxMessages = 64
	tick        = time.Second
	askBytes    = 256 << 10 // at once
	// leastBytes is the least that is asked for: any one view fits.
	leastBytes   = event.MaxDownViewBytes
	retryAfter   = 30 * time.Second // until it is asked again …
	maxDoublings = 5                // … each time twice as long
)

// OpenShared takes up what an earlier run has fetched. Where its state can't be read it begins anew.
func OpenShared(c Config, s *Store, p SharedParts) *Shared {
	h := &Shared{SharedParts: p, config: c, store: s, path: filepath.Join(s.dir, stateFile), now: time.Now, messages: make(chan []byte, maxMessages)}
	if err := h.load(); err != nil {
		p.Log.Warn("which of the cloud's views of the ground are here can't be read; they are fetched anew", telemetry.Err, err)
		h.state = sharedState{}
	}
	for _, system := range slices.Backward(c.Systems) {
		h.add(ground.System(system))
	}
	return h
}

func (h *Shared) load() error {
	info, err := os.Stat(h.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > maxState {
		err = fmt.Errorf("it has %d bytes", info.Size())
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(h.path)
	}
	if err == nil {
		err = json.Unmarshal(data, &h.state)
	}
	if err != nil {
		return err
	}
	h.state.Systems = slices.DeleteFunc(h.state.Systems, func(s sharedSystem) bool { return s.System.Check() != nil })
	h.state.Systems = h.state.Systems[:min(len(h.state.Systems), event.MaxWantedViews)]
	return nil
}

// save writes the state. What a crash or an error makes it forget is fetched once more.
func (h *Shared) save() {
	data, err := json.Marshal(h.state)
	if err == nil {
		err = renameio.WriteFile(h.path, data, 0o600)
	}
	if err != nil {
		h.Log.Warn("which of the cloud's views of the ground are here can't be written down; some will be fetched again", telemetry.Err, err)
	}
}

// Saw says that a scene of that system is being read. The cloud's views of it are fetched from then on; the
// system that was seen longest ago makes way.
func (h *Shared) Saw(s ground.System) {
	if h == nil || !s.Shared() {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	known := h.find(s) >= 0
	if h.add(s); !known { // the order alone is not worth a write for each tile
		h.save()
	}
}

// add puts a system at the front.
func (h *Shared) add(s ground.System) {
	entry := sharedSystem{System: s}
	if i := h.find(s); i >= 0 {
		entry = h.state.Systems[i]
		h.state.Systems = slices.Delete(h.state.Systems, i, i+1)
	}
	h.state.Systems = slices.Insert(h.state.Systems, 0, entry)
	h.state.Systems = h.state.Systems[:min(len(h.state.Systems), event.MaxWantedViews)]
}

func (h *Shared) find(s ground.System) int {
	return slices.IndexFunc(h.state.Systems, func(o sharedSystem) bool { return o.System == s })
}

// Wanted is what the device's status says.
func (h *Shared) Wanted() []event.WantedViews {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]event.WantedViews, 0, len(h.state.Systems))
	for _, s := range h.state.Systems {
		w := event.WantedViews{System: s.System, List: s.List, After: s.After, Before: s.Before}
		if h.pending != nil && h.pending.system == s.System {
			w.Bytes, w.Asked = h.pending.bytes, h.pending.asked.UTC()
		}
		all = append(all, w)
	}
	return all
}

// Counts are for status displays.
func (h *Shared) Counts() SharedCounts {
	if h == nil {
		return SharedCounts{}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	c := h.counts
	c.Systems, c.Today, c.Problem = len(h.state.Systems), h.state.Bytes, h.problem
	return c
}

// Receive takes a message of down/references. It does not wait.
func (h *Shared) Receive(payload []byte) {
	select {
	case h.messages <- slices.Clone(payload):
	default: // it is asked for again
	}
}

// Run asks and takes, until ctx ends.
func (h *Shared) Run(ctx context.Context) {
	due := time.NewTicker(tick)
	defer due.Stop()
	for {
		select {
		case payload := <-h.messages:
			h.take(payload)
		case <-due.C:
		case <-ctx.Done():
			return
		}
		if h.ask(h.now()) {
			h.Announce(ctx)
		}
	}
}

// ask says whether the cloud is to be asked something now, and notes what.
func (h *Shared) ask(now time.Time) bool {
	select {
	case <-h.Up():
	default:
		return false
	}
	if !h.Open(now) {
		return false
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if p := h.pending; p != nil {
		if wait := now.Sub(p.asked); wait >= 0 && wait < retryAfter<<min(p.tries, maxDoublings) {
			return false
		}
		if h.find(p.system) >= 0 {
			p.asked, p.tries = now, p.tries+1
			return true
		}
		h.pending = nil
	}
	room := int64(askBytes)
	if h.config.SharedBytesPerDay > 0 {
		h.roll(now)
		room = min(room, h.config.SharedBytesPerDay-h.state.Bytes)
	}
	if room < leastBytes {
		return false
	}
	for _, s := range h.state.Systems {
		if age := now.Sub(s.Complete); s.Before == 0 && age >= 0 && age < h.config.SharedEvery {
			continue
		}
		h.pending = &question{system: s.System, bytes: room, asked: now}
		return true
	}
	return false
}

// roll begins the count of another day. Days are those of UTC.
func (h *Shared) roll(now time.Time) {
	if day := now.UTC().Format(time.DateOnly); day != h.state.Day {
		h.state.Day, h.state.Bytes = day, 0
	}
}

// take takes a message in. What was not asked for, or comes twice, is passed over.
func (h *Shared) take(payload []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.roll(h.now())
	h.state.Bytes += int64(len(payload))
	h.counts.Bytes += int64(len(payload))
	d, err := event.ParseDownViews(payload)
	if err != nil {
		h.counts.Refused++
		h.Log.Warn("a message from the cloud with views of the ground can't be read", telemetry.Err, err)
		return
	}
	i := h.find(d.System)
	if i < 0 || h.pending == nil || h.pending.system != d.System {
		return
	}
	s := &h.state.Systems[i]
	if d.List != s.List && d.After == 0 && d.Before == 0 {
		*s = sharedSystem{System: s.System, List: d.List} // another list counts anew
	}
	if d.List != s.List || d.After != s.After || d.Before != s.Before {
		return
	}
	if d.Problem != h.problem && d.Problem != "" {
		h.Log.Warn("the cloud sends no views of the ground", "reason", d.Problem)
	}
	h.problem = d.Problem
	if err := d.Each(func(v event.DownView, data []byte) error { return h.keep(d.System, v, data) }); err != nil {
		h.Log.Warn("a view of the ground from the cloud can't be stored; it is asked for again", telemetry.Err, err)
		return
	}
	if s.Before == 0 {
		s.Top = d.Top
	}
	if d.Next > 0 {
		s.Before = d.Next
	}
	if d.Done {
		s.After, s.Before, s.Top, s.Complete = max(s.After, s.Top), 0, 0, h.now()
	}
	if h.pending.tries = 0; d.Last || d.Done {
		h.pending = nil
		h.save()
	}
}

// keep stores one view, in which everything is checked: what can't be is counted and passed over, for asking
// again would bring the same. The error is not nil where it can't be stored.
func (h *Shared) keep(system ground.System, at event.DownView, data []byte) error {
	var v ground.View
	if err := v.UnmarshalBinary(data); err != nil || v.Bands != system.Bands() {
		h.counts.Refused++
		h.Log.Warn("a view of the ground from the cloud is none", "system", system, telemetry.Err, cmp.Or(err, fmt.Errorf("it has %d bands", v.Bands)))
		return nil
	}
	latest := h.now().Add(ahead)
	v = v.Without(func(s ground.Source) bool { return s.Seen.After(latest) })
	if v.Empty() {
		h.counts.Refused++
		return nil
	}
	err := h.store.Update(Key{From: FromCloud, System: system, Block: ground.Block{X: at.X, Y: at.Y}}, func(e Entry) (Entry, error) {
		return Entry{Now: e.Now.Merge(v)}, nil
	})
	if err == nil {
		h.counts.Views++
	}
	return err
}
