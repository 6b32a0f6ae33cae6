package cloud

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/coord"
)

func TestOnlyTheLeaderTellsHowManyWorkersAreWanted(t *testing.T) {
	registry := prometheus.NewRegistry()
	s, err := newScaling(registry)
	if err != nil {
		t.Fatal(err)
	}
	told := func() map[string]float64 {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		values := map[string]float64{}
		for _, f := range families {
			values[f.GetName()] = f.GetMetric()[0].GetGauge().GetValue()
		}
		return values
	}
	s.set(100, time.Minute)
	if got := told(); len(got) != 0 {
		t.Errorf("a follower told %v", got)
	}
	s.led([]coord.Member{{ID: "a", Rates: map[string]float64{"m": 10}}})
	s.set(1500, time.Minute)
	if got := told(); got["canvas_cloud_work_lag_items"] != 1500 || got["canvas_cloud_workers_wanted"] != 3 {
		t.Errorf("the leader told %v", got)
	}
	s.led(nil)
	s.set(100, time.Minute)
	if got := told(); len(got) != 0 {
		t.Errorf("a former leader told %v", got)
	}
}
