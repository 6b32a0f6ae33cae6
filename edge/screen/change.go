package screen

import (
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/vision"
)

// cloudsNearby is the share of cloud of a tile from which on shadows are looked for.
const cloudsNearby = 0.005

// Overview reduces a tile to its overview. mask is what a network made of it, or nil: then the spectral test
// tells clouds from ground.
func (c Config) Overview(im vision.Image, mask *vision.Mask, at ground.Place) ground.Overview {
	n := im.W * im.H
	if mask != nil && len(mask.Class) == n {
		return ground.Of(im, ground.Hidden(mask), at)
	}
	hidden := make([]byte, n)
	cloudShare(im, float32(c.Scenes.MinBlue), hidden)
	return ground.Of(im, hidden, at)
}

// Against compares a tile's overview with the views of the same ground, and leaves the tile out where less of
// its clear ground has changed than the policy asks for. Ground that is clear now and that no view has counts
// as changed: nobody has seen it. Whatever lies in a cloud's shadow becomes unseen in now. It says whether
// there was anything to compare; what became of each part of the tile stands in the comparison.
func (c Config) Against(v *Decision, now ground.Overview, views map[ground.Block]ground.View) (ground.Comparison, bool) {
	compared, ok := ground.Compare(now, views, c.Scenes.Difference, v.Score.Cloud >= cloudsNearby)
	if !ok {
		return compared, false
	}
	v.Score.Change = compared.Share()
	if v.Keep && !c.KeepEverything && c.Scenes.Change > 0 && v.Score.Change < c.Scenes.Change {
		v.Keep, v.Reason = false, Unchanged
	}
	return compared, true
}

// mostlyClear is the share of a square's cells that show clear ground from which on it can be unchanged as a whole.
const mostlyClear = 0.9

// LeaveUnchanged leaves out the squares of a tile of which no cell has changed: the mask stands for them.
func (c Config) LeaveUnchanged(v *Decision, im vision.Image, mask *vision.Mask, compared ground.Comparison) {
	if !v.Keep || !v.Blocks || c.Scenes.Change <= 0 {
		return
	}
	c.leaveOut(v, im, mask, func(at ground.Rect) bool {
		clear, moved := compared.In(at)
		return moved == 0 && float64(clear) >= mostlyClear*float64(at.W*at.H)/(ground.CellPixels*ground.CellPixels)
	})
}
