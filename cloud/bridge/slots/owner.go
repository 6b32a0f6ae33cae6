package slots

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

// Leases says which bridge may carry what. It is a part of coord.Coordinator.
type Leases interface {
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
	Join(ctx context.Context, m coord.Member) error
	Members(ctx context.Context, role string) (<-chan []coord.Member, error)
}

// Owner owns slots for a bridge. One goroutine knows which they are; a slot is given back only when
// nothing works for it any more.
type Owner struct {
	Leases Leases
	Member coord.Member // this bridge among those that share
	// Work carries the edges of those slots, until ctx ends. It is called anew whenever the slots change.
	Work func(context.Context, Owned) error
	// Changed is called with the slots that are owned now; none while the bridge stands by.
	Changed func(Set)
	Log     *slog.Logger
}

// collectFor is how long a bridge waits for more slots before it goes to work with those it has got:
// they come one by one, and each change costs a recovery.
const collectFor = 200 * time.Millisecond

// Alone owns everything whenever this bridge holds the one lease. It owns the slots beside it, so
// that bridges that share do not get in its way, whichever is configured wrongly.
func (o Owner) Alone(ctx context.Context, lease string) error {
	for {
		o.Changed(0)
		o.Log.Info("the bridge waits for its lease", "lease", lease)
		err := o.Leases.Own(ctx, lease, func(ctx context.Context, _ coord.Lease) error {
			all := make(chan Set, 1)
			all <- Every
			return o.follow(ctx, all)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, coord.ErrLost) {
			return err
		}
		o.Log.Warn("the bridge has lost its lease; it stops until it has the lease again", "lease", lease)
	}
}

// Shared owns what falls to this bridge among those that are there.
func (o Owner) Shared(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members, err := o.Leases.Members(ctx, coord.Bridge)
	if err != nil {
		return fmt.Errorf("asking which bridges there are: %w", err)
	}
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	joined := make(chan error, 1)
	all.Go(func() { joined <- o.Leases.Join(ctx, o.Member) })
	shares := make(chan Set)
	all.Go(func() {
		for there := range members {
			names := make([]string, len(there))
			for n, m := range there {
				names[n] = m.ID
			}
			select {
			case shares <- Share(names, o.Member.ID):
			case <-ctx.Done():
			}
		}
	})
	all.Go(func() {
		if err := <-joined; ctx.Err() == nil {
			o.Log.Error("this bridge can't join the others; it stops", telemetry.Err, err)
			cancel()
		}
	})
	return o.follow(ctx, shares)
}

// slotLease is the lease of a slot that is owned, or waited for.
type slotLease struct {
	slot    int
	release context.CancelFunc // stops waiting; an owner gives the slot back once it is let go
	letGo   chan struct{}      // closed when no session uses it any more
	owned   bool
	lost    context.Context // of the lease
	epoch   coord.Epoch
}

// leaseChange says that a slot is owned now (lease is set), or no more.
type leaseChange struct {
	*slotLease
	lease coord.Lease
	ctx   context.Context
	err   error
}

// follow acquires the wanted slots, gives back those that are wanted no more, and lets Work carry the
// edges of those that are owned.
func (o Owner) follow(ctx context.Context, wanted <-chan Set) error {
	var (
		want    Set
		leases  = map[int]*slotLease{}
		events  = make(chan leaseChange)
		working *session // nil: nothing is owned
		changed = time.NewTimer(0)
	)
	defer changed.Stop()
	defer func() {
		working.end()
		open := len(leases)
		for _, c := range leases {
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
		o.Changed(0)
	}()
	for {
		select {
		case want = <-wanted:
			for slot := range want.All() {
				if leases[slot] == nil {
					leases[slot] = o.acquire(ctx, slot, events)
				}
			}
			for slot, c := range leases {
				if !want.Has(slot) && !c.owned {
					c.release()
				}
			}
			changed.Reset(collectFor)
		case e := <-events:
			if e.lease != nil {
				e.owned, e.lost, e.epoch = true, e.ctx, e.lease.Epoch()
			} else {
				delete(leases, e.slot)
				if e.err != nil && !errors.Is(e.err, coord.ErrLost) && !errors.Is(e.err, context.Canceled) {
					return fmt.Errorf("owning slot %d: %w", e.slot, e.err)
				}
				if want.Has(e.slot) && ctx.Err() == nil {
					leases[e.slot] = o.acquire(ctx, e.slot, events)
				}
			}
			if e.lease != nil && ownedOf(leases, want).Slots == want {
				changed.Reset(0) // nothing more to wait for
			} else {
				changed.Reset(collectFor)
			}
		case <-working.over():
			// A lease is lost, or ctx has ended: what is lost is let go of now.
			if err := working.end(); err != nil && ctx.Err() == nil && !errors.Is(err, context.Canceled) && !errors.Is(err, coord.ErrLost) {
				return err
			}
			working = nil
			changed.Reset(0)
		case <-changed.C:
			own := ownedOf(leases, want)
			if working != nil && working.owned == own {
				break
			}
			working.end()
			working = nil
			for slot, c := range leases {
				if c.owned && !own.Slots.Has(slot) {
					c.owned = false
					c.release()
					close(c.letGo)
				}
			}
			o.Changed(own.Slots)
			if own.Slots == 0 {
				break
			}
			o.Log.Info("the bridge carries its slots of edges", "slots", own.Slots.Len())
			working = o.begin(ctx, own, leases)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ownedOf is what of the wanted is owned and not lost.
func ownedOf(leases map[int]*slotLease, want Set) (own Owned) {
	for slot, c := range leases {
		if want.Has(slot) && c.owned && c.lost.Err() == nil {
			own.Slots |= 1 << slot
			own.Epochs[slot] = c.epoch
		}
	}
	return own
}

// acquire waits for a slot. While it is owned its lease is kept until it is let go, even where it is
// lost: no other may believe that this bridge has stopped before it has.
func (o Owner) acquire(ctx context.Context, slot int, events chan<- leaseChange) *slotLease {
	ctx, release := context.WithCancel(ctx)
	c := &slotLease{slot: slot, release: release, letGo: make(chan struct{})}
	go func() {
		err := o.Leases.Own(ctx, Lease(slot), func(held context.Context, l coord.Lease) error {
			events <- leaseChange{slotLease: c, lease: l, ctx: held}
			<-c.letGo
			return nil
		})
		release()
		events <- leaseChange{slotLease: c, err: err}
	}()
	return c
}

// session is one call of Work.
type session struct {
	owned Owned
	stop  context.CancelCauseFunc
	done  chan struct{}
	err   error
}

// begin lets Work run until the first of its leases is lost.
func (o Owner) begin(ctx context.Context, own Owned, leases map[int]*slotLease) *session {
	s := &session{owned: own, done: make(chan struct{})}
	ctx, s.stop = context.WithCancelCause(ctx)
	var watches []func() bool
	for slot := range own.Slots.All() {
		lost := leases[slot].lost
		watches = append(watches, context.AfterFunc(lost, func() { s.stop(context.Cause(lost)) }))
	}
	go func() {
		defer close(s.done)
		s.err = o.Work(ctx, own)
		for _, unwatch := range watches {
			unwatch()
		}
	}()
	return s
}

func (s *session) over() <-chan struct{} {
	if s == nil {
		return nil
	}
	return s.done
}

// end stops the session, with a last checkpoint where its leases still hold, and waits for it.
func (s *session) end() error {
	if s == nil {
		return nil
	}
	s.stop(context.Canceled)
	<-s.done
	return s.err
}
