package edge

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/sense"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// recorder is what the sensors' lane needs of the outbox.
type recorder interface {
	// Record commits drafts and marks, all or nothing. Where there is no room the least valuable is dropped.
	Record(ctx context.Context, drafts []draft, marks []outbox.Mark) error
	// Marks are those that were recorded under names that begin so.
	Marks(prefix string) ([]outbox.Mark, error)
}

// sensorLane takes readings by their rules into the outbox. Once it runs it is used by one goroutine.
type sensorLane struct {
	box      recorder
	rules    *sense.Rules
	requests *captureRequests
	warn     func(problem string, source string)
	hand     *telemetry.Hand
	newest   map[string]string // key of the item that a newer reading takes back, by sensor and group
	seen     *seenReadings
	repeated func(n int) // hears of readings that had become items before
}

func newSensorLane(b recorder, rules []sense.Rule, w *captureRequests, warn func(problem, source string)) *sensorLane {
	return &sensorLane{box: b, rules: sense.New(rules), requests: w, warn: warn, hand: new(telemetry.Hand), newest: map[string]string{},
		seen: newSeenReadings(), repeated: func(int) {}}
}

const (
	// windowsEvery is how often windows are looked at that no further reading has ended.
	windowsEvery = time.Second
	// lastWords is how long the windows that a stop cuts short may take to be committed.
	lastWords = 5 * time.Second
)

// readingSource gives readings as they come; a nil from emit says that all they became is safe.
type readingSource func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error

// batch is readings that came together, and who waits for them to be safe.
type batch struct {
	said []capture.ReceivedReading
	safe chan error
}

// run takes a source's readings until it ends; what has gathered by then is told.
func (l *sensorLane) run(ctx context.Context, source readingSource) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	found, err := l.resume()
	if err != nil {
		return err
	}
	// What is in hand at a stop is still committed: it could not be told from what was not.
	steady, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(lastWords, cut) })()
	if err := l.tell(steady, ofNone(found), nil); err != nil {
		return err
	}
	batches, ended := make(chan batch), make(chan error, 1)
	go func() {
		ended <- source(ctx, func(ctx context.Context, said []capture.ReceivedReading) error {
			b := batch{said, make(chan error, 1)}
			select {
			case batches <- b:
				return <-b.safe
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		close(batches)
	}()
	tick := time.NewTicker(windowsEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case b, ok := <-batches:
			if !ok {
				if err := l.tell(steady, ofNone(l.rules.Close(time.Now())), nil); err != nil {
					return err
				}
				return <-ended
			}
			err = l.take(steady, b.said)
			b.safe <- err
		case now := <-tick.C:
			err = l.tell(steady, ofNone(l.rules.Due(now)), nil)
		}
		if err != nil {
			stop(err)
			for b := range batches { // until the source has ended
				b.safe <- err
			}
			return <-ended
		}
	}
}

// take makes of readings what the rules say, and commits it together with a note of their messages:
// those that the broker sends again become nothing more.
func (l *sensorLane) take(ctx context.Context, said []capture.ReceivedReading) error {
	var found []finding
	var marks []outbox.Mark
	repeated := 0
	for _, s := range said {
		if l.seen.had(s) {
			repeated++
			continue
		}
		for _, f := range l.rules.Take(s.Stream, s.At, s.Reading) {
			found = append(found, finding{f, s})
		}
		if m, ok := l.seen.note(s); ok {
			marks = append(marks, m)
		}
	}
	if repeated > 0 {
		l.repeated(repeated)
	}
	return l.tell(ctx, found, marks)
}

// tell makes items of findings, and asks for the pictures that they want. Windows that have not ended
// are kept with them, so that a reading that is in one is safe too.
func (l *sensorLane) tell(ctx context.Context, found []finding, marks []outbox.Mark) error {
	marks = append(marks, windowMarks(l.rules.Changed())...)
	if len(found) == 0 && len(marks) == 0 {
		return nil
	}
	defer l.hand.Work()()
	drafts := make([]draft, len(found))
	for i, f := range found {
		d, err := l.draft(f.Finding)
		if err != nil {
			return fmt.Errorf("what sensor %s said: %w", f.Sensor, err)
		}
		if d.ID = f.id(); !d.ID.IsZero() {
			d.Attrs.Redelivered = f.of.Again
		}
		drafts[i] = d
		for _, source := range f.Capture {
			key := fmt.Sprintf("sensor/%s/%s/%s/%d/%s", f.Sensor, f.Alert.Value, f.Alert.Side, f.Alert.Time.UnixNano(), source)
			if !l.requests.add(source, key, time.Now()) {
				l.warn("a sensor's alert wants a picture that can't be had now", source)
			}
		}
	}
	defer l.hand.Wait()()
	return l.box.Record(ctx, drafts, marks)
}

func (l *sensorLane) draft(f sense.Finding) (draft, error) {
	d := draft{Draft: outbox.Draft{Kind: event.Reading, Stream: f.Sensor, Subject: f.Sensor, Priority: event.Normal, Value: 0.5, Type: "application/json"}}
	var err error
	if f.Alert == nil {
		d.Time = f.Reading.Time
		d.Data, err = json.Marshal(f.Reading)
		if f.Newest != "" {
			group := f.Sensor + " " + f.Newest
			d.Key = fmt.Sprintf("reading/%s/%d", group, d.Time.UnixNano())
			d.supersedes = l.newest[group]
			if l.newest[group] = d.Key; d.supersedes == d.Key {
				d.Key, d.supersedes = "", "" // twice in one moment: both are sent
			}
		}
		return d, err
	}
	d.Kind, d.Subject, d.Time = event.Alert, f.Sensor+"/"+f.Alert.Value, f.Alert.Time
	d.Priority, d.Value = event.Urgent, 1
	if f.Alert.State == sense.End {
		d.Priority = event.High
	}
	d.Data, err = json.Marshal(f.Alert)
	return d, err
}

// addSensors lays the lane for readings.
func (a *Agent) addSensors() {
	readings := capture.NewDeviceReadings(a.config.Sensors.ReadingConfig, a.local.readings, a.log)
	a.messages["readings"] = readings.Counts
	hand := a.hands.New("sensors")
	a.add(lane{name: "sensors", run: func(ctx context.Context) (int64, error) {
		l := newSensorLane(a.buffer(), a.config.Sensors.Rules, &a.requests, func(problem, source string) {
			a.log.Warn(problem, telemetry.Stream, source)
		})
		l.hand, l.seen, l.repeated = hand, a.local.seen, readings.Repeated
		return 0, l.run(ctx, readings.Run)
	}})
}
