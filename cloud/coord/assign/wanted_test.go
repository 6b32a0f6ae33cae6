package assign_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
)

func TestWorkersWantedAreLagOverRateOverTarget(t *testing.T) {
	at := func(rates ...float64) (members []coord.Member) {
		for _, r := range rates {
			m := coord.Member{}
			if r > 0 {
				m.Rates = map[string]float64{"m": r}
			}
			members = append(members, m)
		}
		return members
	}
	for _, c := range []struct {
		name    string
		lag     int64
		members []coord.Member
		want    int
	}{
		{"nothing waits", 0, at(10), 0},
		{"one item", 1, at(10), 1},
		{"one minute of one worker", 600, at(10), 1},
		{"a little more", 601, at(10), 2},
		{"unequal workers count as their mean", 6000, at(5, 15), 10},
		{"one is not measured yet", 6000, at(10, 0), 10},
		{"none is", 6000, at(0, 0), 2},
		{"nobody is there", 6000, nil, 1},
		{"two models", 600, []coord.Member{{Rates: map[string]float64{"light": 30, "heavy": 6}}}, 1},
	} {
		if got := assign.Wanted(c.lag, c.members, time.Minute); got != c.want {
			t.Errorf("%s: %d workers, want %d", c.name, got, c.want)
		}
	}
}

func TestMoreLagNeverWantsFewerWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := []coord.Member{{Rates: map[string]float64{"m": rapid.Float64Range(0.001, 1000).Draw(t, "rate")}}}
		lag := rapid.Int64Range(0, 1<<50).Draw(t, "lag")
		less := rapid.Int64Range(0, lag).Draw(t, "less")
		if a, b := assign.Wanted(less, members, time.Minute), assign.Wanted(lag, members, time.Minute); a > b || a < 0 {
			t.Fatalf("%d for %d, %d for %d", a, less, b, lag)
		}
	})
}
