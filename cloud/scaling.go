package cloud

import (
	"context"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// scaling exports how many workers are wanted. Only the leader does, so that a sum over all processes
// is right; the others export nothing.
type scaling struct {
	lag, wanted *prometheus.GaugeVec

	mu      sync.Mutex
	members []coord.Member // nil: this process does not lead
}

// countEvery is how often the leader asks Kafka for the lag.
const countEvery = 10 * time.Second

func newScaling(r prometheus.Registerer) (*scaling, error) {
	s := &scaling{
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "canvas_cloud_work_lag_items", Help: "Items of canvas.work that no worker has finished. Only from the leader.",
		}, nil),
		wanted: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "canvas_cloud_workers_wanted", Help: "Workers that would finish the lag within assign.target_age. Only from the leader.",
		}, nil),
	}
	if r == nil {
		return s, nil
	}
	for _, c := range []prometheus.Collector{s.lag, s.wanted} {
		if err := r.Register(c); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// led is called with the members while this process leads, and with nil when it does no more.
func (s *scaling) led(members []coord.Member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members = members; members == nil {
		s.lag.Reset()
		s.wanted.Reset()
	}
}

// set exports a lag, while this process leads.
func (s *scaling) set(lag int64, target time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.members == nil {
		return
	}
	s.lag.WithLabelValues().Set(float64(lag))
	s.wanted.WithLabelValues().Set(float64(assign.Wanted(lag, s.members, target)))
}

func (s *scaling) leads() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.members != nil
}

// scale counts the lag while this process leads, until ctx ends.
func (c *Cloud) scale(ctx context.Context, s *scaling) error {
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !s.leads() {
			continue
		}
		lags, err := c.backlog(ctx, event.WorkTopic)
		if err != nil {
			if ctx.Err() == nil {
				c.Log.Warn("counting the backlog of work failed; the leader tries again", telemetry.Err, err)
			}
			continue
		}
		lag := int64(0)
		for _, n := range lags {
			lag += n
		}
		s.set(lag, c.Config.Assign.TargetAge)
	}
}

// backlog is how many items of a topic the workers have not finished, by partition.
func (c *Cloud) backlog(ctx context.Context, topic string) (map[int]int64, error) {
	all, err := kafka.ProgressOf(ctx, c.Kafka, worker.Group, topic)
	lags := make(map[int]int64, len(all))
	for p, at := range all {
		lags[p] = at.Lag()
	}
	return lags, err
}
