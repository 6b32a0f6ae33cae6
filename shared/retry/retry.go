// Package retry does something until it works, and says so once: what fails for an hour is one line, not
// thousands.
package retry

import (
	"context"
	"math/rand/v2"
	"time"
)

// Task is how something is tried again. What is nil is not asked.
type Task struct {
	First, Most time.Duration                              // how long it waits between tries: each time about twice as long
	Final       func(error) bool                           // whether an error is one that trying again does not change
	Tell        func(error) (told bool)                    // called with failures until it has logged one
	Each        func(err error, since time.Duration)       // called with all of them, and how long it has failed
	Works       func(after time.Duration, told bool)       // called when there is an answer, also a final error
	Pause       func(context.Context, time.Duration) error // waits; nil: Sleep
}

// Do tries until it works, fails for good, or ctx ends. The error is the final one, or why ctx has ended.
func (t Task) Do(ctx context.Context, try func() error) error {
	began, told, pause := time.Now(), false, t.Pause
	if pause == nil {
		pause = Sleep
	}
	for wait := t.First; ; wait = min(2*wait, t.Most) {
		err := try()
		if err == nil || t.Final != nil && t.Final(err) {
			if t.Works != nil {
				t.Works(time.Since(began), told)
			}
			return err
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if t.Tell != nil && !told {
			told = t.Tell(err)
		}
		if t.Each != nil {
			t.Each(err, time.Since(began))
		}
		if err := pause(ctx, wait/2+rand.N(wait/2+1)); err != nil {
			return err
		}
	}
}

// Sleep waits; the error says why ctx has ended before.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
