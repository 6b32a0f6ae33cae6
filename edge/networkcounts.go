package edge

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/event"
)

// networkCounts are what became of the pictures that each loaded model was given, sorted by name.
func (a *Agent) networkCounts() []event.NetworkCounts {
	all := []event.NetworkCounts{}
	for _, l := range a.networks.open {
		c := event.NetworkCounts{Model: l.model.Name, Version: l.model.Version, Engine: l.report.Engine, Pictures: l.runs.Load(), Failed: l.failed.Load()}
		c.Candidates, c.ThrownAway = l.Candidates()
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b event.NetworkCounts) int { return cmp.Compare(a.Model, b.Model) })
	return all
}

// networkMetrics are those that each loaded model has for itself.
type networkMetrics struct{ agent *Agent }

var (
	looked     = networkDesc("pictures", "Pictures that were given to a model since it was loaded.")
	failing    = networkDesc("failed_pictures", "Pictures on which a model failed: nobody has looked at them.")
	candidates = networkDesc("candidate_boxes", "Boxes above a detector's score floor, before suppression.")
	unboxed    = networkDesc("thrown_boxes", "Boxes above a detector's score floor that can't be boxes: not finite, without a size, or of a class without a label.")
)

func networkDesc(what, help string) *prometheus.Desc {
	return prometheus.NewDesc("canvas_edge_model_"+what+"_total", help, []string{"model"}, nil)
}

// Describe names the metrics.
func (networkMetrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{looked, failing, candidates, unboxed} {
		to <- d
	}
}

// Collect reads them as they stand.
func (m networkMetrics) Collect(to chan<- prometheus.Metric) {
	for _, c := range m.agent.networkCounts() {
		for d, n := range map[*prometheus.Desc]int64{looked: c.Pictures, failing: c.Failed, candidates: c.Candidates, unboxed: c.ThrownAway} {
			to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n), c.Model)
		}
	}
}
