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

// sensorLane takes readings by their rules into the outbox. Once it runs it is used by one goroutine.
type sensorLane struct {
	box    buffer
	rules  *sense.Rules
	wishes *wishes
	warn   func(problem string, source string)
	hand   *telemetry.Hand
	newest map[string]string // key of the item that a newer reading takes back, by sensor and group
}

func newSensorLane(b buffer, rules []sense.Rule, w *wishes, warn func(problem, source string)) *sensorLane {
	return &sensorLane{box: b, rules: sense.New(rules), wishes: w, warn: warn, hand: new(telemetry.Hand), newest: map[string]string{}}
}

const (
	// windowsEvery is how often windows are looked at that no further reading has ended.
	windowsEvery = time.Second
	// lastWords is how long the windows that a stop cuts short may take to be committed.
	lastWords = 5 * time.Second
)

// run takes a source's readings until it ends; what has gathered by then is told.
func (l *sensorLane) run(ctx context.Context, source func(context.Context, func(context.Context, capture.Picture) error) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	readings := make(chan capture.Picture)
	ended := make(chan error, 1)
	go func() {
		ended <- source(ctx, func(ctx context.Context, p capture.Picture) error {
			select {
			case readings <- p:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})
		close(readings)
	}()
	tick := time.NewTicker(windowsEvery)
	defer tick.Stop()
	for {
		var err error
		select {
		case p, ok := <-readings:
			if !ok {
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWords)
				defer cancel()
				if err := l.tell(last, l.rules.Close(time.Now())); err != nil {
					return err
				}
				return <-ended
			}
			err = l.tell(ctx, l.rules.Take(p.Stream, p.At, p.Reading))
		case now := <-tick.C:
			err = l.tell(ctx, l.rules.Due(now))
		}
		if err != nil {
			stop(err)
			for range readings { // until the source has ended
			}
			return <-ended
		}
	}
}

// tell makes items of findings, and asks for the pictures that they want.
func (l *sensorLane) tell(ctx context.Context, found []sense.Finding) error {
	if len(found) == 0 {
		return nil
	}
	defer l.hand.Work()()
	drafts := make([]draft, len(found))
	for i, f := range found {
		d, err := l.draft(f)
		if err != nil {
			return fmt.Errorf("what sensor %s said: %w", f.Sensor, err)
		}
		drafts[i] = d
		for _, source := range f.Capture {
			key := fmt.Sprintf("sensor/%s/%s/%s/%d/%s", f.Sensor, f.Alert.Value, f.Alert.Side, f.Alert.Time.UnixNano(), source)
			if !l.wishes.want(source, key, time.Now()) {
				l.warn("a sensor's alert wants a picture that can't be had now", source)
			}
		}
	}
	return l.box.Submit(ctx, drafts...)
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
	readings := capture.NewDeviceReadings(a.config.Sensors.DeviceConfig, a.local.client, a.log)
	a.messages["readings"] = readings.Counts
	hand := a.hands.New("sensors")
	a.add(lane{name: "sensors", run: func(ctx context.Context) (int64, error) {
		l := newSensorLane(a.buffer(), a.config.Sensors.Rules, &a.wishes, func(problem, source string) {
			a.log.Warn(problem, telemetry.Stream, source)
		})
		l.hand = hand
		return 0, l.run(ctx, readings.Run)
	}})
}
