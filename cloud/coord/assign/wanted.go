package assign

import (
	"math"
	"time"

	"cloudcanvas/cloud/coord"
)

// Wanted is how many workers it takes to work off a lag within target: lag ÷ rate ÷ target, where
// rate is the mean of what the members measured. While no rate is known it is the members there are,
// and one for a lag that no one works on.
func Wanted(lag int64, members []coord.Member, target time.Duration) int {
	if lag <= 0 {
		return 0
	}
	sum, known := 0.0, 0
	for _, m := range members {
		if r := itemsPerSecond(m); r > 0 {
			sum, known = sum+r, known+1
		}
	}
	if known == 0 {
		return max(1, len(members))
	}
	mean := sum / float64(known)
	return int(math.Min(math.Ceil(float64(lag)/mean/target.Seconds()), math.MaxInt32))
}

// itemsPerSecond of a worker that sees as many items with each of its models: the harmonic mean.
func itemsPerSecond(m coord.Member) float64 {
	seconds := 0.0
	for _, r := range m.Rates {
		if r > 0 {
			seconds += 1 / r
		}
	}
	if seconds == 0 {
		return 0
	}
	return float64(len(m.Rates)) / seconds
}
