// Package uplink sends what waits in the outbox, the best first, and frees it when the cloud's
// receipt says that Kafka has it.
//
//	outbox ──refs──▶ queue ──best──▶ window ──parts──▶ link ──PUBACK──▶ awaiting a receipt ──▶ freed
//	                   ▲                                                      │
//	                   └────────────── no receipt for a while ◀───────────────┘
//
// A PUBACK frees a place in the window, never a row: a broker may die with messages in its memory.
package uplink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/time/rate"

	"cloudcanvas/shared/event"
)

// Box is the buffer.
type Box interface {
	// Fresh gives what began to wait since the last call; Wake says that there is some.
	Fresh() []event.Ref
	Wake() <-chan struct{}
	Waits(seq uint64) bool
	Load(seq uint64) (event.Item, error)
	Receive(ctx context.Context, r event.Receipt) (freed int, err error)
}

// Link is the way to the cloud's broker.
type Link interface {
	// Send returns nil once the broker has acknowledged the message.
	Send(ctx context.Context, i event.Item) error
	// Up is closed while there is a connection, and open while there is none.
	Up() <-chan struct{}
	Receipts() <-chan event.Receipt
}

// Uplink is the scheduler of one link.
type Uplink struct {
	box     Box
	link    Link
	config  Config
	log     *slog.Logger
	step    func()
	limit   *rate.Limiter
	queue   queue
	waiting map[uint64]awaited // sent, without a receipt yet
	sent    chan outcome
	flying  int
}

type awaited struct {
	ref   event.Ref
	due   time.Time
	tries int
}

type outcome struct {
	ref event.Ref
	err error
}

// New makes an uplink; step is called when it moves, for the watchdog.
func New(box Box, link Link, c Config, step func(), log *slog.Logger) *Uplink {
	u := &Uplink{box: box, link: link, config: c, log: log, step: step, waiting: map[uint64]awaited{}, sent: make(chan outcome, c.Window), limit: rate.NewLimiter(rate.Inf, 0)}
	if c.BytesPerSecond > 0 {
		u.limit = rate.NewLimiter(rate.Limit(c.BytesPerSecond), max(int(c.BytesPerSecond), c.PartBytes+4096))
	}
	return u
}

// Run sends and frees until ctx ends.
func (u *Uplink) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer func() {
		cancel()
		for ; u.flying > 0; u.flying-- {
			<-u.sent
		}
	}()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	u.queue.add(u.box.Fresh()...)
	for {
		u.fill(ctx)
		var up <-chan struct{}
		if u.flying < u.config.Window && u.queue.len() > 0 {
			up = u.link.Up() // nothing was sent for want of a connection
		}
		select {
		case <-ctx.Done():
			return nil
		case <-u.box.Wake():
			u.queue.add(u.box.Fresh()...)
		case o := <-u.sent:
			u.landed(ctx, o)
		case r := <-u.link.Receipts():
			u.receive(ctx, r)
		case <-tick.C:
			u.again(time.Now())
		case <-up:
		}
		u.step()
	}
}

// fill sends the best that waits until the window is full or there is no connection.
func (u *Uplink) fill(ctx context.Context) {
	for u.flying < u.config.Window && u.queue.len() > 0 {
		select {
		case <-u.link.Up():
		default:
			return
		}
		ref := u.queue.best()
		if !u.box.Waits(ref.Seq) {
			continue
		}
		u.flying++
		go func() { u.sent <- outcome{ref, u.send(ctx, ref)} }()
	}
}

