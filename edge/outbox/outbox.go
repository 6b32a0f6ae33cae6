// Package outbox is the device's buffer: an item exists once its row is in this SQLite database,
// and leaves it when the cloud's receipt comes, or into the ledger of drops with a reason. At any
// moment, also after a power cut:
//
//	committed = received + waiting + dropped
//
// One goroutine owns the database and writes whatever has gathered since its last fsync in one
// transaction. Small payloads lie in a table of their own, larger ones in segment files beside it, so
// that the index stays small. What waits is not held in memory: the buffer opens, and runs, with a
// million items as with none. docs/outbox.md describes the files.
//
//	submit, writer, statements, segments       drafts become items, one transaction after another
//	fresh, load, reader                        what waits, for the uplink and for people
//	receive, epochs, refuse, gaps              receipts, and the numbers by which the cloud knows items
//	room, expire, report                       what is dropped, and how the cloud learns of it
//	open, database, witness, troubles, disk    what may be wrong with a disk
//	salvage*                                   what is read out of a damaged database
package outbox

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

var (
	// ErrClosed says that the outbox is closed.
	ErrClosed = errors.New("the outbox is closed")
	// ErrTooLarge says that an item is larger than the whole quota.
	ErrTooLarge = errors.New("the item is larger than the outbox's quota")
	// ErrLocked says that another process has the outbox open.
	ErrLocked = errors.New("the outbox is in use")
	// ErrGone says that an item waits no more: it was received or dropped.
	ErrGone = errors.New("the item waits no more")
)

// Outbox is the buffer. Safe for concurrent use.
type Outbox struct {
	config   Config
	dir      string
	edge     string
	log      *slog.Logger
	db       *sql.DB
	lock     *os.File
	write    *writer // the owner's
	segments *segments
	ballast  ballast
	id       event.Epoch // of the database
	requests chan request
	senders  sync.RWMutex // held by those who hand over a request
	done     chan struct{}
	wake     chan struct{}
	corrupt  chan struct{} // closed when that is seen while running

	stopCheck     func()
	markedCorrupt sync.Once

	mu      sync.Mutex
	fresh   []event.Ref // since the last call of Fresh
	parts   map[uint64]heldParts
	streams map[string]usage
	stats   Stats
	terms   terms
	begun   bool          // the current epoch is written down
	ceiling int64         // of the bytes that wait while the disk is full; 0: the quota holds
	freed   chan struct{} // closed and made anew when room is made
	closed  bool

	reading    sync.Mutex // of Fresh
	backlog    *backlog   // what waited when the outbox was opened; nil once all is given out
	unreadable bool       // the last reading of it failed
	chunk      int        // freshAtOnce

	receiving        sync.Mutex                      // one receipt at a time
	freedAbove       map[event.Epoch][]event.Range   // above the watermark, by the last receipt of each epoch
	deferred         map[event.Epoch]deferredReceipt // receipts that the disk has not taken
	firstAnswer      time.Time                       // when the cloud first did, since the start
	gapReceipts      map[event.Epoch]gapReceipt      // receipts for epochs with gaps
	gaps             map[event.Epoch]gap             // numbers of which nobody knows what became of them
	losses           map[event.Epoch]int             // ranges that are not reported yet
	foreign, refused atomic.Uint64                   // receipts of other buffers' epochs, and such as can't be true

	fault           *fault // nil: the disk takes writes
	faultEnded      time.Time
	fullSince       time.Time
	diskBack        chan struct{} // closed when it does again
	troubles        []keptTrouble
	found           []event.Trouble // while it was opened
	troublesChanged bool            // since the troubles' file was written
	troublesWritten time.Time       // when it was written
	changed         chan struct{}
	lastWitness     witness // as it was written last

	behind []string // streams whose last transaction stopped dropping short of a quota; the owner's

	disk    func() error // what a write meets: nil, but in tests
	clock   wallClock
	now     func() time.Time
	entropy *ulid.MonotonicEntropy
}

// Stats count items. Committed = Received + Waiting + Dropped.
type Stats struct {
	Committed, Received, Waiting, Dropped uint64
	Bytes                                 int64     // of the data that waits
	Oldest                                time.Time // when the oldest that waits was committed
	Full                                  bool      // the disk is; the ballast is spent
}

// usage is what waits of one stream.
type usage struct{ waiting, bytes int64 }

func databasePath(dir string) string { return filepath.Join(dir, "outbox.db") }

func (o *Outbox) segmentFolder() string { return filepath.Join(o.dir, "segments") }

// suspectFile says that something was found wrong while running: the next start checks every page.
func suspectFile(dir string) string { return filepath.Join(dir, "suspect") }

func (o *Outbox) start(p *opening, w *damagedBuffer) (err error) {
	o.chunk = freshAtOnce
	if err = o.load(); err != nil {
		return err
	}
	switch {
	case w != nil:
		err = o.adopt(w.base())
	case p.missing != "" && (p.hasWitness && p.witness.Committed > 0 || p.segments > 0):
		o.reportMissing(p.witness, p.hasWitness, p.missing, p.segments, p.bytes)
		err = o.takeOver(p.witness)
	case p.missing == "" && p.hasWitness:
		err = o.compareWitness(p.witness)
	}
	if err != nil {
		return err
	}
	if err := indexStreams(o.db, o.config); err != nil {
		o.log.Warn("the outbox could not make its index by stream; quotas of streams take longer to keep", "folder", o.dir, telemetry.Err, err)
	}
	if o.write, err = newWriter(o.db); err != nil {
		return err
	}
	if o.stats.Waiting > 0 {
		o.backlog = &backlog{through: o.stats.Committed, maxSorted: maxSorted}
		o.wake <- struct{}{}
	}
	o.ballast.keep(o.log)
	ctx, stop := context.WithCancel(context.Background())
	checked := make(chan struct{})
	o.stopCheck = func() { stop(); <-checked }
	go o.own()
	go func() { o.checkPages(ctx); close(checked) }()
	return nil
}

// checkPages checks every page of a large database while it is used.
func (o *Outbox) checkPages(ctx context.Context) {
	if info, err := os.Stat(databasePath(o.dir)); err != nil || info.Size() <= maxCheckedAtStart {
		return // it was checked before it was used
	}
	if err := check(ctx, o.db, "quick_check"); err != nil && ctx.Err() == nil {
		o.noteIfCorrupt(err)
	}
}

// Corrupt is closed when the database is found to be corrupt while it is used: start again, which
// salvages what can be read.
func (o *Outbox) Corrupt() <-chan struct{} { return o.corrupt }

// Stats counts.
func (o *Outbox) Stats() Stats {
	o.mu.Lock()
	s := o.stats
	o.mu.Unlock()
	if s.Waiting > 0 {
		var at int64
		if o.db.QueryRow("SELECT committed FROM items ORDER BY seq LIMIT 1").Scan(&at) == nil {
			s.Oldest = time.Unix(0, at)
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
	o.requests <- request{stop: true}
	<-o.done
	o.reading.Lock()
	if o.backlog != nil {
		o.backlog.close()
		o.backlog = nil
	}
	o.reading.Unlock()
	o.stopCheck()
	o.writeWitness(true)
	o.write.close()
	return errors.Join(o.db.Close(), o.segments.close(), o.lock.Close())
}
