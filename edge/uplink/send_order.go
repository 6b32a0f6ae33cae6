package uplink

import (
	"context"
	"errors"
	"math"
	"sync"
)

// sendOrder lets parts go over the link in the order in which they were chosen, although they are loaded at
// the same time; and where one of a series is not sent, holds back what was chosen of it after that one.
type sendOrder struct{ *sendOrderState }

type sendOrderState struct {
	mu      sync.Mutex
	last    chan struct{}     // closed when all that entered so far are done
	entered uint64            // how many have
	broken  map[uint16]uint64 // by series: places up to this one are held back
}

func newSendOrder() sendOrder {
	last := make(chan struct{})
	close(last)
	return sendOrder{&sendOrderState{last: last, broken: map[uint16]uint64{}}}
}

// errHeldBack says that an older item of the series was not sent.
var errHeldBack = errors.New("an older item of its stream was not sent")

// turn is a part's place in the order.
type turn struct {
	order  *sendOrderState
	series uint16 // 0: none
	number uint64
	before <-chan struct{}
	done   chan struct{}
	once   sync.Once
}

// enter takes the next place.
func (l sendOrder) enter(series uint16) *turn {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.entered++
	p := &turn{order: l.sendOrderState, series: series, number: l.entered, before: l.last, done: make(chan struct{})}
	l.last = p.done
	return p
}

// wait waits for its turn. An error says that it must not be sent; finish must be called all the same.
func (p *turn) wait(ctx context.Context) error {
	select {
	case <-p.before:
	case <-ctx.Done():
		return ctx.Err()
	}
	if p.series == 0 {
		return nil
	}
	p.order.mu.Lock()
	defer p.order.mu.Unlock()
	through, broken := p.order.broken[p.series]
	if broken && p.number <= through {
		return errHeldBack
	}
	delete(p.order.broken, p.series)
	return nil
}

// finish lets the next one go, once; it says whether this was the time. Where the part was not sent,
// what follows of its series is held back.
func (p *turn) finish(sent bool) (first bool) {
	p.once.Do(func() {
		first = true
		if !sent && p.series != 0 {
			p.order.mu.Lock()
			p.order.broken[p.series] = math.MaxUint64
			p.order.mu.Unlock()
		}
		close(p.done)
	})
	return first
}

// resume lets a series go on with what is chosen from now on: the scheduler knows of its failure.
func (l sendOrder) resume(series uint16) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.broken[series] == math.MaxUint64 {
		l.broken[series] = l.entered
	}
}
