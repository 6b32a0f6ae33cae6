package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// quicklookSide is the longest side of a scene's quicklook, in pixels.
const quicklookSide = 1024

// tilesAtOnce are encoded and committed side by side: one waits for the disk while the next is packed.
const tilesAtOnce = 4

// sceneLane takes one scene from its file to the outbox: a tile that is worth it becomes an item;
// then the quicklook, and last the manifest, with which the cloud knows that the scene is whole.
type sceneLane struct {
	want   string // of the cloud: segment or detect; empty: segment
	judges choice
	screen judge   // of this scene, once its bands are known
	ground *ground // nil: no tile is compared with an earlier one
	box    buffer
	key    string // of this very file: a scene that is read again commits nothing twice
	whole  bool   // somebody asked for it: no tile is left out
	log    *slog.Logger
	hand   *telemetry.Hand
	trace  *trace.Tracer // nil: nobody hears of spans
	// assumed knows what was told of earlier scenes of the source; nil: there is none
	assumed assumptions

	manifest event.Manifest
	look     *raster.Quicklook
	packing  *errgroup.Group
}

// newSceneLane is for one scene of the file that key tells from all others.
func newSceneLane(judges choice, g *ground, box buffer, key string, hand *telemetry.Hand, log *slog.Logger) *sceneLane {
	l := &sceneLane{judges: judges, ground: g, box: box, key: key, hand: hand, log: log, packing: &errgroup.Group{}}
	l.packing.SetLimit(tilesAtOnce)
	return l
}

// wait ends when everything that was handed to packing is committed.
func (l *sceneLane) wait() error { return l.packing.Wait() }

func (l *sceneLane) take(ctx context.Context, p capture.Picture) error {
	defer l.hand.Work()()
	if l.look == nil {
		l.begin(p)
		if err := l.manifest.CheckPlan(); err != nil {
			return fmt.Errorf("the cloud would refuse what is cut of it: %w; choose another tile_size for it, or cut the file into several", err)
		}
	}
	if p.Last {
		return l.finish(ctx, p)
	}
	if p.Partial != "" {
		l.manifest.Tiles = append(l.manifest.Tiles, event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileDropped, Reason: "unreadable"})
		return nil
	}
	parent := captured(l.trace, p)
	l.look.Add(*p.Tile, p.Image)
	began := time.Now()
	v, mask, err := l.screen.judge(trace.WithParent(ctx, parent), p.Image)
	v.Masked = v.Masked && l.want != "detect" // a mask shows no objects
	if errors.Is(err, crashguard.ErrQuarantined) {
		l.manifest.Tiles = append(l.manifest.Tiles, event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileDropped, Reason: "quarantined"})
		return nil
	}
	if err != nil {
		return fmt.Errorf("screen tile %s of scene %s: %w", p.Tile.Name(), p.Stream, err)
	}
	if v.By != "" {
		l.manifest.Screening = v.By
	}
	l.trace.Span(parent, trace.Screen, began, time.Now(), trace.Attr{Key: "canvas.reason", Text: v.Reason})
	d := event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileSent, Cloud: v.Score.Cloud, NoData: v.Score.NoData, Value: v.Value}
	sight := l.ground.see(&v, &d, p, mask, l.key)
	if l.whole {
		v.Keep, v.Masked, v.Reason = true, false, screen.Kept
	}
	switch d.Reason = v.Reason; {
	case !v.Keep:
		d.Decision = event.TileDropped
	case v.Masked:
		d.Reason = event.SentMask
	}
	l.manifest.Tiles = append(l.manifest.Tiles, d)
	if !v.Keep {
		return nil
	}
	decided := &l.manifest.Tiles[len(l.manifest.Tiles)-1] // its room is the list's own: see begin
	l.packing.Go(func() error {
		d, err := l.pack(p, v, mask)
		if err != nil {
			return err
		}
		decided.Bytes = len(d.Data)
		d.Priority, d.Value, d.Attrs.TraceParent = event.Normal, v.Value, parent
		if err := l.commit(ctx, p.Tile.Name(), draft{Draft: d}); err != nil {
			return err
		}
		if !v.Masked {
			sight.sent()
		}
		return nil
	})
	return nil
}

