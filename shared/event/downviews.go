package event

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/shared/ground"
)

// WantedViews is what an edge asks of the cloud's views of the ground, in its status: those of one system that
// have changed since. The cloud numbers the changes of a system. An edge has them in rounds: it begins at the
// newest (Before 0), goes down to After, and then has all up to the newest there was.
type WantedViews struct {
	System ground.System `json:"system"`
	List   string        `json:"list,omitempty"`   // in which the numbers count; empty: none is known yet
	After  uint64        `json:"after,omitempty"`  // it has all changes up to there …
	Before uint64        `json:"before,omitempty"` // … and those of this round from there on; 0: the round begins
	Bytes  int64         `json:"bytes,omitempty"`  // at most; 0: it asks for nothing now
	Asked  time.Time     `json:"asked,omitzero"`   // tells a question from the same one before
}

// DownViews is a message on down/references: a line of JSON, and behind it the bytes of views, one after the
// other. It says what it answers, so that one that comes twice or too late is passed over.
type DownViews struct {
	System ground.System `json:"system"`
	List   string        `json:"list,omitempty"`
	After  uint64        `json:"after,omitempty"`
	Before uint64        `json:"before,omitempty"`
	Next   uint64        `json:"next,omitempty"` // the number of the last change that is here: Before of what follows
	Top    uint64        `json:"top,omitempty"`  // of the newest change there is
	Done   bool          `json:"done,omitempty"` // nothing follows: the round has come to After
	Last   bool          `json:"last,omitempty"` // nothing follows in this answer
	// Problem is why there is nothing: the cloud keeps no views.
	Problem string     `json:"problem,omitempty"`
	Views   []DownView `json:"views,omitempty"`

	Data []byte `json:"-"`
}

// DownView is one view of a message.
type DownView struct {
	X     int64 `json:"x"` // of its block
	Y     int64 `json:"y"`
	Bytes int   `json:"bytes"`
}

// Bounds of what is said of views.
const (
	MaxWantedViews   = 8         // systems of a status
	MaxDownViews     = 64        // views of a message
	MaxDownViewBytes = 96 << 10  // of one view; larger ones are not sent
	DownViewsBytes   = 128 << 10 // of a message
	maxViewsHead     = 16 << 10
	maxListName      = 64
	maxViewsProblem  = 400
)

// Marshal is the message's payload.
func (d DownViews) Marshal() ([]byte, error) {
	head, err := json.Marshal(d)
	if err != nil {
		return nil, err
	}
	return append(append(head, '\n'), d.Data...), nil
}

// Each gives the views with their bytes.
func (d DownViews) Each(do func(v DownView, data []byte) error) error {
	rest := d.Data
	for _, v := range d.Views {
		if err := do(v, rest[:v.Bytes]); err != nil {
			return err
		}
		rest = rest[v.Bytes:]
	}
	return nil
}

// ParseDownViews reads the payload of down/references and checks everything that an edge relies on, except for
// what the views hold.
func ParseDownViews(payload []byte) (DownViews, error) {
	var d DownViews
	if len(payload) > DownViewsBytes+maxViewsHead {
		return d, fmt.Errorf("%w: a message of %d bytes with views", ErrTooLarge, len(payload))
	}
	end := bytes.IndexByte(payload[:min(len(payload), maxViewsHead)], '\n')
	if end < 0 {
		return d, fmt.Errorf("%w: a message with views without a line of JSON", ErrMalformed)
	}
	if err := json.Unmarshal(payload[:end], &d); err != nil {
		return DownViews{}, fmt.Errorf("%w: a message with views: %w", ErrMalformed, err)
	}
	d.Data = payload[end+1:]
	if err := d.System.Check(); err != nil {
		return d, fmt.Errorf("%w: a message with views: %w", ErrMalformed, err)
	}
	if len(d.List) > maxListName || len(d.Problem) > maxViewsProblem || len(d.Views) > MaxDownViews {
		return d, fmt.Errorf("%w: a message with %d views of list %.70q", ErrTooLarge, len(d.Views), d.List)
	}
	if d.Next > d.Top || d.Before != 0 && d.Next > d.Before {
		return d, fmt.Errorf("%w: a message with views of changes down to %d, from %d of %d on", ErrMalformed, d.Next, d.Before, d.Top)
	}
	sum := 0
	for _, v := range d.Views {
		if v.Bytes < 1 || v.Bytes > MaxDownViewBytes || !ground.OnLattice(ground.Block{X: v.X, Y: v.Y}) {
			return d, fmt.Errorf("%w: a view of %d bytes at %d, %d", ErrMalformed, v.Bytes, v.X, v.Y)
		}
		sum += v.Bytes
	}
	if sum != len(d.Data) {
		return d, fmt.Errorf("%w: views of %d bytes, %d are here", ErrMalformed, sum, len(d.Data))
	}
	return d, nil
}

// checkWantedViews says what is wrong with what a status asks for.
func checkWantedViews(all []WantedViews) error {
	if len(all) > MaxWantedViews {
		return fmt.Errorf("%w: status with %d ground systems, %d is the limit", ErrTooLarge, len(all), MaxWantedViews)
	}
	for _, w := range all {
		if err := w.System.Check(); err != nil {
			return fmt.Errorf("%w: status: %w", ErrMalformed, err)
		}
		if len(w.List) > maxListName || w.Bytes < 0 {
			return fmt.Errorf("%w: status with %d bytes of list %.70q wanted", ErrMalformed, w.Bytes, w.List)
		}
	}
	return nil
}
