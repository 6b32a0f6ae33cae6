package linksim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/edge/uplink/contact"
)

// Plan is when and how fast a satellite is in contact.
type Plan struct {
	Begin          time.Time
	Windows        []contact.Window // ascending and apart
	BytesPerSecond float64          // where a window does not say
}

// Result is what a policy brought down, simulated.
type Result struct {
	Policy           string           `json:"policy"`
	Label            string           `json:"label"`
	Simulated        bool             `json:"simulated"` // always true
	Sent             int64            `json:"sent_bytes"`
	Delivered        int              `json:"delivered_items"`
	DeliveredBytes   int64            `json:"delivered_bytes"`
	ValueBytes       float64          `json:"value_bytes"`    // delivered bytes, each times what it is worth in truth
	ValuePerByte     float64          `json:"value_per_byte"` // of all bytes sent
	ClearShare       float64          `json:"clear_share"`    // of the delivered bytes of tiles: free of cloud, changed or not
	UnchangedBytes   int64            `json:"unchanged_bytes"`
	AlertP50         float64          `json:"alert_latency_p50_s"` // an alert that was not delivered counts with its age at the end
	AlertP90         float64          `json:"alert_latency_p90_s"`
	AlertsDelivered  int              `json:"alerts_delivered"`
	Alerts           int              `json:"alerts"`
	ChangedDelivered float64          `json:"changed_delivered"` // share of the clear and changed tiles that there were
	Bytes            map[string]int64 `json:"bytes_per_kind"`
	LongestWait      float64          `json:"longest_wait_s"` // of what was kept: delivered, or waiting at the end
	NeverSent        int              `json:"waiting_at_end"`

	value     []point // value bytes over time
	latencies []float64
}

type point struct{ at, y float64 }

// Run plays the trace and the plan through a policy. The run ends with the last window or the last
// capture, whichever is later.
func Run(ctx context.Context, t Trace, plan Plan, p Policy) (Result, error) {
	r := runner{trace: t, plan: plan, policy: p.make(contact.NewCalendar(contact.List(plan.Windows))),
		done: make([]time.Duration, len(t)), shown: make([]bool, len(t)), result: Result{Policy: p.Name, Label: p.Label, Simulated: true, Bytes: map[string]int64{}}}
	for _, w := range plan.Windows {
		if err := ctx.Err(); err != nil {
			return Result{}, err
		}
		if err := r.contact(w); err != nil {
			return Result{}, fmt.Errorf("policy %s: %w", p.Name, err)
		}
	}
	r.capture(time.Duration(1 << 62))
	r.sum()
	return r.result, nil
}

type runner struct {
	trace  Trace
	plan   Plan
	policy policy
	taken  int
	done   []time.Duration // after the beginning; 0: not delivered
	shown  []bool          // delivered as more than a line of its scene's manifest
	result Result
}

// capture tells the policy of everything up to at.
func (r *runner) capture(at time.Duration) {
	for r.taken < len(r.trace) && r.trace[r.taken].At <= at {
		r.policy.take(r.taken, r.trace[r.taken])
		r.taken++
	}
}

// contact sends as long as the window lasts.
func (r *runner) contact(w contact.Window) error {
	rate := w.BytesPerSecond
	if rate == 0 {
		rate = r.plan.BytesPerSecond
	}
	for now := w.From; now.Before(w.To); {
		at := now.Sub(r.plan.Begin)
		r.capture(at)
		left := int64(rate * w.To.Sub(now).Seconds())
		part, ok := r.policy.send(now, left, rate)
		if !ok {
			if r.taken == len(r.trace) {
				return nil
			}
			next := r.plan.Begin.Add(r.trace[r.taken].At)
			if !next.After(now) {
				return fmt.Errorf("it stands still at %s", now)
			}
			now = next
			continue
		}
		if part.wire > left {
			return fmt.Errorf("it sent %d bytes at %s, when %d were left of the window", part.wire, now, left)
		}
		now = now.Add(max(time.Duration(float64(part.wire)/rate*float64(time.Second)), time.Nanosecond))
		r.account(part, now.Sub(r.plan.Begin))
	}
	return nil
}

func (r *runner) account(part sent, at time.Duration) {
	res, c := &r.result, r.trace[part.n]
	res.Sent += part.wire
	res.Bytes[c.Kind] += part.wire
	if c.Kind == "tile" && !c.Changed {
		res.UnchangedBytes += part.wire
	}
	if !part.whole {
		return
	}
	if !part.again {
		r.done[part.n], r.shown[part.n] = at, part.worth > 0
		res.Delivered++
	}
	res.ValueBytes += part.worth * c.Value * float64(c.Bytes)
	res.DeliveredBytes += part.bytes
	res.value = append(res.value, point{at.Hours(), res.ValueBytes})
}

// sum makes the figures of what went.
func (r *runner) sum() {
	res := &r.result
	end := r.trace[len(r.trace)-1].At
	if n := len(r.plan.Windows); n > 0 {
		end = max(end, r.plan.Windows[n-1].To.Sub(r.plan.Begin))
	}
	var clear, tiles, wanted, got float64
	for n, c := range r.trace {
		whole := r.done[n] > 0
		waited := end - c.At
		if whole {
			waited = r.done[n] - c.At
		}
		if c.Kind == "alert" {
			res.Alerts++
			res.latencies = append(res.latencies, waited.Seconds())
			if whole {
				res.AlertsDelivered++
			}
		}
		sent := whole && r.shown[n]
		if c.Kind == "tile" {
			if sent {
				tiles += float64(c.Bytes)
				clear += (1 - c.Cloud) * float64(c.Bytes)
			}
			if c.Changed && c.Cloud < 0.5 {
				wanted++
				if sent {
					got++
				}
			}
		}
		if s, ok := r.policy.(*sorted); ok && !s.keep(c) {
			continue
		}
		res.LongestWait = max(res.LongestWait, waited.Seconds())
		if !whole {
			res.NeverSent++
		}
	}
	slices.Sort(res.latencies)
	res.AlertP50, res.AlertP90 = quantile(res.latencies, 0.5), quantile(res.latencies, 0.9)
	res.ValuePerByte = res.ValueBytes / max(float64(res.Sent), 1)
	res.ClearShare, res.ChangedDelivered = clear/max(tiles, 1), got/max(wanted, 1)
}

// quantile of sorted values, the nearest rank.
func quantile(sorted []float64, q float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
