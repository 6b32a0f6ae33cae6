package capture

import (
	"errors"
	"maps"
	"strings"
	"sync"
)

// DeviceCounts is what became of the messages of the device's own broker:
// received = taken + left out + what waits just now.
type DeviceCounts struct {
	Received    int64            `json:"received"`
	Taken       int64            `json:"taken"`                   // handed on
	Committed   int64            `json:"committed"`               // safe in the buffer with all that they became, and acknowledged
	Dropped     int64            `json:"dropped"`                 // made way for newer ones
	Bad         int64            `json:"bad"`                     // could not be understood
	Redelivered int64            `json:"redelivered"`             // came again from the broker; those that had become items are "repeated" in left_out
	BadValues   int64            `json:"bad_values"`              // values that were no finite numbers, in messages that were taken
	LeftOut     map[string]int64 `json:"left_out,omitempty"`      // by reason
	BadBy       map[string]int64 `json:"bad_by_stream,omitempty"` // of Bad, by sensor or camera; the rest under "others"
}

// Why a message is left out. It is acknowledged all the same: it would be no better the next time.
const (
	LeftMalformed = "malformed"
	LeftName      = "name"
	LeftSize      = "size"
	LeftStreams   = "too_many_names"
	LeftRetained  = "retained" // an old one, which each subscription brings again
	LeftBehind    = "behind"   // made way for a newer picture
	LeftRepeated  = "repeated" // the broker sent it again, and it had become an item
)

// refused is an error that says under which reason a message is left out.
type refused struct {
	reason string
	error
}

func (r refused) Unwrap() error { return r.error }

// badStreams bounds the names under which bad messages are counted: they come from outside.
const badStreams, otherStreams = 32, "others"

// tally counts messages. Safe for concurrent use.
type tally struct {
	lock sync.Mutex
	said DeviceCounts
}

func (t *tally) count(do func(*DeviceCounts)) {
	t.lock.Lock()
	defer t.lock.Unlock()
	do(&t.said)
}

func (t *tally) came() { t.count(func(c *DeviceCounts) { c.Received++ }) }
func (t *tally) take() { t.count(func(c *DeviceCounts) { c.Taken++ }) }

// leave counts one that is left out for that reason.
func (t *tally) leave(reason string) {
	t.count(func(c *DeviceCounts) {
		if reason == LeftBehind {
			c.Dropped++
		}
		c.leave(reason)
	})
}

func (c *DeviceCounts) leave(reason string) {
	if c.LeftOut == nil {
		c.LeftOut = map[string]int64{}
	}
	c.LeftOut[reason]++
}

// refuse counts a bad one and says how many that makes.
func (t *tally) refuse(stream string, err error) (bad int64) {
	reason := LeftMalformed
	var r refused
	if errors.As(err, &r) {
		reason = r.reason
	}
	t.count(func(c *DeviceCounts) {
		c.Bad++
		c.leave(reason)
		if c.BadBy == nil {
			c.BadBy = map[string]int64{}
		}
		if _, known := c.BadBy[stream]; reason == LeftName || reason == LeftStreams || !known && len(c.BadBy) >= badStreams {
			stream = otherStreams
		}
		c.BadBy[strings.Clone(stream)]++
		bad = c.Bad
	})
	return bad
}

func (t *tally) counts() DeviceCounts {
	t.lock.Lock()
	defer t.lock.Unlock()
	c := t.said
	c.LeftOut, c.BadBy = maps.Clone(c.LeftOut), maps.Clone(c.BadBy)
	return c
}
