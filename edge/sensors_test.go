package edge

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/sense"
	"cloudcanvas/shared/event"
)

// say is a source of readings of one sensor, a second apart.
func say(values ...float64) func(context.Context, func(context.Context, capture.Picture) error) error {
	return func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
		at := time.Now().Add(-time.Duration(len(values)) * time.Second)
		for _, v := range values {
			if err := emit(ctx, capture.Picture{Stream: "boiler", At: at, Reading: map[string]float64{"t": v}}); err != nil {
				return err
			}
			at = at.Add(time.Second)
		}
		return nil
	}
}

func TestWithoutRulesEachReadingIsAnItem(t *testing.T) {
	box := &fakeBox{}
	if err := newSensorLane(box, nil, &wishes{}, nil).run(t.Context(), say(1, 1, 2)); err != nil {
		t.Fatal(err)
	}
	readings := box.of(event.Reading)
	var last event.ReadingData
	if len(readings) != 3 || json.Unmarshal(readings[2].Data, &last) != nil || last.Values["t"] != 2 || last.Sensor != "boiler" || strings.Contains(string(readings[2].Data), "from") {
		t.Errorf("%d readings, the last %s", len(readings), readings[2].Data)
	}
}

func TestASensorsAlertIsUrgentAndRaisesACapture(t *testing.T) {
	box, w, limit := &fakeBox{}, &wishes{}, 90.0
	w.know("gate")
	var warned []string
	rules := []sense.Rule{{Sensor: "boiler", Above: &limit, Hysteresis: 1, Deadband: 1000, Capture: []string{"gate", "yard"}}}
	l := newSensorLane(box, rules, w, func(_, source string) { warned = append(warned, source) })
	if err := l.run(t.Context(), say(20, 95, 96, 20)); err != nil {
		t.Fatal(err)
	}
	alerts := box.of(event.Alert)
	if len(alerts) != 2 || alerts[0].Priority != event.Urgent || alerts[1].Priority != event.High || alerts[0].Subject != "boiler/t" {
		t.Fatalf("%+v", alerts)
	}
	var begin sense.Alert
	if err := json.Unmarshal(alerts[0].Data, &begin); err != nil || begin.State != sense.Begin || begin.Reading != 95 || begin.Limit != 90 {
		t.Errorf("%s %v", alerts[0].Data, err)
	}
	if keys := w.take("gate", time.Now()); len(keys) != 1 || strings.Join(warned, " ") != "yard" {
		t.Errorf("wishes %q, warned of %q", keys, warned)
	}
}

func TestANewerReadingTakesBackTheOneBefore(t *testing.T) {
	box := &fakeBox{}
	rules := []sense.Rule{{Sensor: "boiler", Newest: true}}
	if err := newSensorLane(box, rules, &wishes{}, nil).run(t.Context(), say(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	readings := box.of(event.Reading)
	if len(readings) != 3 || len(box.withdrawn) != 2 || box.withdrawn[0] != readings[0].Key || box.withdrawn[1] != readings[1].Key {
		t.Errorf("%d readings, %q withdrawn", len(readings), box.withdrawn)
	}
}

func TestAnUnfinishedWindowIsToldWhenTheDeviceStops(t *testing.T) {
	box := &fakeBox{}
	ctx, stop := context.WithCancel(t.Context())
	rules := []sense.Rule{{Sensor: "boiler", Window: time.Hour}}
	err := newSensorLane(box, rules, &wishes{}, nil).run(ctx, func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
		if err := say(1, 5)(ctx, emit); err != nil {
			return err
		}
		stop()
		<-ctx.Done()
		return ctx.Err()
	})
	readings := box.of(event.Reading)
	var window event.ReadingData
	if !errors.Is(err, context.Canceled) || len(readings) != 1 || json.Unmarshal(readings[0].Data, &window) != nil ||
		window.Values["t.mean"] != 3 || window.Values["t.count"] != 2 || window.From.IsZero() {
		t.Errorf("%v, %d readings: %+v", err, len(readings), window)
	}
}

func TestAFullBufferEndsTheSensorsLane(t *testing.T) {
	full := errors.New("full")
	err := newSensorLane(&fakeBox{full: full}, nil, &wishes{}, nil).run(t.Context(), say(1, 2, 3))
	if !errors.Is(err, full) {
		t.Error(err)
	}
}
