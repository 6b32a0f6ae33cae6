package measure

import (
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/lab/evaluate"
)

func TestTheBetterWayWithinTheBudgetIsRecommended(t *testing.T) {
	of := func(send string, pays bool, quality, bytes float64) Way {
		return Way{Send: send, Cascade: evaluate.Cascade{Pays: pays, Chosen: evaluate.CascadePoint{Quality: quality, Bytes: bytes}}}
	}
	for name, ways := range map[string][]Way{
		"what pays":        {of("b", false, 0.4, 0.1), of("a", true, 0.3, 0.4)},
		"what gives more":  {of("a", true, 0.4, 0.4), of("b", true, 0.3, 0.1)},
		"what costs less":  {of("b", true, 0.4, 0.4), of("a", true, 0.4, 0.1)},
		"the only one":     {of("a", false, 0, 0)},
		"of equals, first": {of("a", true, 0.4, 0.4), of("b", true, 0.4, 0.4)},
	} {
		var r CascadeReport
		if r.recommend(ways); r.Send != "a" || len(r.curves()) != len(ways) {
			t.Errorf("%s: %s", name, r.Send)
		}
	}
}

// TestASettingLetsThroughWhatItWasMeasuredFor: rounded up, it would leave the last piece behind.
func TestASettingLetsThroughWhatItWasMeasuredFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.Float64Range(0, 1000).Draw(t, "limit")
		got, err := strconv.ParseFloat(noMore(limit), 64)
		if err != nil || got > limit*(1+1e-12) || got < limit*0.9989 {
			t.Fatalf("%g for %g: %v", got, limit, err)
		}
	})
}
