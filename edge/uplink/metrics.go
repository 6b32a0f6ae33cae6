package uplink

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/edge/uplink/schedule"
)

type metrics struct {
	parts, bytes    *prometheus.CounterVec
	failed, overdue prometheus.Counter
}

func newMetrics(to prometheus.Registerer, u *Uplink) (*metrics, error) {
	counter := func(name, help string) prometheus.CounterOpts {
		return prometheus.CounterOpts{Name: "canvas_edge_uplink_" + name + "_total", Help: help}
	}
	m := &metrics{
		parts:   prometheus.NewCounterVec(counter("parts", "Messages handed to the link, whole items and parts."), []string{"priority"}),
		bytes:   prometheus.NewCounterVec(counter("bytes", "Bytes handed to the link, envelopes estimated."), []string{"priority"}),
		failed:  prometheus.NewCounter(counter("failed_parts", "Messages that were not acknowledged; they go again.")),
		overdue: prometheus.NewCounter(counter("overdue_items", "Items that had no receipt in time and go again.")),
	}
	if to == nil {
		return m, nil
	}
	gauge := func(name, help string, value func(View) float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "canvas_edge_uplink_" + name, Help: help}, func() float64 { return value(u.Plan()) })
	}
	for _, c := range []prometheus.Collector{m.parts, m.bytes, m.failed, m.overdue,
		gauge("in_flight_bytes", "Bytes sent and not acknowledged by the broker.", func(v View) float64 { return float64(v.Flying) }),
		gauge("rate_bytes_per_second", "How fast the link delivers.", func(v View) float64 { return v.BytesPerSecond }),
		gauge("round_trip_seconds", "How long the last message took to be acknowledged.", func(v View) float64 { return v.RoundTrip.Seconds() }),
		gauge("least_round_trip_seconds", "The same on an empty link.", func(v View) float64 { return v.LeastRoundTrip.Seconds() }),
		gauge("window_open", "1 while a contact window is open.", func(v View) float64 {
			if v.Open {
				return 1
			}
			return 0
		}),
		gauge("no_receipts", "1 while the broker acknowledges what is sent and no receipt has come for four receipt timeouts.", func(v View) float64 {
			if v.Silent {
				return 1
			}
			return 0
		}),
		gauge("packet_limit_bytes", "The largest packet that the broker takes, about; 0: none is known.", func(v View) float64 {
			if v.Limit == nil || v.Limit.Refused == 0 || v.Limit.Reason == "" {
				return 0
			}
			return float64(v.Limit.Passed)
		}),
		gauge("held_items", "Items that the broker does not take in any size; they wait and others pass them.", func(v View) float64 {
			if v.Limit == nil {
				return 0
			}
			return float64(v.Limit.Held)
		}),
		gauge("budget_left_bytes", "Bytes that may still go today; -1: no bound.", func(v View) float64 { return float64(v.Budget.Day) }),
	} {
		if err := to.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (m *metrics) sent(p schedule.Part) {
	priority := strconv.Itoa(int(p.Priority))
	m.parts.WithLabelValues(priority).Inc()
	m.bytes.WithLabelValues(priority).Add(float64(p.Wire))
}
