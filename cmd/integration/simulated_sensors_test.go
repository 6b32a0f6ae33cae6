package integration

import (
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/edge/rules"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/event"
)

// TestEveryExcursionOfSimulatedSensorsIsAlertedOnce publishes readings over mosquitto to a device
// with rules, and holds the alerts in Kafka against the truth.
func TestEveryExcursionOfSimulatedSensorsIsAlertedOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.rules = "{sensor: simulated-*, value: temperature, above: 50, hysteresis: 2}, {sensor: simulated-*, value: vibration, above: 10, hysteresis: 2}"
	s.run("")
	out := t.TempDir()
	code, said := run(t, "canvas", "simulate", "sensors", "--mqtt", s.local.URL, "--out", out, "--sensors", "5", "--rate", "20", "--for", "6s", "--excursions", "4", "--silences", "1")
	if code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	var truth simulate.SensorsTruth
	readJSON(t, filepath.Join(out, "truth.json"), &truth)
	want := map[[2]string]int{}
	for _, e := range truth.Excursions {
		want[[2]string{e.Sensor, e.Value}]++
	}
	s.settle(2 * time.Minute)
	begun, ended := map[[2]string]int{}, map[[2]string]int{}
	told := 0
	for _, ledger := range s.inKafka() {
		for _, i := range ledger.items {
			var a rules.Alert
			switch {
			case i.Kind == event.Reading:
				told++
			case i.Kind != event.Alert:
			case json.Unmarshal(i.Data, &a) != nil:
				t.Errorf("an alert %s", i.Data)
			case a.State == rules.Begin:
				begun[[2]string{a.Sensor, a.Value}]++
			default:
				ended[[2]string{a.Sensor, a.Value}]++
			}
		}
	}
	if told != truth.Readings || total(begun) != len(truth.Excursions) || total(ended) != len(truth.Excursions) {
		t.Errorf("%d readings of %d, %d alerts begun and %d ended of %d", told, truth.Readings, total(begun), total(ended), len(truth.Excursions))
	}
	for what, n := range want {
		if begun[what] != n {
			t.Errorf("%v: %d alerts of %d excursions", what, begun[what], n)
		}
	}
}

func total(of map[[2]string]int) (n int) {
	for _, m := range of {
		n += m
	}
	return n
}
