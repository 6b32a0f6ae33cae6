// Package bridge takes what devices send over MQTT into Kafka, each item once.
//
//	MQTT ─▶ queue ─▶ decode, verify ─▶ seen? ─▶ Kafka, acks=all ─▶ seen ─▶ PUBACK ─▶ receipt
//	(bounded)            │                           │
//	                     └▶ poison: dead letters     └▶ outcome unknown: read Kafka, then go on
//
// One goroutine owns what is seen and writes batches; while one is on its way, the next gathers in
// the queue. Its memory is Kafka itself: see recover.go.
package bridge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// Intake hands on what devices send, until ctx ends. Each message must be acknowledged. It holds
// back the broker while take blocks.
type Intake interface {
	Subscribe(filter string, qos byte, handle func(broker.Message))
}

// Receipts publishes to devices.
type Receipts interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}

// Log is the part of *broker.Kafka that a bridge needs.
type Log interface {
	Append(ctx context.Context, records ...broker.Record) error
	Offsets(ctx context.Context, topic string) (map[int]broker.OffsetRange, error)
	Scan(ctx context.Context, topic string, partition int, from, to int64, handle func(broker.Record) error) error
}

// Objects is where large data rests.
type Objects interface {
	Put(ctx context.Context, key string, data []byte) error
}

// Parts are what a bridge is made of.
type Parts struct {
	Intake   Intake
	Receipts Receipts
	Log      Log
	Objects  Objects
	Logger   *slog.Logger
	Metrics  prometheus.Registerer // may be nil
	Step     func()                // called when the bridge moves, for the watchdog; may be nil
}

// Bridge is one process's share of the devices.
type Bridge struct {
	config Config
	Parts
	queue    *queue
	parts    *assembly
	metrics  *metrics
	receipts *receipts

	mu    sync.Mutex // guards edges, for Status; only the loop writes
	edges map[life]*seen

	mended  map[string]map[int]int64 // offsets of the data topics up to which all is in edges
	buried  map[ulid.ULID]bool
	checked time.Time
}

// life is one epoch of one edge.
type life struct {
	edge  string
	epoch event.Epoch
}

// New makes a bridge. Run starts it.
func New(c Config, p Parts) (*Bridge, error) {
	m, err := newMetrics(p.Metrics)
	if err != nil {
		return nil, fmt.Errorf("register the bridge's metrics: %w", err)
	}
	if p.Step == nil {
		p.Step = func() {}
	}
	b := &Bridge{config: c, Parts: p, queue: newQueue(c.QueueMessages, c.QueueBytes), parts: newAssembly(c.PartsBytes), metrics: m,
		edges: map[life]*seen{}, mended: map[string]map[int]int64{}, buried: map[ulid.ULID]bool{}}
	b.receipts = newReceipts(p.Receipts, c.ReceiptEvery, p.Logger)
	return b, nil
}

// Run takes and writes until ctx ends. What is in hand then is not acknowledged, and comes again.
func (b *Bridge) Run(ctx context.Context) error {
	if err := b.insist(ctx, "reading what Kafka has", b.recall); err != nil {
		return nil
	}
	b.Logger.Info("the bridge knows what Kafka has", "lives", len(b.edges))
	b.Intake.Subscribe(event.UpFilter, 1, func(m broker.Message) { b.queue.put(ctx, m) })
	var sending sync.WaitGroup
	defer sending.Wait()
	sending.Go(func() { b.receipts.run(ctx) })
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case m := <-b.queue.messages:
			b.batch(ctx, b.queue.gather(m, b.config.BatchMessages, b.config.BatchBytes))
		case <-tick.C:
		}
		b.Step()
		if now := time.Now(); now.Sub(b.checked) >= b.config.CheckpointEvery {
			b.checked = now
			if err := b.checkpoint(ctx); err != nil && ctx.Err() == nil {
				b.Logger.Warn("a checkpoint was not written", "problem", err)
			}
		}
	}
}

// entry is an item on its way into Kafka, and whom to acknowledge it to.
type entry struct {
	item event.Item
	acks []func()
}

// batch takes messages all the way. It returns when everything in it is in Kafka or ctx ended.
func (b *Bridge) batch(ctx context.Context, messages []broker.Message) {
	entries := make([]entry, 0, len(messages))
	inHand := make(map[ulid.ULID]int, len(messages))
	for _, m := range messages {
		item, err := b.open(m)
		if err != nil {
			b.bury(ctx, m, item, err)
			continue
		}
		if item.Kind == event.Part {
			whole, done, err := b.parts.add(item)
			if err != nil {
				b.bury(ctx, m, item, err)
				continue
			}
			m.Ack() // see assembly
			if !done {
				continue
			}
			if err := whole.Verify(); err != nil {
				b.Logger.Warn("the parts of an item do not make what was promised; it comes again", "edge", item.Edge, "seq", item.Seq, "problem", err)
				continue
			}
			item, m.Ack = whole, func() {}
		}
		if b.known(item) {
			b.metrics.duplicates.Inc()
			b.due(item)
			m.Ack()
			continue
		}
		if at, twice := inHand[item.ID]; twice {
			b.metrics.duplicates.Inc()
			entries[at].acks = append(entries[at].acks, m.Ack)
			continue
		}
		inHand[item.ID] = len(entries)
		entries = append(entries, entry{item, []func(){m.Ack}})
	}
	b.write(ctx, entries)
}

