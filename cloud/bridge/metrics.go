package bridge

import "github.com/prometheus/client_golang/prometheus"

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
			Name: "canvas_bridge_blocked", Help: "1 while Kafka or the object store does not take what is in hand.",
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

// settled counts a batch.
func (m *metrics) settled(b *batch) {
	m.messages.WithLabelValues("item").Add(float64(b.counts.items))
	m.messages.WithLabelValues("part").Add(float64(b.counts.parts))
	m.messages.WithLabelValues("duplicate").Add(float64(b.counts.duplicates))
	m.messages.WithLabelValues("poison").Add(float64(b.counts.poison))
	m.messages.WithLabelValues("conflict").Add(float64(b.counts.conflicts))
	m.messages.WithLabelValues("known").Add(float64(b.counts.known))
}
