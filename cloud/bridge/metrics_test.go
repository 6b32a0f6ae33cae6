package bridge

import (
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/shared/event"
)

func TestGapsAreReportedWhenTheyAreLate(t *testing.T) {
	now := time.Now()
	book := dedup.New(func() time.Time { return now })
	book.Add("mast", "e1", 1, 2, 5, 9)
	book.Add("vessel", "e1", 1, 2)
	registry := prometheus.NewRegistry()
	b := &Bridge{dedup: book}
	registry.MustRegister(newGapMetrics(b))
	count := func() (missing float64, edges int) {
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() == "canvas_bridge_missing_items" {
				for _, m := range f.GetMetric() {
					missing += m.GetGauge().GetValue()
					edges++
				}
			}
		}
		return missing, edges
	}
	if _, edges := count(); edges != 0 {
		t.Error("a gap that has just opened is reported")
	}
	now = now.Add(-2 * time.Minute)
	book.Add("vessel", "e1", 4) // stuck since two minutes ago
	if missing, edges := count(); missing != 1 || edges != 1 {
		t.Errorf("%v missing of %d edges", missing, edges)
	}
	s := book.Status()[1]
	if !s.Late(time.Now()) || s.Gaps[0] != (event.Range{From: 3, To: 3}) {
		t.Errorf("%+v", s)
	}
}
