package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

// settle is how long a bridge waits for more slots before it goes to work with those it has got:
// they come one by one, and each change costs a recovery.
const settle = 200 * time.Millisecond

// alone carries everything whenever this bridge holds the one lease. It owns the slots beside it, so
// that bridges that share do not get in its way, whoever is configured wrongly.
func (b *Bridge) alone(ctx context.Context) error {
	for {
		b.setReady(ErrStandingBy)
		b.Logger.Info("waiting for the bridge's lease")
		err := b.Leases.Own(ctx, Lease, func(ctx context.Context, _ coord.Lease) error {
			all := make(chan SlotSet, 1)
			all <- EverySlot
			return b.carry(ctx, all)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, coord.ErrLost) {
			return err
		}
		b.Logger.Warn("the bridge's lease is lost, stopped until it is had again")
	}
}

// share carries what falls to this bridge among those that are there.
func (b *Bridge) share(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members, err := b.Leases.Members(ctx, coord.Bridge)
	if err != nil {
		return fmt.Errorf("asking which bridges there are: %w", err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	joined := make(chan error, 1)
	all.Go(func() { joined <- b.Leases.Join(ctx, b.Member) })
	shares := make(chan SlotSet)
	all.Go(func() {
		for there := range members {
			names := make([]string, len(there))
			for n, m := range there {
				names[n] = m.ID
			}
			select {
			case shares <- shareOf(names, b.Member.ID):
			case <-ctx.Done():
			}
		}
	})
	all.Go(func() {
		if err := <-joined; ctx.Err() == nil {
			b.Logger.Error("this bridge can't be among the others, it stops", telemetry.Err, err)
			cancel()
		}
	})
	return b.carry(ctx, shares)
}

// claim is a slot that is owned, or waited for.
type claim struct {
	slot    int
	release context.CancelFunc // stops waiting; an owner gives the slot back once it is let go
	letGo   chan struct{}      // closed when no shift uses it any more
	owned   bool
	lost    context.Context // of the lease
	epoch   coord.Epoch
}

// claimed is news of a claim: it is owned now (lease is set), or over.
type claimed struct {
	*claim
	lease coord.Lease
	ctx   context.Context
	err   error
}

// carry claims the slots that it is told of, gives back those it is told of no more, and works for
// the edges of those it owns. A slot is given back only when nothing works for it any more.
func (b *Bridge) carry(ctx context.Context, wanted <-chan SlotSet) error {
	var (
		want    SlotSet
		claims  = map[int]*claim{}
		events  = make(chan claimed)
		working *workday // nil: nothing is owned
		changed = time.NewTimer(0)
	)
	defer changed.Stop()
	defer func() {
		working.end()
		open := len(claims)
		for _, c := range claims {
			c.release()
			if c.owned {
				close(c.letGo)
			}
		}
		for open > 0 {
			if e := <-events; e.lease == nil {
				open--
			} else {
				close(e.letGo)
			}
		}
		b.metrics.slots.Set(0)
	}()
	for {
		select {
		case want = <-wanted:
			for slot := range want.All() {
				if claims[slot] == nil {
					claims[slot] = b.claim(ctx, slot, events)
				}
			}
			for slot, c := range claims {
				if !want.Has(slot) && !c.owned {
					c.release()
				}
			}
			changed.Reset(settle)
		case e := <-events:
			if e.lease != nil {
				e.owned, e.lost, e.epoch = true, e.ctx, e.lease.Epoch()
			} else {
				delete(claims, e.slot)
				if e.err != nil && !errors.Is(e.err, coord.ErrLost) && !errors.Is(e.err, context.Canceled) {
					return fmt.Errorf("owning slot %d: %w", e.slot, e.err)
				}
				if want.Has(e.slot) && ctx.Err() == nil {
					claims[e.slot] = b.claim(ctx, e.slot, events)
				}
			}
			if e.lease != nil && ownedOf(claims, want).slots == want {
				changed.Reset(0) // nothing more to wait for
			} else {
				changed.Reset(settle)
			}
		case <-working.over():
			// A lease is lost, or ctx has ended: what is lost is let go of now.
			if err := working.end(); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) {
				return err
			}
			working = nil
			changed.Reset(0)
		case <-changed.C:
			own := ownedOf(claims, want)
			if working != nil && working.tenure == own {
				break
			}
			working.end()
			working = nil
			for slot, c := range claims {
				if c.owned && !own.slots.Has(slot) {
					c.owned = false
					c.release()
					close(c.letGo)
				}
			}
			b.metrics.slots.Set(float64(own.slots.Len()))
			if own.slots == 0 {
				b.setReady(ErrStandingBy)
				break
			}
			b.Logger.Info("the bridge carries its slots of edges", "slots", own.slots.Len())
			working = b.begin(ctx, own, claims)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ownedOf is what of the wanted is owned and not lost.
func ownedOf(claims map[int]*claim, want SlotSet) (own tenure) {
	for slot, c := range claims {
		if want.Has(slot) && c.owned && c.lost.Err() == nil {
			own.slots |= 1 << slot
			own.epochs[slot] = c.epoch
		}
	}
	return own
}

// claim waits for a slot. While it is owned its lease is kept until it is let go, even where it is
// lost: nobody may believe that this bridge has stopped before it has.
func (b *Bridge) claim(ctx context.Context, slot int, events chan<- claimed) *claim {
	ctx, release := context.WithCancel(ctx)
	c := &claim{slot: slot, release: release, letGo: make(chan struct{})}
	go func() {
		err := b.Leases.Own(ctx, SlotLease(slot), func(held context.Context, l coord.Lease) error {
			events <- claimed{claim: c, lease: l, ctx: held}
			<-c.letGo
			return nil
		})
		release()
		events <- claimed{claim: c, err: err}
	}()
	return c
}

// workday is a shift under way.
type workday struct {
	tenure tenure
	stop   context.CancelCauseFunc
	done   chan struct{}
	err    error
}

// begin lets a shift work until the first of its leases is lost.
func (b *Bridge) begin(ctx context.Context, own tenure, claims map[int]*claim) *workday {
	w := &workday{tenure: own, done: make(chan struct{})}
	ctx, w.stop = context.WithCancelCause(ctx)
	var watches []func() bool
	for slot := range own.slots.All() {
		lost := claims[slot].lost
		watches = append(watches, context.AfterFunc(lost, func() { w.stop(context.Cause(lost)) }))
	}
	go func() {
		defer close(w.done)
		w.err = b.work(ctx, own)
		for _, unwatch := range watches {
			unwatch()
		}
	}()
	return w
}

func (w *workday) over() <-chan struct{} {
	if w == nil {
		return nil
	}
	return w.done
}

// end stops the shift, with a last checkpoint where its leases still hold, and waits for it.
func (w *workday) end() error {
	if w == nil {
		return nil
	}
	w.stop(context.Canceled)
	<-w.done
	return w.err
}
