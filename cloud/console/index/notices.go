package index

import (
	"sync"
	"time"
)

// Notice says that something has changed: what, and of whom. Open pages follow them.
type Notice struct {
	Number uint64    `json:"-"`
	What   string    `json:"what"` // scene, camera, event, sensor, drop, letter, edge, model
	Edge   string    `json:"edge,omitempty"`
	Name   string    `json:"name,omitempty"` // the scene, camera, sensor or model
	Time   time.Time `json:"time"`
}

// What notices are about.
const (
	AboutScene      = "scene"
	AboutCamera     = "camera"
	AboutEvent      = "event"
	AboutSensor     = "sensor"
	AboutDrop       = "drop"
	AboutDeadLetter = "letter"
	AboutEdge       = "edge"
	AboutModel      = "model"
)

// keptNotices is how many notices a page that was away can catch up with; one that missed more looks at
// everything again.
const keptNotices = 1024

// Notices is a ring of the latest, for open pages that wait for more.
type Notices struct {
	mu      sync.Mutex
	ring    []Notice // the newest last
	last    uint64
	changed chan struct{} // closed at the next notice
}

// newNotices numbers from the start's time, so that numbers of an earlier process are older.
func newNotices(start time.Time) *Notices {
	return &Notices{last: uint64(start.UnixMilli()), changed: make(chan struct{})}
}

// Add gives notices the time and a number, and wakes the pages that wait.
func (n *Notices) Add(all ...Notice) {
	if len(all) == 0 {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now().UTC()
	for _, notice := range all {
		n.last++
		notice.Time = now
		notice.Number = n.last
		n.ring = append(n.ring, notice)
	}
	if len(n.ring) > 2*keptNotices {
		n.ring = append([]Notice(nil), n.ring[len(n.ring)-keptNotices:]...)
	}
	close(n.changed)
	n.changed = make(chan struct{})
}

// Since gives the notices after a number, and a channel that closes when there are more. missed says
// that some are no longer kept.
func (n *Notices) Since(number uint64) (after []Notice, last uint64, missed bool, more <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if number > n.last {
		return nil, n.last, true, n.changed // of a clock that ran ahead
	}
	fresh := int(min(n.last-number, uint64(len(n.ring))))
	missed = uint64(fresh) < n.last-number
	return append([]Notice(nil), n.ring[len(n.ring)-fresh:]...), n.last, missed, n.changed
}

// Latest is the number of the newest notice.
func (n *Notices) Latest() uint64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.last
}