// pack makes the item that a tile is sent as: its pixels, or only what the device saw in them.
func (l *sceneLane) pack(p capture.Picture, v screen.Verdict, mask *vision.Mask) (outbox.Draft, error) {
	if v.Masked {
		return maskDraft(p, mask, l.screen)
	}
	data, err := p.Scene.Encode(p.Image, *p.Tile)
	return tileDraft(p, l.want, data), err
}

// begin lays out the manifest. Its tiles have their full room at once, so that packing may write
// into them while more are judged.
func (l *sceneLane) begin(p capture.Picture) {
	s := p.Scene
	l.screen = l.judges(s.Planes)
	by, _ := l.screen.name()
	l.manifest = event.Manifest{
		ID: s.ID, Width: s.Width, Height: s.Height, Bands: s.Planes, DataType: s.DataType,
		Georef:    event.Georef{WKT: s.Georef.WKT, EPSG: s.Georef.EPSG, Transform: s.Georef.Transform},
		Grid:      event.SceneGrid{Size: s.Grid.Size, Overlap: s.Grid.Overlap, Margin: s.Grid.Margin, Cols: s.Grid.Cols(), Rows: s.Grid.Rows()},
		FileBytes: s.FileBytes, Screening: by, Captured: p.At,
		Tiles: make([]event.TileDecision, 0, s.Grid.Len()),
	}
	for _, f := range s.Facts {
		l.manifest.Facts = append(l.manifest.Facts, event.SceneFact(f))
	}
	l.tellFacts(s)
	l.look = raster.NewQuicklook(s.Width, s.Height, quicklookSide)
}

// tellFacts says what reading the scene rests on: as a warning where something is only assumed that was
// not of an earlier scene of the source, or looks wrong.
func (l *sceneLane) tellFacts(s *capture.SceneInfo) {
	args := []any{telemetry.Scene, s.ID}
	for _, f := range s.Facts {
		args = append(args, f.What, f.Value+" ("+f.From+")")
	}
	assumed := s.Assumed()
	switch anew := l.assumed.anew(assumed); {
	case anew:
		l.log.Warn("scene is read on assumptions: say what is so with bands, reflectance_scale, reflectance_offset, nodata, sensor, level or time", args...)
	case len(assumed) > 0:
		l.log.Info("scene is read on assumptions that earlier scenes of its source were read on too", args...)
	default:
		l.log.Info("scene is read", args...)
	}
}

func (l *sceneLane) finish(ctx context.Context, p capture.Picture) error {
	if err := l.wait(); err != nil {
		return err
	}
	jpeg, err := infer.EncodeJPEG(l.look.Image(), 85)
	if err != nil {
		return fmt.Errorf("quicklook of scene %s: %w", p.Stream, err)
	}
	err = l.commit(ctx, "quicklook", draft{Draft: outbox.Draft{Rung: event.RungThumbnail,
		Kind: event.Frame, Stream: p.Stream, Subject: p.Stream + "/quicklook", Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "image/jpeg", Data: jpeg,
	}})
	if err != nil {
		return err
	}
	for _, f := range thrownAway(l.manifest) {
		l.log.Warn("nearly all of a scene is left out", telemetry.Scene, p.Stream, "what", f.Value)
		l.manifest.Facts = append(l.manifest.Facts, f)
	}
	data, err := json.Marshal(l.manifest)
	if err != nil {
		return fmt.Errorf("manifest of scene %s: %w", p.Stream, err)
	}
	err = l.commit(ctx, "manifest", draft{Draft: outbox.Draft{
		Kind: event.Scene, Stream: p.Stream, Subject: p.Stream, Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "application/json", Data: data,
	}})
	if err != nil {
		return err
	}
	l.log.Info("scene is in the outbox", telemetry.Scene, p.Stream, "tiles", len(l.manifest.Tiles))
	if p.Partial != "" {
		return fmt.Errorf("scene %s: %s", p.Stream, p.Partial)
	}
	return nil
}

func (l *sceneLane) commit(ctx context.Context, part string, d draft) error {
	defer l.hand.Wait()()
	d.Key = l.key + "/" + part
	if err := l.box.Commit(ctx, d); err != nil {
		return fmt.Errorf("commit %s of scene %s: %w", part, d.Stream, err)
	}
	return nil
}
