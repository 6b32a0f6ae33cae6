package assign_test

import (
	"context"
	"log/slog"
	"maps"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/local"
)

// latest is when the last member would end.
func latest(lags map[int]int64, rates map[string]float64, division map[int]string) float64 {
	times := map[string]float64{}
	for p, id := range division {
		times[id] += float64(lags[p]) / rates[id]
	}
	worst := 0.0
	for _, t := range times {
		worst = max(worst, t)
	}
	return worst
}

func TestRelievingNeverPutsTheEndOffAndLeavesAloneWhatIsEven(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members, rates := drawMembers(t, "members"), map[string]float64{}
		if len(members) == 0 {
			t.Skip()
		}
		for i := range members {
			members[i].Rate++
			rates[members[i].ID] = members[i].Rate
		}
		partitions := rapid.IntRange(1, 40).Draw(t, "partitions")
		now, lags := map[int]string{}, map[int]int64{}
		for p := range partitions {
			now[p] = rapid.SampledFrom(members).Draw(t, "owner").ID
			lags[p] = rapid.Int64Range(0, 1000).Draw(t, "lag")
		}
		next := assign.Relieve(lags, members, now, 0.15)
		if len(next) != partitions {
			t.Fatalf("%d of %d partitions", len(next), partitions)
		}
		before, after := latest(lags, rates, now), latest(lags, rates, next)
		if after > before*(1+1e-9) {
			t.Fatalf("it ends after %v, before after %v", after, before)
		}
		total, speed := 0.0, 0.0
		for _, n := range lags {
			total += float64(n)
		}
		for _, r := range rates {
			speed += r
		}
		if even := total / speed; before <= 1.15*even && !maps.Equal(now, next) {
			t.Fatalf("it ends after %v, all together after %v: nothing had to move", before, even)
		}
		for p, id := range next {
			if _, there := rates[id]; !there {
				t.Fatalf("partition %d belongs to %q", p, id)
			}
		}
	})
}

func TestALagThatLastsIsActedOnAndAPassingOneIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		space := local.NewSpace()
		c := space.Coordinator("leader")
		var skewed atomic.Bool
		backlog := func(context.Context, string) (map[int]int64, error) {
			lags := map[int]int64{}
			for p := range 12 {
				lags[p] = 1000
				if skewed.Load() && p < 4 {
					lags[p] = 9000
				}
			}
			return lags, nil
		}
		go assign.Lead(ctx, c, map[string]int{"work": 12}, assign.DefaultConfig(), slog.New(slog.DiscardHandler), assign.Hooks{Backlog: backlog})
		for _, id := range []string{"a", "b", "c"} {
			go space.Coordinator(id).Join(ctx, coord.Member{ID: id, Role: coord.Worker, Rates: map[string]float64{"m": 10}})
		}
		w := &world{t, space, ctx, c}
		time.Sleep(time.Second)
		even := w.table()
		if got := count(even); got["a"] != 4 || got["b"] != 4 {
			t.Fatalf("at first %v", got)
		}
		for range 3 {
			skewed.Store(true)
			time.Sleep(20 * time.Second)
			skewed.Store(false)
			time.Sleep(20 * time.Second)
		}
		if got := w.table(); !maps.Equal(got, even) {
			t.Errorf("a passing lag moved %v to %v", even, got)
		}
		skewed.Store(true)
		time.Sleep(time.Minute)
		lags, _ := backlog(ctx, "work")
		rates := map[string]float64{"a": 10, "b": 10, "c": 10}
		if before, after := latest(lags, rates, even), latest(lags, rates, w.table()); after >= before {
			t.Errorf("a lasting lag was not acted on: it ends after %v s, before after %v s", after, before)
		}
		cancel()
		synctest.Wait()
	})
}
