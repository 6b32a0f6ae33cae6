package mosaic

import (
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// judgement counts who decided on the pixels of a scene's mask.
type judgement struct{ edge, cloud, nobody float64 }

// add counts the core of one tile; t is what is known of it, or nil. A tile that was left out without its class
// being known, that is dead or that has not come, was not judged; one without data is in no count.
func (j *judgement) add(g raster.Grid, d event.TileDecision, t *tile) {
	if t == nil || t.state != result || t.boxes {
		if at, ok := g.Find(d.Tile); ok && !void(d) {
			j.nobody += float64(at.Core.W * at.Core.H)
		}
		return
	}
	seen := float64(t.counts[0]) + float64(t.counts[1]) + float64(t.counts[2])
	if j.nobody += float64(t.counts[3]); t.byEdge {
		j.edge += seen
	} else {
		j.edge += seen * d.Left
		j.cloud += seen * (1 - d.Left)
	}
}

// tell writes the shares into a scene's figures.
func (j *judgement) tell(f *SceneStats) {
	all := j.edge + j.cloud + j.nobody
	if all == 0 {
		return
	}
	share := func(n float64) *float64 { n /= all; return &n }
	f.NotJudged, f.JudgedByEdge, f.JudgedByCloud = share(j.nobody), share(j.edge), share(j.cloud)
}

// void says that the edge left a tile out since it has no data.
func void(d event.TileDecision) bool {
	return d.Decision == event.TileDropped && d.Reason == event.DroppedNoData
}

// bin is the place of a class in counts: clear, shadow, cloud, not judged, no data. What else a network may have
// found is in none of the first four.
func bin(class byte) int {
	switch {
	case class <= vision.Cloud:
		return int(class)
	case class == vision.NotJudged:
		return 3
	}
	return 4
}