// send loads an item and sends it, in parts where it is large.
func (u *Uplink) send(ctx context.Context, ref event.Ref) error {
	item, err := u.box.Load(ref.Seq)
	if err != nil {
		return err
	}
	for _, part := range parts(item, u.config.PartBytes) {
		if err := u.limit.WaitN(ctx, len(part.Data)); err != nil {
			return err
		}
		if err := u.link.Send(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// landed takes note of what became of a sending.
func (u *Uplink) landed(ctx context.Context, o outcome) {
	u.flying--
	w := u.waiting[o.ref.Seq]
	w.ref, w.tries = o.ref, w.tries+1
	switch {
	case o.err == nil && u.config.Receipts == ReceiptsPUBACK:
		u.puback(ctx, o.ref)
		return
	case o.err == nil:
		w.due = time.Now().Add(u.patience(w.tries))
	default:
		if !errors.Is(o.err, context.Canceled) && w.tries == 1 {
			u.log.Warn("an item was not sent; it goes again", "seq", o.ref.Seq, "problem", o.err)
		}
		w.due = time.Now().Add(time.Second)
	}
	if u.box.Waits(o.ref.Seq) {
		u.waiting[o.ref.Seq] = w
	}
}

// patience is how long a receipt may take: longer with each try, so that a slow cloud is not
// flooded with what it already has in hand.
func (u *Uplink) patience(tries int) time.Duration {
	return u.config.ReceiptTimeout << min(tries-1, 5)
}

func (u *Uplink) receive(ctx context.Context, r event.Receipt) {
	if _, err := u.box.Receive(ctx, r); err != nil {
		u.log.Error("a receipt could not be taken into the buffer", "problem", err)
		return
	}
	for seq := range u.waiting {
		if !u.box.Waits(seq) {
			delete(u.waiting, seq)
		}
	}
}

// puback frees a row on the broker's word, for plain brokers without a bridge.
func (u *Uplink) puback(ctx context.Context, ref event.Ref) {
	item, err := u.box.Load(ref.Seq)
	if err == nil {
		_, err = u.box.Receive(ctx, event.Receipt{Epoch: item.Epoch, Above: []event.Range{{From: ref.Seq, To: ref.Seq}}})
	}
	if err != nil {
		u.log.Error("a PUBACK could not be taken into the buffer", "problem", err)
	}
}

// again queues what has had no receipt for too long.
func (u *Uplink) again(now time.Time) {
	overdue := 0
	for seq, w := range u.waiting {
		if w.due.IsZero() || now.Before(w.due) {
			continue
		}
		w.due = time.Time{}
		u.waiting[seq] = w
		u.queue.add(w.ref)
		overdue++
	}
	if overdue > 0 {
		u.log.Info("no receipt yet: sending again", "items", overdue)
	}
}

// parts cuts an item that is too large for one message.
func parts(i event.Item, size int) []event.Item {
	if len(i.Data) <= size {
		return []event.Item{i}
	}
	n := (len(i.Data) + size - 1) / size
	all := make([]event.Item, n)
	for p := range all {
		part := i
		part.Kind = event.Part
		part.Data = i.Data[p*size : min((p+1)*size, len(i.Data))]
		part.Attrs.Part, part.Attrs.Parts, part.Attrs.PartOf = uint32(p), uint32(n), i.Kind
		all[p] = part
	}
	return all
}

// Config is how the link is used.
type Config struct {
	Window         int           `yaml:"window"`           // items in flight
	PartBytes      int           `yaml:"part_bytes"`       // larger items travel in parts of so many bytes
	ReceiptTimeout time.Duration `yaml:"receipt_timeout"`  // then an item goes again
	Receipts       string        `yaml:"receipts"`         // bridge, or puback for a plain broker
	BytesPerSecond float64       `yaml:"bytes_per_second"` // at most; 0: as the link takes it
}

// Ways to learn that an item has arrived.
const (
	ReceiptsBridge = "bridge"
	ReceiptsPUBACK = "puback"
)

// DefaultConfig suits a broad link.
func DefaultConfig() Config {
	return Config{Window: 32, PartBytes: 128 << 10, ReceiptTimeout: 30 * time.Second, Receipts: ReceiptsBridge}
}

// Problems lists every mistake in c.
func (c Config) Problems(add func(field, message, hint string)) {
	if c.Window < 1 || c.Window > 1024 {
		add("window", fmt.Sprintf("%d is not between 1 and 1024", c.Window), "32 suits most brokers; stay below the broker's own limit of messages in flight")
	}
	if c.PartBytes < 1024 || c.PartBytes > 512<<10 {
		add("part_bytes", fmt.Sprintf("%d is not between 1 KiB and 512 KiB", c.PartBytes), "131072 is 128 KiB")
	}
	if c.ReceiptTimeout < time.Second {
		add("receipt_timeout", fmt.Sprintf("%s is less than a second", c.ReceiptTimeout), "30s")
	}
	if c.Receipts != ReceiptsBridge && c.Receipts != ReceiptsPUBACK {
		add("receipts", fmt.Sprintf("%q is not known", c.Receipts), "bridge, or puback where a plain broker is all there is")
	}
	if c.BytesPerSecond < 0 {
		add("bytes_per_second", "is negative", "0 takes what the link gives")
	}
}
