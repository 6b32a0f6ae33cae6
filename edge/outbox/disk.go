package outbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
	lib "modernc.org/sqlite/lib"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// ErrDisk says that the disk takes no writes: it is read-only, or answers with errors. What was
// committed is still there, and what can wait waits.
var ErrDisk = errors.New("the outbox's disk takes no writes")

// fault is a disk that takes no writes. It is one state with one line at its beginning and one at its
// end; meanwhile the disk is tried again, less and less often.
type fault struct {
	kind    string // ReadOnly or Failing
	err     error
	since   time.Time
	wait    time.Duration
	next    time.Time // when the disk is tried again
	refused uint64    // requests
	logged  bool
}

const (
	firstFaultWait = 500 * time.Millisecond
	mostFaultWait  = 30 * time.Second
	// faultRest is how long after one fault the next is logged: a disk that fails now and
	// then must not fill it.
	faultRest = time.Minute
)

// isDisk says whether an error is the disk's, and not that of what was to be written.
func isDisk(err error) bool {
	if err == nil || isFull(err) {
		return false
	}
	if errors.Is(err, ErrDisk) || errors.Is(err, unix.EIO) || errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) {
		return true
	}
	c := code(err)
	return c == lib.SQLITE_IOERR || c == lib.SQLITE_READONLY || c == lib.SQLITE_CANTOPEN
}

func (f *fault) trouble() event.Trouble {
	text := "the disk answers with errors (" + f.err.Error() + "): look at `dmesg`, and replace it; stop the agent and copy its data folder while it can still be read"
	if f.kind == ReadOnly {
		text = "the disk is read-only: a filesystem that has seen errors is often put so. Look at `dmesg`, stop the agent, check it with fsck and mount it again, or replace it"
	}
	return event.Trouble{Kind: f.kind, Text: text + ". What was committed stays and is sent; live sources are not captured meanwhile, others wait", Since: f.since.UTC()}
}

// probe says whether the disk takes a write, by a small one.
func (o *Outbox) probe() error {
	if err := o.disk(); err != nil {
		return err
	}
	return probe(o.dir)
}

func probe(dir string) error {
	f, err := os.CreateTemp(dir, "probe")
	if err == nil {
		_, err = f.Write([]byte("?"))
		err = errors.Join(err, f.Sync(), f.Close(), os.Remove(f.Name()))
	}
	if !isDisk(err) {
		return nil
	}
	return err
}

// diskResting says whether the disk is to be left alone for now; the owner's.
func (o *Outbox) diskResting() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.fault == nil || !o.now().Before(o.fault.next) {
		return nil
	}
	o.fault.refused++
	return fmt.Errorf("%w: %w", ErrDisk, o.fault.err)
}

// diskFailed notes that the disk does not take a write.
func (o *Outbox) diskFailed(err error) error {
	o.mu.Lock()
	now := o.now()
	begins := o.fault == nil
	if begins {
		o.fault = &fault{kind: Failing, since: now, wait: firstFaultWait, logged: now.Sub(o.faultEnded) > faultRest}
		o.diskBack = make(chan struct{})
	} else {
		o.fault.wait = min(2*o.fault.wait, mostFaultWait)
	}
	f := o.fault
	f.err, f.next = err, now.Add(f.wait)
	f.refused++
	var disk unix.Statfs_t
	if errors.Is(err, unix.EROFS) || code(err) == lib.SQLITE_READONLY || unix.Statfs(o.dir, &disk) == nil && disk.Flags&unix.ST_RDONLY != 0 {
		f.kind = ReadOnly
	}
	logged, t := f.logged, f.trouble()
	o.mu.Unlock()
	if begins && logged {
		o.log.Error("the outbox's disk takes no writes: "+t.Text, "trouble", t.Kind, "folder", o.dir, telemetry.Err, err)
	}
	if begins {
		o.signalChanged()
	}
	return fmt.Errorf("%w: %w", ErrDisk, err)
}

// Outage is a time in which the disk took no writes, in the data of its alert.
type Outage struct {
	Kind    string    `json:"kind"`
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Refused uint64    `json:"refused"` // requests to the buffer; of those some were tried again
	Error   string    `json:"error"`
}

// diskWorks notes that the disk takes writes.
func (o *Outbox) diskWorks() {
	o.mu.Lock()
	f := o.fault
	if f == nil {
		o.mu.Unlock()
		return
	}
	o.fault, o.faultEnded = nil, o.now()
	close(o.diskBack)
	o.mu.Unlock()
	if f.logged {
		o.log.Info("the outbox's disk takes writes again", "trouble", f.kind, "folder", o.dir, "seconds", o.now().Sub(f.since).Seconds(), "refused", f.refused)
		go o.alert(f.kind, Outage{Kind: f.kind, From: f.since.UTC(), To: o.now().UTC(), Refused: f.refused, Error: f.err.Error()})
	}
	o.signalChanged()
}

// waitForDisk waits until the disk may take writes again.
func (o *Outbox) waitForDisk(ctx context.Context) error {
	o.mu.Lock()
	f, back := o.fault, o.diskBack
	var wait time.Duration
	if f != nil {
		wait = f.next.Sub(o.now())
	}
	o.mu.Unlock()
	if f == nil {
		return nil
	}
	next := time.NewTimer(max(wait, time.Millisecond))
	defer next.Stop()
	select {
	case <-next.C:
	case <-back:
	case <-o.done:
		return ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// deferredReceipt is a receipt that came while the disk took no writes.
type deferredReceipt struct {
	receipt event.Receipt
	bounds  bounds
}

// deferReceipt keeps a receipt in memory. What it covers is not sent again; a later one of its epoch covers all
// that it covered.
func (o *Outbox) deferReceipt(r event.Receipt, t bounds) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deferred[r.Epoch] = deferredReceipt{r, t}
}

func (o *Outbox) dropDeferred(epoch event.Epoch) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.deferred, epoch)
}

// coveredByDeferred says whether a deferred receipt covers an item. The caller holds mu.
func (o *Outbox) coveredByDeferred(seq uint64) bool {
	if len(o.deferred) == 0 {
		return false
	}
	epoch, number := o.terms.place(seq)
	w, ok := o.deferred[epoch]
	return ok && number <= w.bounds.through && w.receipt.Has(number)
}

// takeDeferred takes in the deferred receipts.
func (o *Outbox) takeDeferred(ctx context.Context) error {
	o.mu.Lock()
	var all []event.Receipt
	if o.fault == nil {
		for _, w := range o.deferred {
			all = append(all, w.receipt)
		}
	}
	o.mu.Unlock()
	for _, r := range all {
		if _, err := o.Receive(ctx, r); err != nil {
			return err
		}
	}
	return nil
}
