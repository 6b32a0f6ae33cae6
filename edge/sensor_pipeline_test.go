package edge

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/rules"
	"cloudcanvas/shared/event"
)

// say is a source of readings of one sensor, a second apart.
func say(values ...float64) readingSource {
	return func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error {
		at := time.Now().Add(-time.Duration(len(values)) * time.Second)
		for _, v := range values {
			if err := emit(ctx, []capture.ReceivedReading{{Picture: capture.Picture{Stream: "boiler", At: at, Reading: map[string]float64{"t": v}}}}); err != nil {
				return err
			}
			at = at.Add(time.Second)
		}
		return nil
	}
}

var quiet = slog.New(slog.DiscardHandler)

func TestWithoutRulesEachReadingIsAnItem(t *testing.T) {
	buf := &fakeBuffer{}
	if err := newSensorPipeline(buf, nil, &captureRequests{}, quiet).run(t.Context(), say(1, 1, 2)); err != nil {
		t.Fatal(err)
	}
	readings := buf.of(event.Reading)
	var last event.ReadingData
	if len(readings) != 3 || json.Unmarshal(readings[2].Data, &last) != nil || last.Values["t"] != 2 || last.Sensor != "boiler" || strings.Contains(string(readings[2].Data), "from") {
		t.Errorf("%d readings, the last %s", len(readings), readings[2].Data)
	}
}

func TestASensorsAlertIsUrgentAndRaisesACapture(t *testing.T) {
	buf, w, limit := &fakeBuffer{}, &captureRequests{}, 90.0
	w.addSource("gate")
	var warned bytes.Buffer
	set := []rules.Rule{{Sensor: "boiler", Above: &limit, Hysteresis: 1, Deadband: 1000, Capture: []string{"gate", "yard"}}}
	l := newSensorPipeline(buf, set, w, slog.New(slog.NewTextHandler(&warned, nil)))
	if err := l.run(t.Context(), say(20, 95, 96, 20)); err != nil {
		t.Fatal(err)
	}
	alerts := buf.of(event.Alert)
	if len(alerts) != 2 || alerts[0].Priority != event.Urgent || alerts[1].Priority != event.High || alerts[0].Subject != "boiler/t" {
		t.Fatalf("%+v", alerts)
	}
	var begin rules.Alert
	if err := json.Unmarshal(alerts[0].Data, &begin); err != nil || begin.State != rules.Begin || begin.Reading != 95 || begin.Limit != 90 {
		t.Errorf("%s %v", alerts[0].Data, err)
	}
	if keys := w.take("gate", time.Now()); len(keys) != 1 || strings.Count(warned.String(), "stream=yard") != 1 || strings.Contains(warned.String(), "stream=gate") {
		t.Errorf("requests %q, warned of %q", keys, warned.String())
	}
}

func TestANewerReadingTakesBackTheOneBefore(t *testing.T) {
	buf := &fakeBuffer{}
	set := []rules.Rule{{Sensor: "boiler", Newest: true}}
	if err := newSensorPipeline(buf, set, &captureRequests{}, quiet).run(t.Context(), say(1, 2, 3)); err != nil {
		t.Fatal(err)
	}
	readings := buf.of(event.Reading)
	if len(readings) != 3 || len(buf.withdrawn) != 2 || buf.withdrawn[0] != readings[0].Key || buf.withdrawn[1] != readings[1].Key {
		t.Errorf("%d readings, %q withdrawn", len(readings), buf.withdrawn)
	}
}

func TestAnUnfinishedWindowIsToldWhenTheDeviceStops(t *testing.T) {
	buf := &fakeBuffer{}
	ctx, stop := context.WithCancel(t.Context())
	set := []rules.Rule{{Sensor: "boiler", Window: time.Hour}}
	err := newSensorPipeline(buf, set, &captureRequests{}, quiet).run(ctx, func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error {
		if err := say(1, 5)(ctx, emit); err != nil {
			return err
		}
		stop()
		<-ctx.Done()
		return ctx.Err()
	})
	readings := buf.of(event.Reading)
	var window event.ReadingData
	if !errors.Is(err, context.Canceled) || len(readings) != 1 || json.Unmarshal(readings[0].Data, &window) != nil ||
		window.Values["t.mean"] != 3 || window.Values["t.count"] != 2 || window.From.IsZero() {
		t.Errorf("%v, %d readings: %+v", err, len(readings), window)
	}
}

func TestAFullBufferEndsTheSensorsPipeline(t *testing.T) {
	full := errors.New("full")
	err := newSensorPipeline(&fakeBuffer{full: full}, nil, &captureRequests{}, quiet).run(t.Context(), say(1, 2, 3))
	if !errors.Is(err, full) {
		t.Error(err)
	}
}

// heard are messages of one sensor as the broker hands them over, numbered from that packet on.
func heard(from uint16, again bool, values ...float64) (said []capture.ReceivedReading) {
	for i, v := range values {
		s := capture.ReceivedReading{Picture: capture.Picture{Stream: "boiler", At: time.Now(), Reading: map[string]float64{"t": v}}, Packet: from + uint16(i), Again: again}
		binary.BigEndian.PutUint64(s.Digest[:], math.Float64bits(v))
		said = append(said, s)
	}
	return said
}

