package edge

import (
	"context"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/reference"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

// sceneChange compares tiles with what was sent of the same ground before. The nil sceneChange compares nothing.
type sceneChange struct {
	rules    screen.Config
	views    *reference.Store
	edge     string
	database event.Epoch       // of the buffer: what an earlier one was given may have been lost with it
	shared   *reference.Shared // nil: the views of others are not fetched
	log      *slog.Logger

	leftOut, byOthers atomic.Int64 // tiles that were unchanged; those of them that another device had shown
}

// observation is a tile's ground as it is now; the zero observation is not remembered.
type observation struct {
	changes  *sceneChange
	system   ground.System
	overview ground.Overview
	source   ground.Source
	file     string
	compared ground.Comparison // what became of each part of the tile; the zero Comparison: nothing was compared
}

// compare compares a tile with the last clear view of the same ground, which may turn the decision to
// unchanged, and writes into d what came of it. Only what was sent is remembered: small changes that
// are left out one after another add up, until they are sent.
func (c *sceneChange) compare(v *screen.Decision, d *event.TileDecision, p capture.Picture, mask *vision.Mask, file string) observation {
	if c == nil || !v.Keep {
		return observation{}
	}
	at, ok := placeOf(p.Scene, *p.Tile)
	if !ok {
		return observation{}
	}
	c.shared.Saw(at.System)
	now := observation{changes: c, system: at.System, overview: c.rules.Overview(p.Image, mask, at),
		source: ground.Source{Name: c.edge + "/" + p.Stream, Seen: storable(p.At)}, file: file}
	views := map[ground.Block]ground.View{}
	for _, b := range now.overview.Blocks() {
		views[b] = c.known(now, b)
	}
	now.compared, ok = c.rules.Against(v, now.overview, views)
	if ok {
		c.rules.LeaveUnchanged(v, p.Image, mask, now.compared)
		was := now.compared.Reference
		d.Change, d.Reference = v.Score.Change, was.Seen
		if !v.Keep {
			c.leftOut.Add(1)
			if !strings.HasPrefix(was.Name, c.edge+"/") {
				c.byOthers.Add(1)
				if visible.Text(was.Name) == was.Name && len(was.Name) <= event.MaxReferenceScene {
					d.ReferenceScene = was.Name
				}
			}
		}
	}
	now.hideLeftOut(v.Kept, p.Image)
	return now
}

// hideLeftOut makes the ground unseen that is not sent with its tile.
func (o observation) hideLeftOut(kept []bool, im vision.Image) {
	cols := linktile.Blocks(im.W)
	for i, is := range kept {
		if !is {
			o.overview.Hide(ground.Rect{X: i % cols * linktile.BlockSide, Y: i / cols * linktile.BlockSide, W: linktile.BlockSide, H: linktile.BlockSide})
		}
	}
}

// known is how a block looked before an observation, to this device and to others.
func (c *sceneChange) known(now observation, b ground.Block) ground.View {
	e, _ := c.views.Last(c.key(now.system, b))
	view := e.Now
	if e.File == now.file { // it is read again after a restart
		var err error
		if view, err = e.Before(); err != nil {
			c.log.Warn("the reference view of a tile's ground can't be read; the ground counts as new", telemetry.Err, err)
		}
	}
	if c.shared != nil {
		others, _ := c.views.Last(reference.Key{From: reference.FromCloud, System: now.system, Block: b})
		view = view.Merge(others.Now.Without(func(s ground.Source) bool { return s == now.source }))
	}
	return view.Without(func(s ground.Source) bool {
		age := now.source.Seen.Sub(s.Seen)
		return max(age, -age) > c.views.MaxAge()
	})
}

func (c *sceneChange) key(s ground.System, b ground.Block) reference.Key {
	return reference.Key{From: string(c.database), System: s, Block: b}
}

// remember keeps the ground; the tile is in the buffer.
func (o observation) remember() {
	for _, b := range o.overview.Blocks() {
		patch, any := o.overview.Patch(b, o.source)
		if !any {
			continue
		}
		err := o.changes.views.Update(o.changes.key(o.system, b), func(e reference.Entry) (reference.Entry, error) {
			return e.With(o.file, patch)
		})
		if err != nil {
			o.changes.log.Warn("the reference view of a tile's ground can't be stored; the same ground will be sent again", telemetry.Err, err)
			return
		}
	}
}

// placeOf is where a tile lies, by the projection and not by any file: the next scene on the same grid sees the
// same ground. False for scenes without a place.
func placeOf(s *capture.SceneInfo, t raster.Tile) (ground.Place, bool) {
	if !s.Georef.Known() {
		return ground.Place{}, false
	}
	system, origin, ok := ground.Locate(s.Georef.EPSG, s.Georef.WKT, s.Georef.Transform, s.Planes)
	w := t.Held
	return ground.Place{System: system, At: ground.Pixel{Col: origin.Col + int64(w.X), Row: origin.Row + int64(w.Y)},
		Inside: ground.Rect(s.Inside(t))}, ok
}

// storable is a time as views keep it, in Unix nanoseconds; what lies beyond those is no time of a scene.
func storable(t time.Time) time.Time {
	if t.Year() < 1700 || t.Year() > 2250 {
		return time.Unix(0, 0).UTC()
	}
	return t.UTC()
}

// openSceneChange opens the views of what was sent where the policy asks for it.
func (a *Agent) openSceneChange() (*sceneChange, error) {
	if a.config.Screen.Scenes.Change <= 0 || len(a.config.Scenes) == 0 {
		return nil, nil
	}
	views, err := reference.Open(a.config.folder("reference"), a.config.Reference, a.log)
	if err != nil {
		return nil, err
	}
	return &sceneChange{rules: a.config.Screen, views: views, edge: a.config.Edge, log: a.log}, nil
}

// acceptViews fetches the cloud's views of the ground where that is configured.
func (a *Agent) acceptViews() error {
	if a.changes == nil || !a.config.Reference.Shared {
		return nil
	}
	open, err := a.linkOpen()
	if err != nil {
		return err
	}
	a.changes.shared = reference.OpenShared(a.config.Reference, a.changes.views, reference.SharedParts{
		Announce: func(ctx context.Context) { a.link.Announce(ctx) }, Up: a.link.Up, Open: open, Log: a.log})
	a.link.Down(event.DownReferences, a.changes.shared.Receive)
	a.link.SetReferences(a.changes.shared.Wanted)
	return nil
}

// referenceCounts are what became of comparing tiles with views of the ground.
type referenceCounts struct {
	Unchanged int64                  `json:"unchanged_tiles"`           // left out
	ByOthers  int64                  `json:"unchanged_tiles_by_others"` // of these, what another device had shown
	Bytes     int64                  `json:"disk_bytes"`
	Shared    reference.SharedCounts `json:"shared"`
}

// counts of the nil sceneChange are none.
func (c *sceneChange) counts() referenceCounts {
	if c == nil {
		return referenceCounts{}
	}
	return referenceCounts{c.leftOut.Load(), c.byOthers.Load(), c.views.Bytes(), c.shared.Counts()}
}
