// Package uplink sends what waits in the outbox, the best first, and frees it when the cloud's
// receipt says that Kafka has it.
//
//	outbox ──refs──▶ schedule ──part──▶ link ──PUBACK──▶ awaiting a receipt ──▶ freed
//	                  ▲   ▲    pace ◀────┘                     │
//	         contact ─┘   └────────── no receipt for a while ◀─┘
//
// schedule chooses, contact knows when the link may be used, pace how much it takes; this package
// moves the bytes. A PUBACK frees a place on the link, never a row: a broker may die with messages in
// its memory.
package uplink

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/pace"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Box is the buffer.
type Box interface {
	schedule.Box
	// Fresh gives what began to wait, or became urgent, since the last call, perhaps not all of it at
	// once: call until it gives nothing. Wake says that there is some.
	Fresh() []event.Ref
	Wake() <-chan struct{}
	Load(seq uint64) (event.Item, error)
	Receive(ctx context.Context, r event.Receipt) (freed int, err error)
	// Number is the buffer's own number, by which all of this package goes, of an item that the cloud
	// knows by its epoch and number in it; 0 where it is none of this buffer's.
	Number(epoch event.Epoch, seq uint64) uint64
}

// Link is the way to the cloud's broker.
type Link interface {
	// Send returns nil once the broker has acknowledged the message. It calls handed once nothing that
	// is sent later can be there before it.
	Send(ctx context.Context, i event.Item, handed func()) error
	// Up is closed while there is a connection, and open while there is none.
	Up() <-chan struct{}
	Receipts() <-chan event.Receipt
}

// Options are what an uplink may be given besides.
type Options struct {
	Step      func() // called when it moves, for the watchdog; may be nil
	Log       *slog.Logger
	Metrics   prometheus.Registerer // may be nil
	StateFile string                // keeps what was spent of the budget and the link's rate over a restart; empty: none
	Broker    string                // its address, for log lines
	Trace     *trace.Tracer         // nil: no spans are recorded
}

// Uplink is the sender of one link.
type Uplink struct {
	box     Box
	link    Link
	config  Config
	log     *slog.Logger
	step    func()
	state   stateFile
	metrics *metrics
	cache   *itemCache
	sent    chan outcome
	order   sendOrder
	trace   *trace.Tracer

	mu       sync.Mutex // guards what follows, for View; Run's goroutine is the only one that changes it
	calendar *contact.Calendar
	schedule *schedule.Scheduler
	pace     *pace.Pace
	flying   int
	up       <-chan struct{} // of the connection that pace knows
	hold     schedule.Hold
	silence  silence
	limits   limits
}

// New makes an uplink. Config.Problems has checked c.
func New(box Box, link Link, c Config, o Options) (*Uplink, error) {
	plan, err := contact.New(c.Contacts)
	if err != nil {
		return nil, fmt.Errorf("the uplink's contact windows: %w", err)
	}
	if o.Step == nil {
		o.Step = func() {}
	}
	u := &Uplink{box: box, link: link, config: c, log: o.Log, step: o.Step, trace: o.Trace, state: stateFile{path: o.StateFile}, cache: newItemCache(box),
		limits: newLimits(o.Broker),
		sent:   make(chan outcome, c.Window), order: newSendOrder(), calendar: contact.NewCalendar(plan), pace: pace.New(c.QueueDelay, c.BytesPerSecond)}
	u.schedule = schedule.New(c.rules(), box, u.calendar)
	if u.metrics, err = newMetrics(o.Metrics, u); err != nil {
		return nil, fmt.Errorf("the uplink's metrics: %w", err)
	}
	if err := u.loadState(); err != nil {
		u.log.Warn("the uplink's state file can't be read; what was spent of its budget before the restart is not counted", telemetry.Err, err)
	}
	return u, nil
}

// Run sends and frees until ctx ends.
func (u *Uplink) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for ; u.flying > 0; u.flying-- {
			<-u.sent
		}
		u.saveState(true)
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	wake := time.NewTimer(0)
	defer wake.Stop()
	more := u.takeFresh()
	for {
		down, next := u.fill(ctx)
		if !next.IsZero() {
			wake.Reset(time.Until(next))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-u.box.Wake():
			more = u.takeFresh()
		case <-more:
			more = u.takeFresh()
		case o := <-u.sent:
			u.landed(ctx, o)
		case r := <-u.link.Receipts():
			u.receive(ctx, r)
		case <-tick.C:
			u.resendOverdue(time.Now())
			u.outlasted(ctx, time.Now())
			u.logLimit(time.Now())
			u.saveState(false)
		case <-wake.C:
		case <-down:
		}
		u.step()
	}
}

// takeFresh hands one batch of what is fresh to the scheduler. What it returns is ready where there may be
// more: a backlog of a million items must not hold up the first alert.
func (u *Uplink) takeFresh() <-chan struct{} {
	fresh := u.box.Fresh()
	if len(fresh) == 0 {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.schedule.Add(fresh...)
	more := make(chan struct{})
	close(more)
	return more
}
