package release

import (
	"fmt"
	"math"
)

// Stats are how a version has done on one worker.
type Stats struct {
	Items   int             // seen without an error
	Failed  int             // that it failed at and another version did not
	Seconds map[int]float64 // least time of a run by its number of items
}

// What is too bad. A version must have failed more than once or twice before it is blamed: one item
// may be odd.
const (
	leastFailed = 3
	moreFailed  = 0.02 // share of failures beyond the version before
	slower      = 2.0
)

// worse says why a version is worse than the one before it; "" where it is not, or not yet known.
func worse(on, before Stats) string {
	if share, usual := failing(on), failing(before); on.Failed >= leastFailed && share > usual+moreFailed {
		return fmt.Sprintf("errors rose: it failed at %d of %d items (%.1f %%), the version before at %.1f %%", on.Failed, on.Items+on.Failed, share*100, usual*100)
	}
	for items, took := range on.Seconds {
		if usual := comparable(before.Seconds, items); took > slower*usual {
			return fmt.Sprintf("latency doubled: a run of %d takes %.3g s, the version before no more than %.3g s", items, took, usual)
		}
	}
	return ""
}

func failing(f Stats) float64 { return float64(f.Failed) / float64(max(1, f.Items+f.Failed)) }

// comparable is the most that a run of so many items can have taken before: the time of the smallest
// run of at least as many. A canary sees smaller batches, and must not be blamed for that.
func comparable(seconds map[int]float64, items int) float64 {
	least, usual := math.MaxInt, math.Inf(1)
	for n, s := range seconds {
		if n >= items && n < least {
			least, usual = n, s
		}
	}
	return usual
}
