// Package bridge carries items from MQTT into Kafka: every one, once, and sends the edges
// receipts for what Kafka has. One loop owns all state; around it
//
//	           ┌─ full: the broker waits      ┌─ the next batch is read while this one is written
//	intake ──▶ queue ──▶ read ────────────────┴▶ commit ──▶ objects, Kafka (acks=all)
//	   ▲                 form, sha256              │  │
//	   └──────────── PUBACK, in order ◀────────────┘  └──▶ dedup ──▶ receipts ───▶ edges
//	                                                          └────▶ checkpoints ──▶ Kafka
//
// A message is acknowledged only when Kafka has what was in it (or the object store, for a part). An
// item that comes again is recognised by its number, and by its id as far back as ids remember them: a
// buffer that went back in time gives numbers out anew. What was seen is remembered in Kafka itself: a
// checkpoint says what there was up to some offsets, and the log says the rest. So after a crash, and
// after a write whose outcome is unknown, the bridge reads the log from the checkpoint on.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/config"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Lease is what the bridge at work owns where one carries everything and others stand by.
const Lease = "bridge"

// Parts are what a bridge is made of.
type Parts struct {
	Intake   Intake
	Log      Log
	Objects  Objects
	Receipts Publisher
	Leases   slots.Leases // nil: there is only one bridge, ever
	Member   coord.Member // this bridge among those that share; its role is coord.Bridge
	Logger   *slog.Logger
	Metrics  prometheus.Registerer // may be nil
	Trace    *trace.Tracer         // nil: no spans
	// Decisions are what operators write down: which edges are blocked, what was put back. May be nil.
	Decisions Decisions
}

// Bridge carries items from MQTT into Kafka.
type Bridge struct {
	cfg Config
	Parts
	metrics    *metrics
	decided    decisions
	deadBounds *deadBounds // of dead letters; the commit loop's

	mu      sync.Mutex
	dedup   *dedup.State // while at work
	ready   error        // why nothing is carried now
	unsaved error        // why the latest checkpoint could not be written
}

