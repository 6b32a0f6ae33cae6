package capture

import (
	"errors"
	"maps"
	"strings"
	"sync"
)

// DeviceCounts is what became of the messages of the device's own broker:
// received = taken + skipped + what waits just now.
type DeviceCounts struct {
	Received    int64            `json:"received"`
	Taken       int64            `json:"taken"`                   // passed on
	Committed   int64            `json:"committed"`               // safe in the buffer with all that they became, and acknowledged
	Dropped     int64            `json:"dropped"`                 // made way for newer ones
	Bad         int64            `json:"bad"`                     // could not be understood
	Redelivered int64            `json:"redelivered"`             // came again from the broker; those that had become items are "repeated" in left_out
	BadValues   int64            `json:"bad_values"`              // values that were no finite numbers, in messages that were taken
	LeftOut     map[string]int64 `json:"left_out,omitempty"`      // by reason
	BadBy       map[string]int64 `json:"bad_by_stream,omitempty"` // of Bad, by sensor or camera; the rest under "others"
}

// Why a message is skipped. It is acknowledged all the same: it would be no better the next time.
const (
	SkipMalformed = "malformed"
	SkipName      = "name"
	SkipSize      = "size"
	SkipStreams   = "too_many_names"
	SkipRetained  = "retained" // an old one, which each subscription brings again
	SkipBehind    = "behind"   // made way for a newer picture
	SkipRepeated  = "repeated" // the broker sent it again, and it had become an item
)

// refused is an error with the reason under which a message is skipped.
type refused struct {
	reason string
	error
}

func (r refused) Unwrap() error { return r.error }

// badStreams bounds the names under which bad messages are counted: they come from outside.
const badStreams, otherStreams = 32, "others"

// messageCounter counts messages. Safe for concurrent use.
type messageCounter struct {
	lock    sync.Mutex
	counted DeviceCounts
}

func (t *messageCounter) count(do func(*DeviceCounts)) {
	t.lock.Lock()
	defer t.lock.Unlock()
	do(&t.counted)
}

func (t *messageCounter) received() { t.count(func(c *DeviceCounts) { c.Received++ }) }
func (t *messageCounter) taken()    { t.count(func(c *DeviceCounts) { c.Taken++ }) }

// skipped counts one that is skipped for that reason.
func (t *messageCounter) skipped(reason string) {
	t.count(func(c *DeviceCounts) {
		if reason == SkipBehind {
			c.Dropped++
		}
		c.skip(reason)
	})
}

func (c *DeviceCounts) skip(reason string) {
	if c.LeftOut == nil {
		c.LeftOut = map[string]int64{}
	}
	c.LeftOut[reason]++
}

// rejected counts a bad one and returns how many that makes.
func (t *messageCounter) rejected(stream string, err error) (bad int64) {
	reason := SkipMalformed
	var r refused
	if errors.As(err, &r) {
		reason = r.reason
	}
	t.count(func(c *DeviceCounts) {
		c.Bad++
		c.skip(reason)
		if c.BadBy == nil {
			c.BadBy = map[string]int64{}
		}
		if _, known := c.BadBy[stream]; reason == SkipName || reason == SkipStreams || !known && len(c.BadBy) >= badStreams {
			stream = otherStreams
		}
		c.BadBy[strings.Clone(stream)]++
		bad = c.Bad
	})
	return bad
}

func (t *messageCounter) counts() DeviceCounts {
	t.lock.Lock()
	defer t.lock.Unlock()
	c := t.counted
	c.LeftOut, c.BadBy = maps.Clone(c.LeftOut), maps.Clone(c.BadBy)
	return c
}
