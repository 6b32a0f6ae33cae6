package capture

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/mqtt"
)

// intake holds messages that have come and are not settled yet, bounded in number and bytes. When it is
// full the subscription waits, and with it the broker: a burst waits there, on disk, and not here.
type intake struct {
	most      int
	mostBytes int64

	mu      sync.Mutex
	waiting []arrival
	held    int   // waiting, or taken and not settled
	bytes   int64 // of those
	came    chan struct{}
	freed   chan struct{}
	over    chan struct{} // closed at the end
	ended   atomic.Bool
}

// arrival is a message and when it came.
type arrival struct {
	mqtt.Message
	at time.Time
}

func (a arrival) size() int64 { return int64(len(a.Payload)+len(a.Topic)) + 256 }

func newIntake(most int, mostBytes int64) *intake {
	return &intake{most: most, mostBytes: mostBytes, came: make(chan struct{}, 1), freed: make(chan struct{}, 1), over: make(chan struct{})}
}

// put waits for room; one that is larger than everything is let in when it is alone. It is called by
// one goroutine.
func (i *intake) put(a arrival) {
	for {
		i.mu.Lock()
		if i.held == 0 || i.held < i.most && i.bytes+a.size() <= i.mostBytes {
			i.waiting = append(i.waiting, a)
			i.held++
			i.bytes += a.size()
			i.mu.Unlock()
			signal(i.came)
			return
		}
		i.mu.Unlock()
		select {
		case <-i.freed:
		case <-i.over:
			return // not acknowledged: it comes again
		}
	}
}

// take waits for messages and gives up to so many, in their order.
func (i *intake) take(ctx context.Context, most int) ([]arrival, error) {
	for {
		i.mu.Lock()
		n := min(len(i.waiting), most)
		taken := i.waiting[:n:n]
		if i.waiting = i.waiting[n:]; len(i.waiting) == 0 {
			i.waiting = nil
		}
		i.mu.Unlock()
		if n > 0 {
			return taken, nil
		}
		select {
		case <-i.came:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// settled makes room for those that were taken.
func (i *intake) settled(all []arrival) {
	i.mu.Lock()
	for _, a := range all {
		i.held--
		i.bytes -= a.size()
	}
	i.mu.Unlock()
	signal(i.freed)
}

// end lets go of whoever waits; what is held comes again.
func (i *intake) end() {
	if !i.ended.Swap(true) {
		close(i.over)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
