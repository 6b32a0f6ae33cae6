package assign

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

// Relieve moves partitions away from members that would finish what waits in them later than the
// others, one after the other and as long as each move brings the end nearer, until none takes more
// than 1+tolerance times what it would take if all ended together. lags are the items that wait, by
// partition. What need not move stays.
func Relieve(lags map[int]int64, members []Weight, now map[int]string, tolerance float64) map[int]string {
	rates, times := effective(members), map[string]float64{}
	total, speed := 0.0, 0.0
	for id, rate := range rates {
		times[id] = 0
		speed += rate
	}
	next := maps.Clone(now)
	for p, id := range next {
		if _, there := rates[id]; !there {
			return next // somebody is about to come or go: that comes first
		}
		times[id] += float64(lags[p]) / rates[id]
		total += float64(lags[p])
	}
	ids := slices.Sorted(maps.Keys(rates))
	partitions := slices.Sorted(maps.Keys(next))
	for range next {
		latest := slices.MaxFunc(ids, func(a, b string) int { return compare(times[a], times[b]) })
		if times[latest] <= (1+tolerance)*total/speed {
			break
		}
		best, who, end := -1, "", times[latest]
		for _, p := range partitions {
			if next[p] != latest || lags[p] <= 0 {
				continue
			}
			for _, id := range ids {
				after := max(times[latest]-float64(lags[p])/rates[latest], times[id]+float64(lags[p])/rates[id])
				if id != latest && after < end-1e-9*end {
					best, who, end = p, id, after
				}
			}
		}
		if best < 0 {
			break
		}
		times[latest] -= float64(lags[best]) / rates[latest]
		times[who] += float64(lags[best]) / rates[who]
		next[best] = who
	}
	return next
}

func compare(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// relieve looks whether some members have more before them than others, and acts when that lasts. It
// says whether there is enough to do that the lag is what counts, rather than the number of partitions.
func (l *leader) relieve(ctx context.Context, members []coord.Member) (laden bool, err error) {
	if l.hooks.Backlog == nil || len(members) == 0 {
		return false, nil
	}
	lags, speed := map[string]map[int]int64{}, 0.0
	for _, m := range members {
		speed += itemsPerSecond(m)
	}
	waits := 0.0
	for topic := range l.topics {
		if lags[topic], err = l.hooks.Backlog(ctx, topic); err != nil {
			l.log.Warn("Kafka does not tell the backlog; the leader divides the work by the workers' rates alone", "topic", topic, telemetry.Err, err)
			return false, nil
		}
		for _, n := range lags[topic] {
			waits += float64(n)
		}
	}
	// What is done before a move could help is not worth one.
	if speed == 0 || waits/speed < 2*l.cfg.Rebalance.Seconds() {
		l.behind = time.Time{}
		return false, nil
	}
	value, version, err := l.doc.Get(ctx)
	if err != nil {
		return true, err
	}
	table, err := Parse(value)
	if err != nil || table.Epoch > l.epoch {
		return true, nil // divide says what is wrong with it
	}
	next, moved := Table{l.epoch, map[string]map[int]string{}}, 0
	for topic, now := range table.Topics {
		next.Topics[topic] = Relieve(lags[topic], weigh(members), now, l.cfg.Tolerance)
		for p, id := range now {
			if next.Topics[topic][p] != id {
				moved++
			}
		}
	}
	switch {
	case moved == 0:
		l.behind = time.Time{}
		return true, nil
	case l.behind.IsZero():
		l.behind = time.Now()
	}
	if time.Since(l.behind) < l.cfg.Rebalance {
		return true, nil
	}
	b, err := json.Marshal(next)
	if err != nil {
		return true, err
	}
	if _, err := l.doc.Put(ctx, b, version); err != nil && !errors.Is(err, coord.ErrChanged) {
		return true, fmt.Errorf("writing the assignments: %w", err)
	}
	l.behind = time.Time{}
	l.log.Info("some workers had more backlog than others; the leader has divided the work anew", "moved", moved, "waiting", math.Round(waits))
	return true, nil
}
