package edge

import (
	"fmt"
	"maps"
	"slices"

	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
)

// A person should hear of it where this share of a scene's tiles, of which there are a few, is left out
// for one reason: it may be so, and it is what a wrong scale or wrong bands look like.
const (
	nearlyAll = 0.8
	fewTiles  = 4
)

// thrownAway says for what reason nearly all tiles of a scene were left out, as facts for those who get
// the manifest. Ground that is unchanged is left out because nothing is wrong with it.
func thrownAway(m event.Manifest) (facts []event.SceneFact) {
	if len(m.Tiles) < fewTiles {
		return nil
	}
	count := map[string]int{}
	for _, t := range m.Tiles {
		if t.Decision == event.TileDropped && t.Reason != screen.Unchanged {
			count[t.Reason]++
		}
	}
	for _, reason := range slices.Sorted(maps.Keys(count)) {
		if n := count[reason]; float64(n) >= nearlyAll*float64(len(m.Tiles)) {
			facts = append(facts, event.SceneFact{What: event.Implausible, From: "pixels",
				Value: fmt.Sprintf("%d of %d tiles were left out as %s: if that is not so, look at the bands, the scale and the offset", n, len(m.Tiles), reason)})
		}
	}
	return facts
}
