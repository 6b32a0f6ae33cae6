package worker

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	items      *prometheus.CounterVec
	batch      prometheus.Histogram
	inference  *prometheus.HistogramVec
	partitions prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		items: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_cloud_worker_items_total", Help: "Items done, by outcome: result or dead.",
		}, []string{"outcome"}),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "canvas_cloud_worker_batch_items", Help: "Items of a batch.", Buckets: prometheus.ExponentialBuckets(1, 2, 8),
		}),
		inference: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "canvas_cloud_worker_inference_seconds", Help: "Time of one run of a model over a batch.",
			Buckets: prometheus.ExponentialBuckets(0.002, 2, 14),
		}, []string{"model"}),
		partitions: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "canvas_cloud_worker_partitions", Help: "Partitions assigned to this worker.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.items, m.batch, m.inference, m.partitions} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
