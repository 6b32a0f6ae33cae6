package simulate

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

// FleetOptions say how many light edges send what to one MQTT broker.
type FleetOptions struct {
	URL         string // of the MQTT broker
	Security    security.Security
	Edges       int
	Items       int // of each edge
	Bytes       int // of an item's data
	Connections int // that the edges share, as brokers bridge them; Edges: one each
	Rate        float64
	Name        string // the edges are NAME-0, NAME-1, …
	Log         *slog.Logger
}

// FleetReport is what came of it.
type FleetReport struct {
	Edges    int           `json:"edges"`
	Items    int           `json:"items"`
	Sent     int64         `json:"sent"`     // messages, with those that went again
	Receipts int64         `json:"receipts"` // that came
	Missing  int           `json:"missing"`  // items that no receipt names
	Took     time.Duration `json:"took_ns"`
	Rate     float64       `json:"items_per_second"`
	Epoch    event.Epoch   `json:"epoch"` // of all edges
}

// fleet is the edges on their way.
type fleet struct {
	FleetOptions
	epoch   event.Epoch
	through []atomic.Uint64 // by edge: the last receipt's watermark
	number  map[string]int  // edges by name
	told    chan struct{}
	sent    atomic.Int64
	heard   atomic.Int64
}

// overdue is how long an edge waits for its receipt before it sends again.
const overdue = 5 * time.Second

// Fleet lets every edge come online, send its items and wait until receipts name all of them. Edges
// here have no buffer: they are the load of a bridge, not the proof of a device.
func Fleet(ctx context.Context, o FleetOptions) (FleetReport, error) {
	var random [8]byte
	rand.Read(random[:])
	f := &fleet{FleetOptions: o, epoch: event.Epoch(hex.EncodeToString(random[:])), through: make([]atomic.Uint64, o.Edges),
		number: make(map[string]int, o.Edges), told: make(chan struct{}, 1)}
	for n := range o.Edges {
		f.number[f.edge(n)] = n
	}
	clients := make([]*mqtt.Client, o.Connections)
	for n := range clients {
		client, err := mqtt.Dial(ctx, mqtt.Options{URL: o.URL, ClientID: fmt.Sprintf("%s-fleet-%d", o.Name, n), Security: o.Security, Log: o.Log})
		if err != nil {
			return FleetReport{}, err
		}
		defer client.Close()
		clients[n] = client
	}
	// One ear for all: the fleet's own receipts are told apart by name and epoch.
	clients[0].Subscribe("canvas/v1/+/down/"+event.DownReceipts, 1, f.hear)
	began := time.Now()
	err := f.send(ctx, clients)
	r := FleetReport{Edges: o.Edges, Items: o.Edges * o.Items, Sent: f.sent.Load(), Receipts: f.heard.Load(), Took: time.Since(began), Epoch: f.epoch}
	for n := range f.through {
		r.Missing += o.Items - int(min(f.through[n].Load(), uint64(o.Items)))
	}
	r.Rate = float64(r.Items-r.Missing) / r.Took.Seconds()
	return r, err
}

func (f *fleet) edge(n int) string { return fmt.Sprintf("%s-%d", f.Name, n) }

// hear takes a receipt.
func (f *fleet) hear(m mqtt.Message) {
	i, err := event.UnmarshalMQTT(m.Payload)
	if err != nil {
		return
	}
	r, err := event.ParseReceipt(i)
	n, ours := f.number[i.Edge]
	if err != nil || !ours || r.Epoch != f.epoch {
		return
	}
	f.heard.Add(1)
	for {
		before := f.through[n].Load()
		if r.Through <= before || f.through[n].CompareAndSwap(before, r.Through) {
			break
		}
	}
	select {
	case f.told <- struct{}{}:
	default:
	}
}

// send goes round the edges, an item of each at a time, until receipts name all.
func (f *fleet) send(ctx context.Context, clients []*mqtt.Client) error {
	var pace <-chan time.Time
	if f.Rate > 0 {
		ticker := time.NewTicker(max(time.Duration(float64(time.Second)/f.Rate), time.Microsecond))
		defer ticker.Stop()
		pace = ticker.C
	}
	if err := f.each(ctx, clients, nil, func(ctx context.Context, c *mqtt.Client, n int) error { return f.greet(ctx, c, n) }); err != nil {
		return err
	}
	for seq := 1; seq <= f.Items; seq++ {
		if err := f.each(ctx, clients, pace, func(ctx context.Context, c *mqtt.Client, n int) error { return f.item(ctx, c, n, uint64(seq)) }); err != nil {
			return err
		}
	}
	for {
		behind := 0
		for n := range f.through {
			if f.through[n].Load() < uint64(f.Items) {
				behind++
			}
		}
		if behind == 0 {
			return nil
		}
		select {
		case <-f.told:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d edges wait for receipts: %w", behind, f.Edges, ctx.Err())
		case <-time.After(overdue): // nothing was heard of anybody: it goes again
			err := f.each(ctx, clients, pace, func(ctx context.Context, c *mqtt.Client, n int) error {
				for seq := f.through[n].Load() + 1; seq <= uint64(f.Items); seq++ {
					if err := f.item(ctx, c, n, seq); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
		}
	}
}

// each does something once for every edge, for many at once.
func (f *fleet) each(ctx context.Context, clients []*mqtt.Client, pace <-chan time.Time, do func(context.Context, *mqtt.Client, int) error) error {
	const underWay, most = 16, 4096 // messages of a connection, and of all
	group, ctx := errgroup.WithContext(ctx)
	var turn sync.Mutex
	next := 0
	for range min(len(clients)*underWay, most) {
		group.Go(func() error {
			for {
				turn.Lock()
				n := next
				next++
				turn.Unlock()
				if n >= f.Edges {
					return nil
				}
				if pace != nil {
					select {
					case <-pace:
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				if err := do(ctx, clients[n%len(clients)], n); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func (f *fleet) greet(ctx context.Context, c *mqtt.Client, n int) error {
	payload := fmt.Sprintf(`{"status":"online","edge":%q,"epoch":%q,"version":"simulated"}`, f.edge(n), f.epoch)
	return f.publish(ctx, c, event.StatusTopic(f.edge(n)), []byte(payload))
}

func (f *fleet) item(ctx context.Context, c *mqtt.Client, n int, seq uint64) error {
	data := make([]byte, f.Bytes)
	copy(data, fmt.Sprintf(`{"simulated":%d}`, seq))
	now := time.Now().UTC()
	// An item that goes again keeps its id: by it the bridge knows that it is the same.
	id := event.Sum(fmt.Appendf(nil, "%s %s %d", f.edge(n), f.epoch, seq))
	i := event.Item{ID: ulid.ULID(id[:16]), Edge: f.edge(n), Epoch: f.epoch, Seq: seq, Kind: event.Reading, Stream: "fleet",
		Subject: "fleet", Time: now, Priority: event.Normal, Type: "application/octet-stream", SHA256: event.Sum(data), Data: data}
	payload, err := i.MarshalMQTT()
	if err != nil {
		return err
	}
	return f.publish(ctx, c, event.Topic(i.Edge, i.Priority, i.Kind), payload)
}

// publish sends until the broker has it.
func (f *fleet) publish(ctx context.Context, c *mqtt.Client, topic string, payload []byte) error {
	for {
		f.sent.Add(1)
		err := c.Publish(ctx, topic, 1, false, payload)
		if err == nil || ctx.Err() != nil {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
