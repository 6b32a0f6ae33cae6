package capture

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Restart is how a live source is tried again: after First, then twice as long each time up to
// Most, from First again once it has worked for Most or ten seconds. Zero values mean 1 s and 6 s: a
// camera that is back is seen within ten seconds.
// One that refuses the user or password is tried once a minute at most.
type Restart struct {
	First  time.Duration `yaml:"first" desc:"time before the first try; each further one waits twice as long. 0: 1s" range:"0s.."`
	Most   time.Duration `yaml:"most" desc:"longest time between two tries; 0: 6s" range:"0s.."`
	GiveUp time.Duration `yaml:"give_up" desc:"the source ends when it has shown nothing for so long; 0: never" range:"0s.."`
}

func (r Restart) withDefaults() Restart {
	if r.First <= 0 {
		r.First = time.Second
	}
	if r.Most <= 0 {
		r.Most = 6 * time.Second
	}
	r.Most = max(r.Most, r.First)
	return r
}

// keep runs attempt again and again until ctx ends or it is time to give up. attempt gets its
// context's end as its sign to stop and reports the time of its last picture, zero for none. waits is
// called with the time of the next attempt.
func (r Restart) keep(ctx context.Context, attempt func(context.Context) (lastPicture time.Time, err error), waits func(until time.Time)) error {
	r = r.withDefaults()
	wait, alive := r.First, time.Now()
	for {
		began := time.Now()
		last, err := attempt(ctx)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if isFinal(err) {
			return err
		}
		if last.After(alive) {
			alive = last
		}
		if !last.IsZero() && last.Sub(began) >= min(r.Most, steadyAfter) {
			wait = r.First
		}
		pause := r.pause(wait, err)
		if r.GiveUp > 0 && time.Since(alive)+pause > r.GiveUp {
			return fmt.Errorf("given up after %s without a picture: %w", time.Since(alive).Round(time.Second), err)
		}
		waits(time.Now().Add(pause))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		wait = min(2*wait, r.Most)
	}
}

const (
	steadyAfter = 10 * time.Second // so long, and a source was well
	afterDenial = time.Minute      // between two tries of a user who is refused
)

// pause is how long to wait after that end. Many cameras behind one switch are lost at once: their tries are
// spread.
func (r Restart) pause(wait time.Duration, err error) time.Duration {
	spread := time.Duration(rand.Int64N(int64(wait)/4 + 1))
	if _, ok := errors.AsType[denied](err); ok {
		return max(wait, afterDenial) + spread
	}
	return wait - spread
}

// final marks an error that no restart can mend: the pipeline's own, for one.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

func isFinal(err error) bool {
	_, ok := err.(final)
	return ok
}
