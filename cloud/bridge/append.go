package bridge

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// Waits between tries.
const (
	firstWait = 50 * time.Millisecond
	mostWait  = time.Second // Kafka that is back is found within this
)

// permanent is an error that trying again does not change.
type permanent struct{ error }

func (f permanent) Unwrap() error { return f.error }

// retry tries something until it succeeds, fails for good, or ctx ends. After a while of failures an
// outage begins, so that the MQTT broker keeps what this bridge can't get rid of.
func (s *session) retry(ctx context.Context, what string, try func() error) error {
	var f permanent
	err := retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.As(err, &f) },
		Tell: func(err error) bool {
			s.Logger.Warn(what+" fails; the bridge tries again and acknowledges nothing meanwhile", telemetry.Err, err)
			s.metrics.away.Set(1)
			s.setReady(fmt.Errorf("%s fails, nothing is acknowledged meanwhile: %w", what, err))
			return true
		},
		Each: func(err error, since time.Duration) {
			if since >= s.cfg.LeaveAfter && s.outage.set(true) {
				s.Logger.Warn(what+" has failed for so long that the bridge leaves the MQTT broker, which queues until it is back", telemetry.Err, err)
			}
		},
		Works: func(after time.Duration, told bool) {
			if told {
				s.Logger.Info(what+" works again", "after", after.Round(time.Millisecond))
				s.setReady(nil)
			}
			if s.outage.set(false) {
				s.Logger.Info("the bridge comes back to the MQTT broker")
			}
			s.metrics.away.Set(0)
		}}.Do(ctx, try)
	if f.error != nil {
		return f.error
	}
	return err
}

// lateWrites is how long a request that the client has given up may still lie in the socket of a
// broker that is alive, before it stands in the log.
const lateWrites = 100 * time.Millisecond

// append writes the entries of b until each is in Kafka: as it is, or in the DLQ with the reason why
// Kafka refuses it. What Kafka has confirmed is never sent again, and what may be there is looked
// for first.
func (s *session) append(ctx context.Context, b *batch) error {
	if len(b.entries) == 0 {
		return nil
	}
	unknown := false
	return s.retry(ctx, "writing to Kafka", func() error {
		if unknown {
			if err := s.lookFor(ctx, b); err != nil {
				return err
			}
			unknown = false
		}
		for {
			again, err := s.appendOnce(ctx, b, &unknown)
			if !again {
				return err
			}
		}
	})
}

// lookFor reads the log for entries whose outcome is unknown.
func (s *session) lookFor(ctx context.Context, b *batch) error {
	if err := retry.Sleep(ctx, lateWrites); err != nil {
		return err
	}
	if err := s.catchUp(ctx); err != nil {
		return err
	}
	for n := range b.entries {
		e := &b.entries[n]
		e.done = e.done || s.there(e)
	}
	return nil
}

// appendOnce writes the entries that are not done. again says that what failed was refused for its
// own sake and now stands in b as dead letters.
func (s *session) appendOnce(ctx context.Context, b *batch, unknown *bool) (again bool, err error) {
	which, records := make([]int, 0, len(b.entries)), make([]kafka.Record, 0, len(b.entries))
	for n := range b.entries {
		if !b.entries[n].done {
			which = append(which, n)
			records = append(records, b.entries[n].record)
		}
	}
	if len(records) == 0 {
		return false, nil
	}
	began := time.Now()
	finishing, cancel := finish(ctx)
	err = s.Log.Append(finishing, records...)
	cancel()
	s.metrics.append.Observe(time.Since(began).Seconds())
	var each *kafka.AppendError
	if err != nil && !errors.As(err, &each) {
		*unknown = true
		return false, err
	}
	failed, refused := 0, 0
	for at, n := range which {
		e := &b.entries[n]
		switch {
		case err == nil || each.Outcomes[at] == kafka.Confirmed:
			e.done = true
			continue
		case each.Outcomes[at] == kafka.Unknown:
			*unknown = true
		case kafka.RecordAtFault(each.Errs[at]) && !e.poison:
			if err := s.refused(ctx, e, each.Errs[at]); err != nil {
				return false, err
			}
			refused++
		}
		failed++
	}
	return failed > 0 && failed == refused, err
}

// writeGrace is how long a write may go on when the bridge is to stop. One that is cut off may land after
// the next bridge has read the log, and then stands there twice.
const writeGrace = 3 * time.Second

// finish is a ctx that ends a little later than ctx.
func finish(ctx context.Context) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(writeGrace, cancel)
		context.AfterFunc(later, func() { timer.Stop() })
	})
	return later, func() {
		stop()
		cancel()
	}
}

// there says whether an entry was found in Kafka.
func (s *session) there(e *entry) bool {
	if e.poison && s.poison.has(fingerprintOf(e.record)) {
		return true
	}
	return e.id.Epoch != "" && s.dedup.Has(e.id.Edge, e.id.Epoch, e.id.Seq)
}
