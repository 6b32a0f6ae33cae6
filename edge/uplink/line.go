package uplink

import (
	"context"
	"errors"
	"math"
	"sync"
)

// line lets parts go over the link in the order in which they were chosen, although they are loaded at
// the same time; and where one of a series is not sent, holds back what was chosen of it after that one.
type line struct{ *lineState }

type lineState struct {
	mu     sync.Mutex
	last   chan struct{}     // closed when all that joined so far have left
	joined uint64            // how many have
	broken map[uint16]uint64 // by series: places up to this one are held back
}

func newLine() line {
	last := make(chan struct{})
	close(last)
	return line{&lineState{last: last, broken: map[uint16]uint64{}}}
}

// errHeldBack says that an older item of the series was not sent.
var errHeldBack = errors.New("an older item of its stream was not sent")

// place is a part's in the line.
type place struct {
	line   *lineState
	series uint16 // 0: none
	number uint64
	before <-chan struct{}
	left   chan struct{}
	once   sync.Once
}

// join takes the next place.
func (l line) join(series uint16) *place {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.joined++
	p := &place{line: l.lineState, series: series, number: l.joined, before: l.last, left: make(chan struct{})}
	l.last = p.left
	return p
}

// wait waits for its turn. An error says that it must not be sent; it leaves the line all the same.
func (p *place) wait(ctx context.Context) error {
	select {
	case <-p.before:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.series == 0 {
		return nil
	}
	p.line.mu.Lock()
	defer p.line.mu.Unlock()
	through, broken := p.line.broken[p.series]
	if broken && p.number <= through {
		return errHeldBack
	}
	delete(p.line.broken, p.series)
	return nil
}

// leave lets the next one go, once; it says whether this was the time. Where the part was not handed on,
// what follows of its series is held back.
func (p *place) leave(handed bool) (first bool) {
	p.once.Do(func() {
		first = true
		if !handed && p.series != 0 {
			p.line.mu.Lock()
			p.line.broken[p.series] = math.MaxUint64
			p.line.mu.Unlock()
		}
		close(p.left)
	})
	return first
}

// mend lets a series go on with what is chosen from now on: its failure has been told to who chooses.
func (l line) mend(series uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken[series] == math.MaxUint64 {
		l.broken[series] = l.joined
	}
}
