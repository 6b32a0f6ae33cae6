package bridge

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	kafkago "github.com/segmentio/kafka-go"

	"cloudcanvas/shared/kafka"
)

// Report is what the checkpoints in Kafka say of every edge, whoever carries it: a few seconds old at
// most while something comes. It needs no bridge.
func Report(ctx context.Context, log Log) ([]EdgeStatus, error) {
	latest, err := latestCheckpoints(ctx, log, func(kafka.Record, error) {})
	if errors.Is(err, kafkago.UnknownTopicOrPartition) {
		return nil, nil // no bridge has run yet
	}
	if err != nil {
		return nil, err
	}
	book := newLedger(time.Now)
	for _, parts := range latest {
		for _, c := range parts {
			if err := book.load(c); err != nil {
				return nil, err
			}
		}
	}
	return book.status(), nil
}

// late is how long a gap may stand before it is reported: with priorities and several messages in
// flight there are always some, and an edge sends again after 30 s.
const late = time.Minute

// Late says that something of this edge has been missing for long, although more has come since.
func (s EdgeStatus) Late(now time.Time) bool {
	return s.Missing > 0 && !s.Since.IsZero() && now.Sub(s.Since) >= late
}

// gapMetrics tells of the edges with late gaps when it is asked.
type gapMetrics struct {
	bridge       *Bridge
	missing, age *prometheus.Desc
	twins        *prometheus.Desc
	refused      *prometheus.Desc
}

func newGapMetrics(b *Bridge) *gapMetrics {
	by := []string{"edge", "epoch"}
	return &gapMetrics{bridge: b,
		missing: prometheus.NewDesc("canvas_bridge_missing_items", "Numbers that have not come although later ones have, of edges where that stands for over a minute.", by, nil),
		age:     prometheus.NewDesc("canvas_bridge_gap_seconds", "Since when they are missing.", by, nil),
		twins:   prometheus.NewDesc("canvas_bridge_twins", "Edges under whose name two agents speak at the same time.", nil, nil),
		refused: prometheus.NewDesc("canvas_bridge_refused_messages", "Messages over a bound of their edge so far, of the edges with most.", []string{"edge", "bound"}, nil),
	}
}

// refusedTold bounds the edges whose refusals are told one by one.
const refusedTold = 20

func (g *gapMetrics) Describe(to chan<- *prometheus.Desc) {
	to <- g.missing
	to <- g.age
	to <- g.twins
	to <- g.refused
}

func (g *gapMetrics) Collect(to chan<- prometheus.Metric) {
	now := time.Now()
	twins, refused := map[string]bool{}, map[string]map[string]uint64{}
	for _, s := range g.bridge.Status() {
		if s.Late(now) {
			to <- prometheus.MustNewConstMetric(g.missing, prometheus.GaugeValue, float64(s.Missing), s.Edge, string(s.Epoch))
			to <- prometheus.MustNewConstMetric(g.age, prometheus.GaugeValue, now.Sub(s.Since).Seconds(), s.Edge, string(s.Epoch))
		}
		if s.Twin != "" {
			twins[s.Edge] = true
		}
		if s.Refused != nil {
			refused[s.Edge] = s.Refused
		}
	}
	to <- prometheus.MustNewConstMetric(g.twins, prometheus.GaugeValue, float64(len(twins)))
	most := slices.SortedFunc(maps.Keys(refused), func(a, b string) int {
		return cmp.Or(cmp.Compare(sum(refused[b]), sum(refused[a])), cmp.Compare(a, b))
	})
	for _, edge := range most[:min(len(most), refusedTold)] {
		for bound, n := range refused[edge] {
			to <- prometheus.MustNewConstMetric(g.refused, prometheus.CounterValue, float64(n), edge, bound)
		}
	}
}

func sum(of map[string]uint64) (all uint64) {
	for _, n := range of {
		all += n
	}
	return all
}
