package console

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/console/live"
	"cloudcanvas/shared/visible"
)

// metrics are the console's own.
type metrics struct {
	skipped *prometheus.CounterVec
	took    *prometheus.HistogramVec
}

func newMetrics() *metrics {
	return &metrics{
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "canvas_cloud_console_unreadable_records_total", Help: "Records that could not be shown, by topic."}, []string{"topic"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "canvas_cloud_console_request_seconds", Help: "Time to answer, by status class.",
			Buckets: []float64{.005, .01, .025, .05, .1, .2, .5, 1, 2.5, 10}}, []string{"status"}),
	}
}

func (m *metrics) register(to prometheus.Registerer, k *Console) error {
	if to == nil {
		return nil
	}
	for _, c := range []prometheus.Collector{m.skipped, m.took,
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_cloud_console_open_pages", Help: "Streams of live notices that are open."}, func() float64 { return float64(k.api.Streams()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_cloud_console_kafka_up", Help: "1 while Kafka answers."}, func() float64 {
			if _, err := k.index.Kafka(); err != nil {
				return 0
			}
			return 1
		}),
		&asked{k},
	} {
		if err := to.Register(c); err != nil {
			return err
		}
	}
	return nil
}

// asked are metrics that are looked up when they are asked for.
type asked struct{ k *Console }

var (
	lagMetric         = prometheus.NewDesc("canvas_cloud_console_lag_records", "Records that a group has not committed yet.", []string{"group", "topic"}, nil)
	deadLettersMetric = prometheus.NewDesc("canvas_cloud_console_open_letters", "Dead letters that nobody has decided about.", nil, nil)
	sourcesMetric     = prometheus.NewDesc("canvas_cloud_console_letters", "Dead letters that are kept, by the edge that they come from and the kind of fault; the 50 most.", []string{"edge", "class"}, nil)
	edgesMetric       = prometheus.NewDesc("canvas_cloud_console_edges", "Edges by what they say of themselves.", []string{"status"}, nil)
	workersMetric     = prometheus.NewDesc("canvas_cloud_console_workers", "Workers that are there.", nil, nil)
)

// Describe names them.
func (a *asked) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{lagMetric, deadLettersMetric, sourcesMetric, edgesMetric, workersMetric} {
		to <- d
	}
}

// Collect looks them up. What is not known is left out: a gap in a graph is the truth.
func (a *asked) Collect(to chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*live.Patience)
	defer cancel()
	if open, err := a.k.decisions.Undecided(ctx); err == nil {
		gauge(deadLettersMetric, float64(open))
	}
	for source, n := range a.sources(ctx) {
		gauge(sourcesMetric, n, source[0], source[1])
	}
	if edges, err := a.k.index.Edges.All(ctx); err == nil {
		counts := map[string]int{"online": 0, "offline": 0}
		for _, e := range edges {
			if e.Status != "" {
				counts[e.Status]++
			}
		}
		for status, n := range counts {
			gauge(edgesMetric, float64(n), status)
		}
	}
	if _, err := a.k.index.Kafka(); err != nil {
		return
	}
	c := a.k.cluster.Get(ctx)
	if c.GroupErr == nil {
		gauge(workersMetric, float64(len(c.Workers)))
	}
	for _, l := range c.Lags {
		gauge(lagMetric, float64(l.Lag), l.Group, l.Topic)
	}
}

// sources are how many dead letters there are by edge and kind of fault, as labels.
func (a *asked) sources(ctx context.Context) map[[2]string]float64 {
	counts := map[[2]string]float64{}
	all, err := a.k.index.DeadLetters.Sources(ctx)
	if err != nil {
		return nil
	}
	for _, s := range all {
		counts[[2]string{visible.Short(cmp.Or(s.Edge, "(not known)"), 100), visible.Short(s.Class, 100)}] += float64(s.Count)
	}
	return counts
}

// timed measures every answer but the streams, which last as long as a page is open.
func (m *metrics) timed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/v1/stream" {
			next.ServeHTTP(w, r)
			return
		}
		start, status := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(status, r)
		m.took.WithLabelValues(strconv.Itoa(status.status/100) + "xx").Observe(time.Since(start).Seconds())
	})
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
