package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Reasons in the ledger of drops.
const (
	ReasonQuota      = "quota"
	ReasonExpired    = "expired"
	ReasonSuperseded = "superseded"
	ReasonCorrupt    = "corrupt" // its bytes are no longer those that were committed
)

const (
	// deletesAtOnce bounds what one transaction deletes, so that commits are not held up, and so that
	// a nearly full disk still lets it through.
	deletesAtOnce = 500
	// vacuumPages are given back to the filesystem at a time.
	vacuumPages = 1024
	// keysKept is how many numbers a key is remembered for; a source that is read again after so many
	// items is committed again.
	keysKept = 4_000_000
	// dropsKept is how long a drop is remembered that the cloud knows of.
	dropsKept = 30 * 24 * time.Hour
)

// Expire drops what waits beyond its time, says how much that was, and tidies up: room that was set
// free goes back to the filesystem, and what nobody needs any more is forgotten.
func (o *Outbox) Expire(ctx context.Context) (dropped int, err error) {
	jump := o.clock.jump(o.now())
	err = o.change(ctx, func(s *step) error {
		if jump != 0 { // the wall clock was set: what is left of each item's time stays
			if err := s.exec("UPDATE items SET expires=expires+? WHERE expires>0", int64(jump)); err != nil {
				return err
			}
		}
		old, err := s.rows("WHERE expires>0 AND expires<? LIMIT ?", o.now().UnixNano(), deletesAtOnce)
		if err != nil {
			return err
		}
		for _, r := range old {
			if err := s.remove(r, ReasonExpired); err != nil {
				return err
			}
		}
		dropped = len(old)
		if err := s.prune(); err != nil {
			return err
		}
		return s.exec("DELETE FROM keys WHERE seq<?", int64(s.p.stats.Committed)-keysKept)
	})
	if err != nil {
		return 0, fmt.Errorf("drop what has expired: %w", err)
	}
	o.saveTroubles(false)
	o.writeWitness(false)
	if err := o.takeDeferred(ctx); err != nil {
		return dropped, err
	}
	return dropped, o.tidy(ctx)
}

// tidy gives room back.
func (o *Outbox) tidy(ctx context.Context) error {
	err := o.change(ctx, func(s *step) error {
		if o.ballast.keep(o.log) {
			o.note(func(s *Stats) {
				if s.Full {
					o.signalChanged()
				}
				s.Full, o.ceiling = false, 0
			})
		}
		for _, table := range []string{"ledger", "losses"} {
			if err := s.exec("DELETE FROM "+table+" WHERE reported=1 AND at<?", o.now().Add(-dropsKept).UnixNano()); err != nil {
				return err
			}
		}
		return s.exec(fmt.Sprintf("PRAGMA incremental_vacuum(%d)", vacuumPages))
	})
	if err != nil {
		return fmt.Errorf("give room back: %w", err)
	}
	return nil
}

// wallClock tells when the wall clock was set, by the monotonic one.
type wallClock struct{ last time.Time }

// leastJump is a difference that drift does not make between two calls.
const leastJump = time.Minute

func (c *wallClock) jump(now time.Time) time.Duration {
	last := c.last
	c.last = now
	if last.IsZero() {
		return 0
	}
	return clockJump(now.Round(0).Sub(last.Round(0)), now.Sub(last))
}

// clockJump is by how much the wall clock was set while so much time really went by.
func clockJump(wall, monotonic time.Duration) time.Duration {
	if jump := wall - monotonic; jump.Abs() >= leastJump {
		return jump
	}
	return 0
}

// Withdraw drops what waits under those keys: something newer says the same and more. It says how
// many items that were.
func (o *Outbox) Withdraw(ctx context.Context, keys ...string) (n int, err error) {
	err = o.change(ctx, func(s *step) error {
		n = 0
		for _, key := range keys {
			var seq uint64
			if err := s.byKey.QueryRow(key).Scan(&seq); errors.Is(err, sql.ErrNoRows) {
				continue
			} else if err != nil {
				return err
			}
			found, err := s.rows("WHERE seq=?", seq)
			if err != nil {
				return err
			}
			for _, r := range found {
				if err := s.remove(r, ReasonSuperseded); err != nil {
					return err
				}
				n++
			}
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("withdraw what was superseded: %w", err)
	}
	return n, nil
}

// discard drops one item.
func (o *Outbox) discard(ctx context.Context, seq uint64, reason string) error {
	return o.change(ctx, func(s *step) error {
		found, err := s.rows("WHERE seq=?", seq)
		if err != nil || len(found) == 0 {
			return err
		}
		return s.remove(found[0], reason)
	})
}