// open decodes a message and checks that it is what its topic says.
func (b *Bridge) open(m broker.Message) (event.Item, error) {
	edge, _, kind, err := event.ParseTopic(m.Topic)
	if err != nil {
		return event.Item{}, err
	}
	item, err := event.UnmarshalMQTT(m.Payload)
	switch {
	case err != nil:
		return item, err
	case item.Edge != edge:
		return item, fmt.Errorf("%w: the topic is %s's, the envelope %s's", event.ErrMalformed, edge, item.Edge)
	case item.Kind != kind:
		return item, fmt.Errorf("%w: the topic says %s, the envelope %s", event.ErrMalformed, kind, item.Kind)
	case item.Seq == 0 || !item.Epoch.Valid():
		return item, fmt.Errorf("%w: an item without epoch and number can't be kept apart from others", event.ErrIncomplete)
	}
	return item, nil
}

func (b *Bridge) of(i event.Item) *seen {
	s := b.edges[life{i.Edge, i.Epoch}]
	if s == nil {
		s = newSeen()
		b.mu.Lock()
		b.edges[life{i.Edge, i.Epoch}] = s
		b.mu.Unlock()
	}
	return s
}

func (b *Bridge) known(i event.Item) bool { return b.of(i).has(i.Seq) }

// write appends entries until Kafka has them all.
func (b *Bridge) write(ctx context.Context, entries []entry) {
	for wait := 100 * time.Millisecond; len(entries) > 0 && ctx.Err() == nil; wait = min(2*wait, 10*time.Second) {
		records, err := b.records(ctx, entries)
		if err == nil {
			err = b.Log.Append(ctx, records...)
		}
		var failed *broker.AppendError
		switch {
		case err == nil:
			for _, e := range entries {
				b.landed(e)
			}
			return
		case errors.As(err, &failed):
			entries = b.sift(ctx, entries, failed)
		}
		if len(entries) == 0 || ctx.Err() != nil {
			return
		}
		b.Logger.Warn("Kafka did not take everything; trying again", "items", len(entries), "problem", err)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// sift takes off what a failed append has settled, and gives back what must be written again. Where
// an outcome is unknown it looks into Kafka first.
func (b *Bridge) sift(ctx context.Context, entries []entry, failed *broker.AppendError) (again []entry) {
	if failed.Count(broker.Unknown) > 0 {
		if err := b.insist(ctx, "reading what Kafka has", b.recover); err != nil {
			return nil
		}
	}
	for n, e := range entries {
		switch o := failed.Outcomes[n]; {
		case o == broker.Confirmed:
			b.landed(e)
		case o == broker.Unknown && b.known(e.item):
			b.landed(e)
		case o == broker.Refused && errors.Is(failed.Errs[n], broker.ErrRecordTooLarge):
			b.buryItem(ctx, e, failed.Errs[n])
		default:
			again = append(again, e)
		}
	}
	return again
}

// landed notes that Kafka has an item, acknowledges it, and owes the device a receipt.
func (b *Bridge) landed(e entry) {
	b.mu.Lock()
	s := b.edges[life{e.item.Edge, e.item.Epoch}]
	s.add(e.item.Seq)
	if e.item.Kind == event.Ack {
		if report, err := event.ParseDropReport(e.item); err == nil {
			for _, d := range report.Drops {
				s.add(d.Seq)
			}
		}
	}
	b.mu.Unlock()
	b.metrics.items.Inc()
	b.metrics.bytes.Add(float64(len(e.item.Data)))
	for _, ack := range e.acks {
		ack()
	}
	b.due(e.item)
}

// records turns entries into records; data too large for one rests in the object store.
func (b *Bridge) records(ctx context.Context, entries []entry) ([]broker.Record, error) {
	records := make([]broker.Record, len(entries))
	for n, e := range entries {
		i := e.item
		if len(i.Data) > b.config.InlineBytes {
			i.Attrs.DataRef = fmt.Sprintf("data/%s/%s/%d-%s", i.Edge, i.Epoch, i.Seq, i.ID)
			if err := b.Objects.Put(ctx, i.Attrs.DataRef, i.Data); err != nil {
				return nil, fmt.Errorf("keep the data of item %d of %s: %w", i.Seq, i.Edge, err)
			}
			i.Data = nil
		}
		records[n] = broker.RecordOf(i)
	}
	return records, nil
}

func (b *Bridge) due(i event.Item) {
	l := life{i.Edge, i.Epoch}
	b.receipts.owe(l, func() event.Receipt {
		b.mu.Lock()
		defer b.mu.Unlock()
		s := b.edges[l]
		return event.Receipt{Epoch: l.epoch, Through: s.through, Above: s.ranges(event.MaxRanges)}
	})
}

// insist does something until it works or ctx ends.
func (b *Bridge) insist(ctx context.Context, what string, do func(context.Context) error) error {
	for wait := 200 * time.Millisecond; ; wait = min(2*wait, 10*time.Second) {
		err := do(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		b.Logger.Warn(what+" failed; trying again", "problem", err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}

// Status is what a bridge knows of one life of an edge.
type Status struct {
	Edge    string        `json:"edge"`
	Epoch   event.Epoch   `json:"epoch"`
	Through uint64        `json:"through"`
	Above   []event.Range `json:"above"` // there is a gap below each
}

// Status lists every life of every edge.
func (b *Bridge) Status() []Status {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Status
	for l, s := range b.edges {
		all = append(all, Status{l.edge, l.epoch, s.through, s.ranges(event.MaxRanges)})
	}
	return all
}
