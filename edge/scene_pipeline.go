package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"log/slog"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// quicklookSide is the longest side of a scene's quicklook, in pixels.
const quicklookSide = 1024

// tilesAtOnce are encoded and committed side by side: one waits for the disk while the next is packed. Of large
// tiles it is fewer, as many as fit into packingBytes with what encoding makes of them, but always one.
const (
	tilesAtOnce  = 4
	packingBytes = 96 << 20
)

// scenePipeline takes one scene from its file to the buffer: a tile that is worth it becomes an item;
// then the quicklook, and last the manifest, with which the cloud knows that the scene is whole.
type scenePipeline struct {
	want     string // of the cloud: segment or detect; empty: segment
	choose   chooseScreener
	screener screener     // of this scene, once its bands are known
	changes  *sceneChange // nil: no tile is compared with an earlier one
	buffer   buffer
	key      string // of this very file: a scene that is read again commits nothing twice
	quality  int    // of the quicklook's JPEG, 1 … 100
	whole    bool   // somebody asked for it: no tile is left out
	log      *slog.Logger
	probe    *telemetry.Probe
	trace    *trace.Tracer // nil: nothing is traced
	// assumed knows what was warned of with earlier scenes of the source; nil: there is none
	assumed assumptions

	manifest event.Manifest
	look     *raster.Quicklook
	packing  *errgroup.Group
	clouded  int // tiles of nothing but cloud whose mask goes in place of their pixels
}

// newScenePipeline is for one scene of the file that key tells from all others.
func newScenePipeline(choose chooseScreener, changes *sceneChange, b buffer, key string, probe *telemetry.Probe, log *slog.Logger) *scenePipeline {
	s := &scenePipeline{choose: choose, changes: changes, buffer: b, key: key, quality: DefaultConfig().LookQuality, probe: probe, log: log, packing: &errgroup.Group{}}
	return s
}

// wait ends when everything that was handed to packing is committed.
func (s *scenePipeline) wait() error { return s.packing.Wait() }

func (s *scenePipeline) take(ctx context.Context, p capture.Picture) error {
	defer s.probe.Work()()
	if s.look == nil {
		if err := s.begin(ctx, p); err != nil {
			return err
		}
	}
	if p.Last {
		return s.finish(ctx, p)
	}
	if p.Partial != "" {
		s.manifest.Tiles = append(s.manifest.Tiles, event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileDropped, Reason: "unreadable"})
		return nil
	}
	parent := captured(s.trace, p)
	s.look.Add(*p.Tile, p.Image)
	began := time.Now()
	v, mask, err := s.screener.screen(trace.WithParent(ctx, parent), p)
	if s.want == "detect" { // a mask shows no objects
		v = v.Whole()
	}
	if errors.Is(err, crashguard.ErrQuarantined) {
		s.manifest.Tiles = append(s.manifest.Tiles, event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileDropped, Reason: "quarantined"})
		return nil
	}
	if err != nil {
		return fmt.Errorf("screen tile %s of scene %s: %w", p.Tile.Name(), p.Stream, err)
	}
	if v.By != "" {
		s.manifest.Screening = v.By
	}
	s.trace.Span(parent, trace.Screen, began, time.Now(), trace.Attr{Key: "canvas.reason", Text: v.Reason})
	d := event.TileDecision{Tile: p.Tile.Name(), Decision: event.TileSent, Cloud: v.Score.Cloud, NoData: v.Score.NoData, Value: v.Value}
	seen := s.changes.compare(&v, &d, p, mask, s.key)
	if s.whole {
		v = v.Whole()
		v.Keep, v.Reason = true, screen.Kept
	}
	switch d.Reason = v.Reason; {
	case v.Masked && v.Reason == screen.Cloud:
		s.clouded++
		d.Reason = event.SentMask
	case !v.Keep:
		d.Decision = event.TileDropped
	case v.Masked:
		d.Reason = event.SentMask
	}
	if d.Decision == event.TileSent && !v.Masked {
		d.Left = v.Left
	}
	s.manifest.Tiles = append(s.manifest.Tiles, d)
	if d.Decision == event.TileDropped {
		return nil
	}
	decided := &s.manifest.Tiles[len(s.manifest.Tiles)-1] // its room is the list's own: see begin
	s.packing.Go(func() error {
		d, err := s.pack(p, v, mask)
		if err != nil {
			return err
		}
		decided.Bytes = len(d.Data)
		d.Priority, d.Value, d.Attrs.TraceParent = event.Normal, v.Value, parent
		if err := s.commit(ctx, p.Tile.Name(), draft{Draft: d}); err != nil {
			return err
		}
		// After its tile, so that what is found in it counts as the newer.
		if err := s.refine(ctx, p, d, v, decided); err != nil {
			return err
		}
		if !v.Masked {
			seen.remember()
		}
		return nil
	})
	return nil
}