// batches is a source of what came together.
func batches(all ...[]capture.ReceivedReading) readingSource {
	return func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error {
		for _, said := range all {
			if err := emit(ctx, said); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestWhatTheBrokerSendsAgainBecomesNoSecondItem(t *testing.T) {
	buf := &fakeBuffer{}
	repeated := 0
	live := func(session bool, all ...[]capture.ReceivedReading) {
		t.Helper()
		l := newSensorPipeline(buf, nil, &captureRequests{}, quiet)
		l.repeated = func(n int) { repeated += n }
		if !session {
			l.seen.sessionStarted(false)
		}
		if err := l.run(t.Context(), batches(all...)); err != nil {
			t.Fatal(err)
		}
	}
	expect := func(what string, items, again int) {
		t.Helper()
		if n := len(buf.of(event.Reading)); n != items || repeated != again {
			t.Errorf("%s: %d items, %d repeated; want %d and %d", what, n, repeated, items, again)
		}
	}
	live(false, heard(1, false, 20, 20, 21), heard(2, true, 20, 21))
	expect("in one life", 3, 2)
	live(true, heard(1, true, 20, 20, 21, 22), heard(5, false, 23))
	expect("after a crash", 5, 5) // 22 had not been committed
	live(true, heard(5, false, 23))
	expect("the same again without the mark of a duplicate", 6, 5)
	live(true, heard(4, true, 99))
	expect("another one under that number", 7, 5)
	live(false, heard(5, true, 23))
	expect("in another session", 8, 5)
	long := make([]float64, stale)
	live(true, heard(100, false, long...), heard(5, true, 23))
	expect("long after", 8+stale+1, 5)
}

func TestAWindowIsKeptOverACrash(t *testing.T) {
	buf := &fakeBuffer{}
	set := []rules.Rule{{Sensor: "boiler", Window: time.Hour}}
	ctx, stop := context.WithCancel(t.Context())
	crash := newSensorPipeline(buf, set, &captureRequests{}, quiet)
	crash.run(ctx, func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error {
		if err := emit(ctx, heard(1, false, 1, 5)); err != nil {
			t.Error(err)
		}
		buf.mu.Lock()
		buf.full = errors.New("the process is gone")
		buf.mu.Unlock()
		stop()
		return ctx.Err()
	})
	buf.full = nil
	if len(buf.marks) != 3 || len(buf.drafts) != 0 {
		t.Fatalf("%d marks, %d items", len(buf.marks), len(buf.drafts))
	}
	if err := newSensorPipeline(buf, set, &captureRequests{}, quiet).run(t.Context(), batches(heard(2, true, 5), heard(3, false, 9))); err != nil {
		t.Fatal(err)
	}
	readings := buf.of(event.Reading)
	var window event.ReadingData
	if len(readings) != 1 || json.Unmarshal(readings[0].Data, &window) != nil || window.Values["t.mean"] != 5 || window.Values["t.count"] != 3 {
		t.Errorf("%d readings: %+v", len(readings), window)
	}
	for name := range buf.marks {
		if strings.HasPrefix(name, windowPrefix) {
			t.Errorf("the window was told, and %s stays", name)
		}
	}
}

// What a message becomes has an id by which it is known again when the buffer has lost it: one for each
// thing that it became, and none of a window, which is of many messages.
func TestWhatAMessageBecameIsKnownAgainByItsID(t *testing.T) {
	limit := 90.0
	set := []rules.Rule{{Sensor: "boiler", Above: &limit}, {Sensor: "room", Window: time.Hour}}
	take := func(again bool, said ...capture.ReceivedReading) (ds []draft) {
		buf := &fakeBuffer{}
		for n := range said {
			said[n].Again, said[n].At = again, time.Now()
		}
		err := newSensorPipeline(buf, set, &captureRequests{}, quiet).run(t.Context(), func(ctx context.Context, emit func(context.Context, []capture.ReceivedReading) error) error {
			return emit(ctx, said)
		})
		if err != nil {
			t.Fatal(err)
		}
		return append(buf.of(event.Reading), buf.of(event.Alert)...)
	}
	reading := func(stream string, packet uint16, v float64) capture.ReceivedReading {
		return capture.ReceivedReading{Picture: capture.Picture{Stream: stream, Reading: map[string]float64{"t": v}}, Packet: packet, Digest: capture.Digest{byte(v)}}
	}
	first := take(false, reading("boiler", 7, 95), reading("room", 8, 20))
	again := take(true, reading("boiler", 7, 95), reading("room", 8, 20))
	other := take(true, reading("boiler", 9, 95))
	if len(first) != 3 || len(again) != 3 || len(other) != 2 {
		t.Fatalf("%d, %d and %d items", len(first), len(again), len(other))
	}
	for n, d := range first {
		window := d.Stream == "room"
		if a := again[n]; window != (d.ID.IsZero() && a.ID.IsZero()) || !window && (!event.SameMessage(d.ID, a.ID) || d.Attrs.Redelivered || !a.Attrs.Redelivered) {
			t.Errorf("%s: %+v, again %+v", d.Subject, d, a)
		}
	}
	if event.SameMessage(first[0].ID, first[2].ID) || event.SameMessage(first[0].ID, other[0].ID) {
		t.Error("items that are not the same are taken for the same")
	}
}
