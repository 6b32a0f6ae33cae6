package edge

import (
	"fmt"
	"maps"
	"slices"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
)

// assumptions are the kinds of facts that scenes of one source were read on without anything that says
// so, and of which people were warned. It is used by one goroutine.
type assumptions map[string]bool

// anyNew says whether people should be warned of what a scene rests on, and remembers it: each kind once for
// a source, for the next scene will lack the same. What is wrong with the scene itself (numbers that are no
// reflectance, images that are missing) is a warning each time.
func (a assumptions) anyNew(facts []raster.Fact) (warn bool) {
	for _, f := range facts {
		ofScene := f.What == "implausible" || f.What == "missing"
		warn = warn || ofScene || !a[f.What]
		if a != nil && !ofScene {
			a[f.What] = true
		}
	}
	return warn
}

// People are warned where this share of a scene's tiles, of which there are a few, is left out
// for one reason: it may be so, and it is what a wrong scale or wrong bands look like.
const (
	nearlyAll = 0.8
	fewTiles  = 4
)

// nearlyAllSkipped says for what reason nearly all tiles of a scene were left out, as facts for those who get
// the manifest. Ground that is unchanged is left out because nothing is wrong with it.
func nearlyAllSkipped(m event.Manifest) (facts []event.SceneFact) {
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

// logFacts says what reading the scene rests on: as a warning where something is only assumed that was
// not of an earlier scene of the source, or looks wrong.
func (s *scenePipeline) logFacts(scene *capture.SceneInfo) {
	args := []any{telemetry.Scene, scene.ID}
	for _, f := range scene.Facts {
		args = append(args, f.What, f.Value+" ("+f.From+")")
	}
	assumed := scene.Assumed()
	switch isNew := s.assumed.anyNew(assumed); {
	case isNew:
		s.log.Warn("a scene is read on assumptions, because its file does not say everything: set bands, reflectance_scale, reflectance_offset, nodata, sensor, level or time", args...)
	case len(assumed) > 0:
		s.log.Info("a scene is read on the same assumptions as earlier scenes of its source", args...)
	default:
		s.log.Info("a scene is read", args...)
	}
}