// pack makes the item that a tile is sent as: its pixels, or only what the device saw in them.
func (s *scenePipeline) pack(p capture.Picture, v screen.Decision, mask *vision.Mask) (outbox.Draft, error) {
	if v.Masked {
		return maskDraft(p, mask, v.By, s.screener)
	}
	var seen *capture.Seen
	if v.Kept != nil {
		_, version := s.screener.name()
		seen = &capture.Seen{Kept: v.Kept, Class: mask.Class, Model: v.By, Version: version}
	}
	data, media, err := p.Scene.Encode(p.Image, *p.Tile, seen)
	return tileDraft(p, s.want, media, data), err
}

// refine commits what leads from a tile, as it is sent, to one without loss, where that is to follow: on the last
// rung, worth the few classes that it changes.
func (s *scenePipeline) refine(ctx context.Context, p capture.Picture, tile outbox.Draft, v screen.Decision, decided *event.TileDecision) error {
	if tile.Kind != event.Tile {
		return nil
	}
	data, err := p.Scene.Refinement(p.Image, *p.Tile, tile.Data)
	if err != nil || data == nil {
		return err
	}
	decided.Refinement = len(data)
	d := tileDraft(p, s.want, linktile.RefinementType, data)
	d.Rung, d.Priority, d.Value = event.RungFull, event.Normal, v.Value*refinementWorth
	return s.commit(ctx, p.Tile.Name()+"/refinement", draft{Draft: d})
}

// refinementWorth is what a refinement is worth beside its tile: the share of classes that precision changes.
const refinementWorth = 0.003

// begin lays out the manifest. Its tiles have their full room at once, so that packing may write
// into them while more are screened: a file may say any size, so what the cloud would refuse is refused before.
func (s *scenePipeline) begin(ctx context.Context, p capture.Picture) error {
	scene := p.Scene
	loading := s.probe.Wait() // which has a limit of its own
	var err error
	s.screener, err = s.choose(ctx, scene.Planes)
	loading()
	if err != nil {
		return fmt.Errorf("choose what screens scene %s: %w", scene.ID, err)
	}
	by, _ := s.screener.name()
	s.manifest = event.Manifest{
		ID: scene.ID, Width: scene.Width, Height: scene.Height, Bands: scene.Planes, DataType: scene.DataType,
		Georef:    event.Georef{WKT: scene.Georef.WKT, EPSG: scene.Georef.EPSG, Transform: scene.Georef.Transform},
		Grid:      event.SceneGridOf(scene.Grid),
		FileBytes: scene.FileBytes, Precision: scene.Precision, Screening: by, Captured: p.At,
	}
	if err := s.manifest.CheckPlan(); err != nil {
		return fmt.Errorf("the cloud would refuse the scene: %w; cut the file into several, or choose another tile_size", err)
	}
	s.manifest.Tiles = make([]event.TileDecision, 0, scene.Grid.Len())
	for _, f := range scene.Facts {
		s.manifest.Facts = append(s.manifest.Facts, event.SceneFact(f))
	}
	if why := insteadOfNetwork(s.screener); why != "" {
		s.manifest.Facts = append(s.manifest.Facts, event.SceneFact{What: event.Screening, From: event.Fallback, Value: why})
	}
	s.logFacts(scene)
	s.packing.SetLimit(int(max(1, min(tilesAtOnce, packingBytes/(2*scene.TileBytes())))))
	s.look = raster.NewQuicklook(scene.Width, scene.Height, quicklookSide)
	return nil
}

