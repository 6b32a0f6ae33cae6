package retry

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

var errAway = errors.New("away")

func TestItIsTriedUntilItWorksAndToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries, told, each, worked := 0, 0, 0, 0
		began := time.Now()
		err := Task{First: time.Second, Most: 4 * time.Second,
			Tell: func(error) bool { told++; return told == 2 },
			Each: func(error, time.Duration) { each++ },
			Works: func(after time.Duration, was bool) {
				worked++
				if !was || after != time.Since(began) {
					t.Error(after, was)
				}
			},
		}.Do(t.Context(), func() error {
			if tries++; tries < 6 {
				return errAway
			}
			return nil
		})
		if err != nil || tries != 6 || told != 2 || each != 5 || worked != 1 {
			t.Errorf("%v: %d tries, told %d times, %d failures, worked %d", err, tries, told, each, worked)
		}
		if took := time.Since(began); took < 7*time.Second || took > 15*time.Second { // 1, 2, 4, 4, 4 at most
			t.Errorf("it took %v", took)
		}
	})
}

func TestItEndsWithAFinalErrorOrItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		wrong := errors.New("wrong")
		final := Task{First: time.Second, Most: time.Second, Final: func(err error) bool { return err == wrong }}
		if err := final.Do(t.Context(), func() error { return wrong }); err != wrong {
			t.Error(err)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(10*time.Second, func() { cancel(errAway) })
		tries := 0
		if err := (Task{First: time.Second, Most: time.Second}).Do(ctx, func() error { tries++; return wrong }); err != errAway || tries < 10 || tries > 21 {
			t.Errorf("%v after %d tries", err, tries)
		}
	})
}