// New makes a bridge. Run starts it.
func New(cfg Config, parts Parts) (*Bridge, error) {
	if err := config.Check("bridge", cfg); err != nil {
		return nil, err
	}
	if parts.Intake == nil || parts.Log == nil || parts.Objects == nil || parts.Receipts == nil {
		return nil, errors.New("a bridge needs an intake, a log, an object store and a publisher of receipts")
	}
	if parts.Logger == nil {
		parts.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(parts.Metrics)
	if err != nil {
		return nil, fmt.Errorf("registering the bridge's metrics: %w", err)
	}
	b := &Bridge{cfg: cfg.withDefaults(), Parts: parts, metrics: m, ready: errStopped}
	b.deadBounds = newDeadBounds(b.cfg.DeadLetters, time.Now)
	if parts.Metrics != nil {
		if err := parts.Metrics.Register(newGapMetrics(b)); err != nil {
			return nil, fmt.Errorf("registering the bridge's report of gaps: %w", err)
		}
	}
	return b, nil
}

// Run works whenever this bridge owns slots, until ctx ends.
func (b *Bridge) Run(ctx context.Context) error {
	defer b.setReady(errStopped)
	b.setReady(ErrStandingBy)
	defer b.followDecisions(ctx)()
	owner := slots.Owner{Leases: b.Leases, Member: b.Member, Work: b.work, Changed: b.carries, Log: b.Logger}
	switch {
	case b.Leases == nil:
		return b.work(ctx, slots.Owned{Slots: slots.Every})
	case b.cfg.Share:
		return owner.Shared(ctx)
	}
	return owner.Alone(ctx, Lease)
}

// carries notes which slots this bridge owns now.
func (b *Bridge) carries(owned slots.Set) {
	b.metrics.slots.Set(float64(owned.Len()))
	if owned == 0 {
		b.setReady(ErrStandingBy)
	}
}

// Status lists what the bridge knows of each edge; nothing while another bridge is at work.
func (b *Bridge) Status() []dedup.EdgeStatus {
	b.mu.Lock()
	state := b.dedup
	b.mu.Unlock()
	if state == nil {
		return nil
	}
	return state.Status()
}

// session is one time at work, under the leases of some slots. It begins with what Kafka says and
// leaves nothing.
type session struct {
	*Bridge
	slots.Owned
	dedup *dedup.State
	queue *queue
	parts *parts.Assembler
	read  chan []*message
	// settled are safe and may be acknowledged.
	settled chan []*message

	// Of the commit loop.
	ends    dedup.Offsets // dedup holds all records below these
	poison  *fingerprints // of what is in the DLQ
	ids     *dedup.IDs    // which items stand under the last numbers
	dirty   bool          // there is something that no checkpoint has
	written int64         // bytes since the last checkpoint
	checked time.Time     // when that was
	outage  *outage       // on while Kafka or the store stays away
}

// work recovers and then carries until ctx ends.
func (b *Bridge) work(ctx context.Context, own slots.Owned) error {
	s := &session{
		Bridge: b, Owned: own, dedup: dedup.New(time.Now),
		ids:   dedup.NewIDs(dedup.MostIDs),
		parts: parts.New(b.Objects, b.cfg.PartsBytes, b.cfg.ItemBytes),
		read:  make(chan []*message), settled: make(chan []*message, 1), ends: dedup.Offsets{}, poison: newFingerprints(), outage: newOutage(),
	}
	s.queue = newQueue(b.cfg.QueueMessages, b.cfg.QueueBytes, b.cfg.QueueShare, func(edge string) { s.refuse(edge, dedup.BoundQueue) })
	b.setReady(errRecovering)
	if err := s.recover(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	b.dedup, b.ready = s.dedup, nil
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		b.dedup, b.ready, b.unsaved = nil, errRecovering, nil
		b.mu.Unlock()
	}()
	ctx, stop := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	all.Go(func() { s.takeIn(ctx) })
	all.Go(func() { s.readOn(ctx) })
	all.Go(func() { s.acknowledge(ctx) })
	all.Go(func() { s.sendReceipts(ctx) })
	err := s.commitOn(ctx)
	stop(err)
	all.Wait()
	return err
}

// takeIn lets the intake run while Kafka and the store are there. When they stay away it leaves the
// MQTT broker, which queues meanwhile and sends what was not acknowledged anew.
func (s *session) takeIn(ctx context.Context) {
	for {
		if !s.outage.waitOver(ctx) {
			return
		}
		running, leave := s.outage.whileNone(ctx)
		err := s.Intake.Run(running, s.Slots, s.dedup.Edges(), func(m brokerMessage) { s.queue.put(running, m) })
		left := running.Err() != nil
		leave()
		s.queue.clear()
		if ctx.Err() != nil {
			return
		}
		if !left {
			s.Logger.Error("the intake from MQTT ended; the bridge starts it again", telemetry.Err, err)
			if retry.Sleep(ctx, time.Second) != nil {
				return
			}
		}
	}
}

// readOn opens what came and hands it on in batches. While the commit loop is busy a batch grows.
func (s *session) readOn(ctx context.Context) {
	var batch []*message
	bytes := int64(0)
	for {
		var out chan []*message
		came := s.queue.came
		if len(batch) > 0 {
			out = s.read
		}
		if len(batch) >= s.cfg.BatchMessages || bytes >= s.cfg.BatchBytes {
			came = nil
		}
		select {
		case <-came:
			taken := s.queue.take(s.cfg.BatchMessages-len(batch), s.cfg.BatchBytes-bytes)
			for _, m := range taken {
				bytes += size(m)
			}
			batch = append(batch, s.markBlocked(allowlist(s.cfg.Edges).readAll(taken))...)
		case out <- batch:
			// What is still waiting for its place in a batch may have signalled while it was full.
			batch, bytes = nil, 0
			signal(s.queue.came)
		case <-ctx.Done():
			return
		}
	}
}

// commitOn settles batch after batch, and makes checkpoints in between.
func (s *session) commitOn(ctx context.Context) error {
	tick := time.NewTicker(s.cfg.CheckpointEvery)
	defer tick.Stop()
	for {
		select {
		case batch := <-s.read:
			s.recordPutBack()
			if err := s.commit(ctx, batch); err != nil {
				return err
			}
			if s.written >= s.cfg.CheckpointBytes || time.Since(s.checked) >= s.cfg.CheckpointEvery {
				s.checkpoint(ctx)
			}
		case <-tick.C:
			s.recordPutBack()
			s.reportCounted(ctx, false)
			s.giveUp(ctx, dedup.BoundAge, s.parts.Stale(time.Now().Add(-s.cfg.PartsAge)))
			s.checkpoint(ctx)
		case <-ctx.Done():
			// A last checkpoint makes the next start quick. It is only written while this bridge may.
			if context.Cause(ctx) != coord.ErrLost {
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
				s.reportCounted(last, true)
				s.checkpoint(last)
				cancel()
			}
			return ctx.Err()
		}
	}
}
