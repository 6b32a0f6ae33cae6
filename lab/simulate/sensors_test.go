package simulate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/edge/capture"
)

// TestReadingsPassTheLimitJustInTheExcursionsThatTheTruthNames reads what a device would read of them.
func TestReadingsPassTheLimitJustInTheExcursionsThatTheTruthNames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := SensorsOptions{Name: "simulated", Sensors: rapid.IntRange(1, 3).Draw(t, "sensors"), Rate: rapid.Float64Range(0.5, 20).Draw(t, "rate"),
			Excursions: rapid.IntRange(0, 6).Draw(t, "excursions"), Silences: rapid.IntRange(0, 3).Draw(t, "silences"), Seed: rapid.Uint64().Draw(t, "seed")}
		o.For = time.Duration(float64(rapid.IntRange(max(1, (o.Excursions+o.Silences)*leastPart), 400).Draw(t, "readings")) / o.Rate * 1.001 * float64(time.Second))
		var lines bytes.Buffer
		truth, err := Sensors(t.Context(), o, &lines)
		if err != nil {
			t.Fatal(err)
		}
		if len(truth.Excursions) != o.Sensors*o.Excursions || len(truth.Silences) != o.Sensors*o.Silences {
			t.Fatalf("%d excursions, %d silences", len(truth.Excursions), len(truth.Silences))
		}
		peaks := make([]float64, len(truth.Excursions))
		count := 0
		for line := range strings.Lines(lines.String()) {
			count++
			var r reading
			if err := json.Unmarshal([]byte(line), &r); err != nil {
				t.Fatal(err)
			}
			name := strings.Split(r.Topic, "/")[2]
			values, err := capture.ParseReading(r.Payload)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range truth.Silences {
				if s.Sensor == name && r.AtS >= s.FromS && r.AtS <= s.ToS {
					t.Fatalf("a reading in the silence %+v: %s", s, line)
				}
			}
			for value, limit := range map[string]float64{"temperature": TemperatureLimit, "vibration": VibrationLimit} {
				inside := false
				for i, e := range truth.Excursions {
					if e.Sensor == name && e.Value == value && r.AtS >= e.FromS && r.AtS <= e.ToS {
						inside = true
						peaks[i] = max(peaks[i], values[value])
					}
				}
				if x := values[value]; inside && x < limit+2 || !inside && x > limit-2 {
					t.Fatalf("%s %v, in an excursion: %v", value, x, inside)
				}
			}
		}
		if count != truth.Readings {
			t.Fatalf("%d lines, %d readings", count, truth.Readings)
		}
		for i, e := range truth.Excursions {
			if peaks[i] != e.Peak {
				t.Fatalf("%+v, seen %v", e, peaks[i])
			}
		}
	})
}

func TestAReadingThatCantBePublishedEndsTheRunAndIsTold(t *testing.T) {
	broken := errors.New("no broker")
	o := SensorsOptions{Name: "simulated", Sensors: 2, Rate: 1000, For: 100 * time.Millisecond, Seed: 1,
		Publish: func(context.Context, string, []byte) error { return broken }}
	truth, err := Sensors(t.Context(), o, new(bytes.Buffer))
	if !errors.Is(err, broken) || !strings.Contains(err.Error(), "after 2 readings") {
		t.Errorf("%v after %+v", err, truth)
	}
}

func TestTooFewReadingsForTheExcursionsAreRefused(t *testing.T) {
	o := SensorsOptions{Sensors: 1, Rate: 1, For: 10 * time.Second, Excursions: 1}
	if _, err := Sensors(t.Context(), o, new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "raise --rate or --for") {
		t.Error(err)
	}
}
