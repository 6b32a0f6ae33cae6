package edge

import (
	"fmt"
	"log/slog"
	"math"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/reference"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// sceneChange compares tiles with what was sent of the same ground before. The nil sceneChange compares nothing.
type sceneChange struct {
	rules    screen.Config
	views    *reference.Store
	database event.Epoch // of the buffer: what an earlier one was given may have been lost with it
	log      *slog.Logger
}

// observation is a tile's ground as it is now; the zero observation is not remembered.
type observation struct {
	changes  *sceneChange
	key      string
	view     reference.View
	overview screen.Overview
}

// compare compares a tile with the last clear view of the same ground, which may turn the decision to
// unchanged, and writes into d what came of it. Only what was sent is remembered: small changes that
// are left out one after another add up, until they are sent.
func (c *sceneChange) compare(v *screen.Decision, d *event.TileDecision, p capture.Picture, mask *vision.Mask, file string) observation {
	if c == nil || !v.Keep {
		return observation{}
	}
	key, ok := groundKey(p.Scene, *p.Tile)
	if !ok {
		return observation{}
	}
	key = string(c.database) + " " + key
	now := observation{changes: c, key: key, view: reference.View{Source: file, Seen: p.At}, overview: c.rules.Overview(p.Image, mask)}
	last, known := c.views.Last(key)
	if !known {
		return now
	}
	if last.Source == file {
		return observation{} // read again after a restart: it was sent, and is decided as it was
	}
	var before screen.Overview
	if err := before.UnmarshalBinary(last.Data); err != nil {
		c.log.Warn("the reference view of a tile's ground can't be read; the tile is sent", telemetry.Err, err)
		return now
	}
	if c.rules.Against(v, now.overview, before) {
		d.Change, d.Reference = v.Score.Change, last.Seen
		now.overview.Fill(before)
	}
	return now
}

// remember keeps the ground; the tile is in the buffer.
func (o observation) remember() {
	if o.overview.Empty() {
		return
	}
	var err error
	if o.view.Data, err = o.overview.MarshalBinary(); err == nil {
		err = o.changes.views.Keep(o.key, o.view)
	}
	if err != nil {
		o.changes.log.Warn("the reference view of a tile's ground can't be stored; the same ground will be sent again", telemetry.Err, err)
	}
}

// groundKey names the ground under a tile, by its place in the projection and not by any file: the
// next scene of the same grid has the same names. False for scenes without a place.
func groundKey(s *capture.SceneInfo, t raster.Tile) (string, bool) {
	if !s.Georef.Known() {
		return "", false
	}
	at := s.Georef.Window(t.Held).Transform
	// To a tenth of a pixel: what is shifted by less is the same ground.
	pixel := math.Sqrt(math.Abs(at[1]*at[5] - at[2]*at[4]))
	x, y := math.Round(10*at[0]/pixel), math.Round(10*at[3]/pixel)
	system := s.Georef.WKT
	if s.Georef.EPSG != 0 {
		system = fmt.Sprint(s.Georef.EPSG)
	}
	return fmt.Sprintf("%s %.9g %.9g %.9g %.9g %.0f %.0f %d %d %v", system, at[1], at[2], at[4], at[5], x, y, t.Held.W, t.Held.H, s.Planes), true
}

// openSceneChange opens the views of what was sent where the policy asks for it.
func (a *Agent) openSceneChange() (*sceneChange, error) {
	if a.config.Screen.Scenes.Change <= 0 || len(a.config.Scenes) == 0 {
		return nil, nil
	}
	views, err := reference.Open(a.config.folder("reference"), a.config.Reference)
	if err != nil {
		return nil, err
	}
	return &sceneChange{rules: a.config.Screen, views: views, log: a.log}, nil
}
