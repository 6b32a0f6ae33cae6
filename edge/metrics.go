package edge

import "github.com/prometheus/client_golang/prometheus"

// register makes the buffer's counts readable as metrics.
func (a *Agent) register(to prometheus.Registerer) error {
	if to == nil {
		return nil
	}
	gauge := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_edge_outbox_" + name, Help: help}, value)
	}
	counter := func(name, help string, value func() float64) prometheus.Collector {
		return prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "canvas_edge_outbox_" + name + "_total", Help: help}, value)
	}
	for _, c := range []prometheus.Collector{
		counter("committed_items", "Items committed in this epoch.", func() float64 { return float64(a.box.Stats().Committed) }),
		counter("received_items", "Items that the cloud has.", func() float64 { return float64(a.box.Stats().Received) }),
		counter("dropped_items", "Items in the ledger of drops.", func() float64 { return float64(a.box.Stats().Dropped) }),
		gauge("waiting_items", "Items that wait for the cloud.", func() float64 { return float64(a.box.Stats().Waiting) }),
		gauge("waiting_bytes", "Data that waits for the cloud.", func() float64 { return float64(a.box.Stats().Bytes) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "canvas_edge_quarantined_total", Help: "Inputs left out because they killed the process."},
			func() float64 { return float64(a.Quarantined()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "canvas_edge_shed_total", Help: "Items of live sources that could not be committed."},
			func() float64 { return float64(a.lost.count.Load()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_edge_link_up", Help: "1 while there is a connection to the cloud's broker."}, func() float64 {
			if a.Ready() == nil {
				return 1
			}
			return 0
		}),
	} {
		if err := to.Register(c); err != nil {
			return err
		}
	}
	return nil
}
