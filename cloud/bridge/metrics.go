package bridge

import (
	"cmp"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are what the bridge counts. They work without a registry too.
type metrics struct {
	messages *prometheus.CounterVec
	receipts *prometheus.CounterVec
	append   prometheus.Histogram
	away     prometheus.Gauge
	slots    prometheus.Gauge
	dead     *byEdge
	blocked  *byEdge
	refused  *prometheus.CounterVec
	givenUp  prometheus.Counter
}

func newMetrics(to prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_bridge_messages_total", Help: "What became of messages: items in Kafka, parts, duplicates, poison, conflicts (the number is another item's), known (in Kafka under another number).",
		}, []string{"outcome"}),
		receipts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_bridge_receipts_total", Help: "Receipts to edges.",
		}, []string{"outcome"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_bridge_refused_total", Help: "Messages that were over a bound of their edge: it keeps them and sends them again.",
		}, []string{"bound"}),
		givenUp: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_bridge_unfinished_given_up_total", Help: "Unfinished items whose parts were removed, for their number, bytes or age: their edges send them again.",
		}),
		append: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "canvas_bridge_append_seconds", Help: "Time of one write to Kafka.", Buckets: prometheus.ExponentialBuckets(0.001, 2, 14),
		}),
		slots: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "canvas_bridge_slots", Help: "Slots of edges that this bridge owns, of 64.",
		}),
		away: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "canvas_bridge_blocked", Help: "1 while Kafka or the object store does not take what the bridge must write.",
		}),
	}
	m.dead = newByEdge("canvas_bridge_dead_letters_total", "Messages that could not be worked on, by edge and kind of fault; of edges beyond the first 256 together.", "reason")
	m.blocked = newByEdge("canvas_bridge_blocked_messages_total", "Messages of edges that operators have blocked.")
	if to == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.messages, m.receipts, m.append, m.away, m.slots, m.dead.CounterVec, m.blocked.CounterVec, m.refused, m.givenUp} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// count counts a batch.
func (m *metrics) count(b *batch) {
	m.messages.WithLabelValues("item").Add(float64(b.counts.items))
	m.messages.WithLabelValues("part").Add(float64(b.counts.parts))
	m.messages.WithLabelValues("duplicate").Add(float64(b.counts.duplicates))
	m.messages.WithLabelValues("poison").Add(float64(b.counts.poison))
	m.messages.WithLabelValues("conflict").Add(float64(b.counts.conflicts))
	m.messages.WithLabelValues("known").Add(float64(b.counts.known))
}

// namedEdges is how many edges a metric names; all others count together.
const namedEdges = 256

// byEdge is a counter by edge whose labels are bounded.
type byEdge struct {
	*prometheus.CounterVec
	mu    sync.Mutex
	named map[string]bool
}

func newByEdge(name, help string, labels ...string) *byEdge {
	return &byEdge{CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"edge"}, labels...)), named: map[string]bool{}}
}

func (c *byEdge) count(edge string, labels ...string) {
	c.mu.Lock()
	if !c.named[edge] && len(c.named) >= namedEdges {
		edge = otherEdges
	} else {
		c.named[edge] = true
	}
	c.mu.Unlock()
	c.WithLabelValues(append([]string{edge}, labels...)...).Inc()
}

// gapMetrics exports the edges with late gaps when it is asked.
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
		twins:   prometheus.NewDesc("canvas_bridge_twins", "Edges whose name two agents use at the same time.", nil, nil),
		refused: prometheus.NewDesc("canvas_bridge_refused_messages", "Messages over a bound of their edge so far, of the edges with most.", []string{"edge", "bound"}, nil),
	}
}

// refusedListed bounds the edges whose refusals are exported one by one.
const refusedListed = 20

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
	for _, edge := range most[:min(len(most), refusedListed)] {
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
