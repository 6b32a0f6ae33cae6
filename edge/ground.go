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

// ground remembers what tiles looked like when they were sent. The nil ground remembers nothing.
type ground struct {
	rules screen.Config
	views *reference.Store
	life  event.Epoch // of the buffer's database: what an earlier one was given may have been lost with it
	log   *slog.Logger
}

// sight is a tile's ground as it is now; the zero sight is not remembered.
type sight struct {
	ground *ground
	key    string
	view   reference.View
	look   screen.Look
}

// see compares a tile with the last clear view of the same ground, which may turn the verdict to
// unchanged, and writes into d what came of it. Only what was sent is remembered: small changes that
// are left out one after another add up, until they are sent.
func (g *ground) see(v *screen.Verdict, d *event.TileDecision, p capture.Picture, mask *vision.Mask, file string) sight {
	if g == nil || !v.Keep {
		return sight{}
	}
	key, ok := groundKey(p.Scene, *p.Tile)
	if !ok {
		return sight{}
	}
	key = string(g.life) + " " + key
	now := sight{ground: g, key: key, view: reference.View{Source: file, Seen: p.At}, look: g.rules.Look(p.Image, mask)}
	last, known := g.views.Last(key)
	if !known {
		return now
	}
	if last.Source == file {
		return sight{} // read again after a restart: it was sent, and is decided as it was
	}
	var before screen.Look
	if err := before.UnmarshalBinary(last.Data); err != nil {
		g.log.Warn("a reference view can't be read; the tile is sent", telemetry.Err, err)
		return now
	}
	if g.rules.Against(v, now.look, before) {
		d.Change, d.Reference = v.Score.Change, last.Seen
		now.look.Fill(before)
	}
	return now
}

// sent remembers the ground; the tile is in the outbox.
func (s sight) sent() {
	if s.look.Empty() {
		return
	}
	var err error
	if s.view.Data, err = s.look.MarshalBinary(); err == nil {
		err = s.ground.views.Keep(s.key, s.view)
	}
	if err != nil {
		s.ground.log.Warn("a reference view is not kept; this ground will be sent again", telemetry.Err, err)
	}
}

// groundKey names the ground under a tile, by its place in the projection and not by any file: the
// next scene of the same grid has the same names. False for scenes without a place.
func groundKey(s *capture.SceneInfo, t raster.Tile) (string, bool) {
	if !s.Georef.Known() {
		return "", false
	}
	at := s.Georef.Window(t.Window).Transform
	// To a tenth of a pixel: what is shifted by less is the same ground.
	pixel := math.Sqrt(math.Abs(at[1]*at[5] - at[2]*at[4]))
	x, y := math.Round(10*at[0]/pixel), math.Round(10*at[3]/pixel)
	system := s.Georef.WKT
	if s.Georef.EPSG != 0 {
		system = fmt.Sprint(s.Georef.EPSG)
	}
	return fmt.Sprintf("%s %.9g %.9g %.9g %.9g %.0f %.0f %d %v", system, at[1], at[2], at[4], at[5], x, y, t.Window.W, s.Planes), true
}

// openGround opens the memory of sent ground where the policy asks for it.
func (a *Agent) openGround() (*ground, error) {
	if a.config.Screen.Scenes.Change <= 0 || len(a.config.Scenes) == 0 {
		return nil, nil
	}
	views, err := reference.Open(a.config.folder("reference"), a.config.Reference)
	if err != nil {
		return nil, err
	}
	return &ground{rules: a.config.Screen, views: views, log: a.log}, nil
}