func (s *scenePipeline) finish(ctx context.Context, p capture.Picture) error {
	if err := s.wait(); err != nil {
		return err
	}
	jpeg, err := infer.EncodeJPEG(s.look.Image(), s.quality)
	if err != nil {
		return fmt.Errorf("quicklook of scene %s: %w", p.Stream, err)
	}
	err = s.commit(ctx, "quicklook", draft{Draft: outbox.Draft{Rung: event.RungThumbnail,
		Kind: event.Frame, Stream: p.Stream, Subject: p.Stream + "/quicklook", Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "image/jpeg", Data: jpeg,
	}})
	if err != nil {
		return err
	}
	for _, f := range nearlyAllSkipped(s.manifest, s.clouded) {
		s.log.Warn("nearly all tiles of a scene are left out", telemetry.Scene, p.Stream, "reason", f.Value)
		s.manifest.Facts = append(s.manifest.Facts, f)
	}
	data, err := json.Marshal(s.manifest)
	if err != nil {
		return fmt.Errorf("manifest of scene %s: %w", p.Stream, err)
	}
	err = s.commit(ctx, "manifest", draft{Draft: outbox.Draft{
		Kind: event.Scene, Stream: p.Stream, Subject: p.Stream, Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "application/json", Data: data,
	}})
	if err != nil {
		return err
	}
	s.log.Info("a scene is in the buffer and waits for the link", telemetry.Scene, p.Stream, "tiles", len(s.manifest.Tiles))
	if p.Partial != "" {
		return fmt.Errorf("scene %s: %s", p.Stream, p.Partial)
	}
	return nil
}

func (s *scenePipeline) commit(ctx context.Context, part string, d draft) error {
	defer s.probe.Wait()()
	d.Key = s.key + "/" + part
	if err := s.buffer.Commit(ctx, d); err != nil {
		return fmt.Errorf("commit %s of scene %s: %w", part, d.Stream, err)
	}
	return nil
}

// tileDraft is a tile as an item; how urgent it is and what it is worth are for others to say.
func tileDraft(p capture.Picture, want, media string, data []byte) outbox.Draft {
	level := ""
	if p.Scene != nil {
		level = p.Scene.Level
	}
	return outbox.Draft{Kind: event.Tile, Stream: p.Stream, Subject: p.Stream + "/" + p.Tile.Name(), Time: p.At,
		Attrs: event.Attrs{Scene: p.Stream, Tile: p.Tile.Name(), Want: cmp.Or(want, "segment"), Level: level},
		Type:  media, Data: data}
}

// maskDraft is what the device saw in a tile as an item, as a worker of the cloud makes it. It leaves
// the doubts out: it is sent where there are few, and weighs a few percent without them.
func maskDraft(p capture.Picture, mask *vision.Mask, name string, by screener) (outbox.Draft, error) {
	data, err := vision.EncodeProbabilities(mask.Sure(), png.BestCompression)
	d := tileDraft(p, "segment", "image/png", data)
	d.Kind, d.Rung = event.Result, event.RungMask
	_, version := by.name()
	d.Attrs.Model, d.Attrs.ModelVersion = name, cmp.Or(version, screen.RulesVersion)
	return d, err
}

// Cut takes one scene from its file as a device takes it: its tiles, the quicklook, and last the
// manifest, each with a Key that begins with key. commit gets several at a time.
func Cut(ctx context.Context, path, id, key string, o capture.SceneOptions, rules screen.Config, commit func(context.Context, outbox.Draft) error, log *slog.Logger) error {
	s := newScenePipeline(always(spectralScreener{rules}), nil, commitTo(commit), key, new(telemetry.Probe), log)
	s.want = o.Want
	err := capture.NewSceneFile(path, id, o).Run(ctx, s.take)
	return errors.Join(err, s.wait())
}

// commitTo is a buffer that passes drafts on and keeps nothing.
type commitTo func(context.Context, outbox.Draft) error

func (c commitTo) Commit(ctx context.Context, drafts ...draft) error {
	for _, d := range drafts {
		if err := c(ctx, d.Draft); err != nil {
			return err
		}
	}
	return nil
}

func (c commitTo) Submit(ctx context.Context, drafts ...draft) error { return c.Commit(ctx, drafts...) }

func (c commitTo) WaitsUnder(string) bool { return false }

func (c commitTo) Raise(context.Context, string, event.Priority) (int, error) { return 0, nil }

// fileKey tells this very file, or folder of a product, from another of the same name: its path, size and time.
func fileKey(path string) string {
	print, err := capture.Fingerprint(path)
	if err != nil {
		return path
	}
	return path + ":" + print
}

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
// the manifest. Ground that is unchanged is left out because nothing is wrong with it; of clouded tiles the pixels
// are left out.
func nearlyAllSkipped(m event.Manifest, clouded int) (facts []event.SceneFact) {
	if len(m.Tiles) < fewTiles {
		return nil
	}
	count := map[string]int{screen.Cloud: clouded}
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
