package worker

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	items      *prometheus.CounterVec
	batch      prometheus.Histogram
	inference  *prometheus.HistogramVec
	partitions prometheus.Gauge
	late       *prometheus.CounterVec
	panics     prometheus.Counter
}

func newMetrics(r prometheus.Registerer, models *Registry) (*metrics, error) {
	m := &metrics{
		items: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_cloud_worker_items_total", Help: "Items done, by outcome: result, dead, or skipped for being late.",
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
		late: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "canvas_cloud_worker_late_total", Help: "Items whose deadline had passed when their turn came, by model or pipeline.",
		}, []string{"model"}),
		panics: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "canvas_cloud_worker_panics_total", Help: "Panics that one item caused, and that became its dead letter.",
		}),
	}
	if r == nil {
		return m, nil
	}
	for _, c := range append(memoryMetrics(models.cache), m.items, m.batch, m.inference, m.partitions, m.late, m.panics) {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func memoryMetrics(c *modelCache) []prometheus.Collector {
	return []prometheus.Collector{
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "canvas_cloud_worker_models_resident", Help: "Models that are loaded.",
		}, func() float64 { n, _, _ := c.stats(); return float64(n) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "canvas_cloud_worker_models_memory_bytes", Help: "What the loaded models are taken to need, see worker.models_memory_bytes.",
		}, func() float64 { _, bytes, _ := c.stats(); return float64(bytes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "canvas_cloud_worker_models_unloaded_total", Help: "Models unloaded because others needed their memory.",
		}, func() float64 { _, _, n := c.stats(); return float64(n) }),
	}
}
