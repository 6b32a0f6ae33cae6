// Package linksim simulates what a satellite brings down: one trace of captures and one plan of contacts
// through several policies, ours being the real scheduler with a virtual clock. Everything in it is
// simulated; docs/simulation.md says what the traces assume.
package linksim

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"
)

// Capture is one thing that a satellite took or found, before any policy has rated it.
type Capture struct {
	At      time.Duration `json:"at_s"`    // after the beginning of the trace
	Kind    string        `json:"kind"`    // tile, alert, track, thumbnail, mask, frame
	Bytes   int           `json:"bytes"`   // on the link
	Cloud   float64       `json:"cloud"`   // share of cloud, 0 … 1
	Changed bool          `json:"changed"` // the ground differs from what is known on Earth
	Value   float64       `json:"value"`   // what a byte of it is worth in truth, 0 … 1
	Seen    float64       `json:"seen"`    // the same, as the small network on board takes it
	Looks   bool          `json:"looks"`   // changed, as the comparison on board takes it
}

// Kinds of captures, in the order of the product ladder.
var kinds = []string{"alert", "track", "thumbnail", "mask", "tile", "frame"}

// Trace is what was captured, ascending by time.
type Trace []Capture

// TraceOptions say what to generate.
type TraceOptions struct {
	Days          float64
	ScenesPerDay  int
	TilesPerScene int
	TileBytes     int
	Cloud         float64 // mean share of cloud
	Changed       float64 // share of tiles whose ground changed
	AlertsPerDay  int
	Seed          uint64
}

// DefaultTrace is a week of a small imaging satellite that takes about ten times what it can send.
func DefaultTrace() TraceOptions {
	return TraceOptions{Days: 7, ScenesPerDay: 60, TilesPerScene: 100, TileBytes: 400_000, Cloud: 0.55, Changed: 0.2, AlertsPerDay: 40, Seed: 1}
}

// unchangedWorth is what a byte of clear, unchanged ground is worth beside one of changed ground.
const unchangedWorth = 0.1

// Generate makes a trace. The same options give the same trace.
func Generate(o TraceOptions) Trace {
	r := rand.New(rand.NewPCG(o.Seed, 0x70617373))
	var t Trace
	scenes := int(o.Days * float64(o.ScenesPerDay))
	for n := range scenes {
		at := time.Duration((float64(n) + r.Float64()) / float64(o.ScenesPerDay) * 24 * float64(time.Hour))
		t = append(t, scene(r, at, o)...)
	}
	for range int(o.Days * float64(o.AlertsPerDay)) {
		at := time.Duration(r.Float64() * o.Days * 24 * float64(time.Hour))
		t = append(t, Capture{At: at, Kind: "alert", Bytes: 600 + r.IntN(1000), Changed: true, Looks: true, Value: 1, Seen: 1})
		for range 1 + r.IntN(3) {
			t = append(t, Capture{At: at, Kind: "track", Bytes: 1000 + r.IntN(2000), Changed: true, Looks: true, Value: 1, Seen: 1})
		}
	}
	slices.SortStableFunc(t, func(a, b Capture) int { return int(a.At - b.At) })
	return t
}

// scene is a scene's products: a thumbnail, a mask, and its tiles. Clouds come in systems: scenes are
// mostly clear or mostly covered (a U-shaped distribution), and tiles vary within a scene.
func scene(r *rand.Rand, at time.Duration, o TraceOptions) Trace {
	base := o.Cloud
	if u := r.Float64(); u < 0.8 {
		base = 0.12
		if r.Float64() < (o.Cloud-0.12)/0.8 {
			base = 0.92
		}
	}
	t := Trace{
		{At: at, Kind: "thumbnail", Bytes: 30_000, Cloud: base, Changed: true, Looks: true, Value: 1 - base, Seen: 1 - base},
		{At: at, Kind: "mask", Bytes: 8000, Cloud: base, Changed: true, Looks: true, Value: 1, Seen: 1},
	}
	for range o.TilesPerScene {
		c := Capture{At: at, Kind: "tile", Bytes: int(float64(o.TileBytes) * (0.7 + 0.6*r.Float64())),
			Cloud: unit(base + 0.25*r.NormFloat64()), Changed: r.Float64() < o.Changed}
		c.Value = worth(c.Cloud, c.Changed)
		// Screening on board errs: the cloud share by about 0.1; the comparison gives a score around 1
		// where the ground has changed and around 0 where not, on the wrong side of 0.5 for one tile in 13.
		score := 0.35 * r.NormFloat64()
		if c.Changed {
			score++
		}
		c.Looks = score > 0.5
		c.Seen = (1 - unit(c.Cloud+0.1*r.NormFloat64())) * expected(score, o.Changed)
		t = append(t, c)
	}
	return t
}

// expected is what a clear byte is worth by the comparison's score: Bayes' rule over the two bells.
func expected(score, changed float64) float64 {
	odds := changed / max(1-changed, 1e-9) * math.Exp((2*score-1)/(2*0.35*0.35))
	if math.IsInf(odds, 1) {
		return 1
	}
	return (odds + unchangedWorth) / (odds + 1)
}

func worth(cloud float64, changed bool) float64 {
	if changed {
		return 1 - cloud
	}
	return unchangedWorth * (1 - cloud)
}

func unit(x float64) float64 { return min(max(x, 0), 1) }

// Check says what is wrong with options for a trace.
func (o TraceOptions) Check() error {
	tiles := o.Days * float64(o.ScenesPerDay) * float64(o.TilesPerScene)
	switch {
	case !(o.Days > 0 && o.Days <= 366):
		return fmt.Errorf("%g days: above 0 and up to 366 are wanted", o.Days)
	case o.ScenesPerDay < 1 || o.TilesPerScene < 1 || o.TileBytes < 1 || o.TileBytes > maxItemBytes || o.AlertsPerDay < 0:
		return errors.New("scenes, tiles and their bytes must be above 0, alerts not negative")
	case tiles > maxCaptures || o.Days*float64(o.AlertsPerDay) > maxCaptures:
		return fmt.Errorf("%.0f tiles: %d captures are the most", tiles, maxCaptures)
	case !(o.Cloud >= 0.12 && o.Cloud <= 0.92):
		return fmt.Errorf("a share of cloud of %g: 0.12 to 0.92 are wanted", o.Cloud)
	case !(o.Changed >= 0 && o.Changed <= 1):
		return fmt.Errorf("a share of changed tiles of %g: 0 to 1 are wanted", o.Changed)
	}
	return nil
}
