// Package outbox is the device's buffer: an item exists once its row is in this SQLite database,
// and leaves it when the cloud's receipt comes, or into the ledger of drops with a reason. At any
// moment, also after a power cut:
//
//	committed = received + pending + dropped
//
// One goroutine owns the database and writes whatever has gathered since its last fsync in one
// transaction. Payloads lie in a table of their own, so that an index of a million waiting items
// stays small; what waits is also held in memory, a few words each, for the uplink to choose from.
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// Draft is what a stage wants delivered. Commit makes it an item: epoch, number, id and digest.
type Draft struct {
	Kind     event.Kind
	Stream   string
	Subject  string
	Time     time.Time
	Priority event.Priority
	Value    float64 // what it is worth, 0 … 1; what goes first is chosen by value per byte
	Attrs    event.Attrs
	Type     string
	Data     []byte
	Key      string    // committing the same key again in this epoch is a no-op; empty: no key
	Expires  time.Time // dropped when it still waits then; zero: never
}

// ErrClosed says that the outbox is closed.
var ErrClosed = errors.New("the outbox is closed")

// ErrTooLarge says that an item is larger than the whole quota.
var ErrTooLarge = errors.New("the item is larger than the outbox's quota")

// Outbox is the buffer. Safe for concurrent use.
type Outbox struct {
	config Config
	edge   string
	log    *slog.Logger
	db     *sql.DB
	stmt   statements
	epoch  event.Epoch
	ask    chan request
	done   chan struct{}
	wake   chan struct{}

	mu      sync.Mutex
	waiting map[uint64]event.Ref
	fresh   []event.Ref // since the last call of Fresh
	stats   Stats
	freed   chan struct{} // closed and made anew when room is made
	closed  bool

	now     func() time.Time
	entropy *ulid.MonotonicEntropy
}

// Stats count items. Committed = Received + Waiting + Dropped.
type Stats struct {
	Committed, Received, Waiting, Dropped uint64
	Bytes                                 int64     // of the data that waits
	Oldest                                time.Time // when the oldest that waits was committed
}

// Open opens the buffer in dir, or makes it there. edge names the device. A corrupt database is
// moved aside, and a new epoch begins.
func Open(dir, edge string, c Config, log *slog.Logger) (*Outbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the outbox's folder: %w", err)
	}
	path := filepath.Join(dir, "outbox.db")
	db, err := openDatabase(path)
	if errors.Is(err, errCorrupt) {
		aside := fmt.Sprintf("%s.corrupt-%d", path, time.Now().Unix())
		log.Error("the outbox's database is corrupt: it is kept aside and a new epoch begins", "file", aside, "problem", err)
		if err = moveAside(path, aside); err == nil {
			db, err = openDatabase(path)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open the outbox %s: %w", path, err)
	}
	o := &Outbox{
		config: c, edge: edge, log: log, db: db,
		ask: make(chan request, 4*maxBatch), done: make(chan struct{}), wake: make(chan struct{}, 1),
		waiting: map[uint64]event.Ref{}, freed: make(chan struct{}), now: time.Now, entropy: entropy(),
	}
	if o.stmt, err = prepare(db); err != nil {
		db.Close()
		return nil, fmt.Errorf("open the outbox %s: %w", path, err)
	}
	if err := o.load(); err != nil {
		db.Close()
		return nil, fmt.Errorf("read the outbox %s: %w", path, err)
	}
	go o.own()
	return o, nil
}

// Epoch is this life of the buffer.
func (o *Outbox) Epoch() event.Epoch { return o.epoch }

// Commit makes drafts items and returns them once they are durable. While the quota is full it
// waits: that is the backpressure on sources that can be read again later.
func (o *Outbox) Commit(ctx context.Context, drafts ...Draft) ([]event.Item, error) {
	items := make([]event.Item, 0, len(drafts))
	answers := make([]<-chan Answer, len(drafts))
	for i, d := range drafts {
		if err := o.room(ctx, len(d.Data)); err != nil {
			return items, err
		}
		answers[i] = o.submit(ctx, d, false)
	}
	for _, answer := range answers {
		a := <-answer
		if a.Err != nil {
			return items, a.Err
		}
		items = append(items, a.Item)
	}
	return items, nil
}

// Answer is what became of a draft.
type Answer struct {
	Item event.Item
	Err  error
}

// Submit is Commit for live sources, which can't wait: the answer comes later, and where the quota
// is full the least valuable that waits is dropped, with an entry in the ledger.
func (o *Outbox) Submit(ctx context.Context, d Draft) <-chan Answer { return o.submit(ctx, d, true) }

func (o *Outbox) submit(ctx context.Context, d Draft, drop bool) <-chan Answer {
	r := request{draft: d, drop: drop, answer: make(chan Answer, 1)}
	select {
	case o.ask <- r:
	case <-o.done:
		r.answer <- Answer{Err: ErrClosed}
	case <-ctx.Done():
		r.answer <- Answer{Err: ctx.Err()}
	}
	return r.answer
}

// room waits until so many bytes fit.
func (o *Outbox) room(ctx context.Context, bytes int) error {
	if int64(bytes) > o.config.QuotaBytes {
		return fmt.Errorf("%w: %d bytes of %d: raise outbox.quota_bytes", ErrTooLarge, bytes, o.config.QuotaBytes)
	}
	for {
		o.mu.Lock()
		fits := o.stats.Bytes+int64(bytes) <= o.config.QuotaBytes && o.stats.Waiting < uint64(o.config.QuotaRows)
		freed := o.freed
		o.mu.Unlock()
		if fits {
			return nil
		}
		select {
		case <-freed:
		case <-o.done:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// Fresh gives what began to wait since the last call; at first all that waits. One caller only.
func (o *Outbox) Fresh() []event.Ref {
	o.mu.Lock()
	defer o.mu.Unlock()
	fresh := o.fresh
	o.fresh = nil
	return fresh
}

// Wake says that Fresh has something.
func (o *Outbox) Wake() <-chan struct{} { return o.wake }

// Waits says whether an item is still waiting for its receipt.
func (o *Outbox) Waits(seq uint64) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	_, ok := o.waiting[seq]
	return ok
}

// Stats counts.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	defer o.mu.Unlock()
	s := o.stats
	for _, r := range o.waiting {
		if s.Oldest.IsZero() || r.Time.Before(s.Oldest) {
			s.Oldest = r.Time
		}
	}
	return s
}

// Close commits what was asked for and closes the database.
func (o *Outbox) Close() error {
	o.mu.Lock()
	if o.closed {
		o.mu.Unlock()
		return nil
	}
	o.closed = true
	o.mu.Unlock()
	stop := request{stop: true, answer: make(chan Answer, 1)}
	o.ask <- stop
	<-o.done
	return o.db.Close()
}
