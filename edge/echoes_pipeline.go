package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// echoesPipeline takes one acquisition of a radar from its file to the buffer, block by block: what stands out of
// the image as alerts, its amplitude, and the raw lines, of which the cloud makes the complex image; then the quicklook,
// and last the manifest, with which the cloud knows that the scene is whole. It holds one block, while the next is read.
type echoesPipeline struct {
	source  EchoesSource
	buffer  buffer
	file    string // of this very file
	key     string // of this very file, cut in this way: an acquisition that is read again commits nothing twice
	quality int    // of the quicklook's JPEG, 1 … 100
	guard   capture.Guard
	log     *slog.Logger
	probe   *telemetry.Probe
	trace   *trace.Tracer // nil: nothing is traced

	manifest event.Manifest
	plan     *sar.Plan
	blocks   int64           // that could be used
	rules    sar.CFAR        // of bright targets
	place    *sar.Geometry   // nil: nobody knows where its pixels lie
	look     *sar.Quicklook  // nil: no image is made here
	tiles    *amplitudeTiles // nil: none are sent
	targets  int             // reported
	leftOut  int             // that were not
	deadly   []string        // blocks that no image is made of here, because they killed the process
	broken   int             // blocks that were not sent, because of what is in the file
	fault    string          // of the first of them
}

// take takes the acquisition's blocks, in their order, and its end.
func (e *echoesPipeline) take(ctx context.Context, p capture.Picture) error {
	defer e.probe.Work()()
	if e.plan == nil {
		if err := e.begin(p.Echoes); err != nil {
			return err
		}
	}
	if p.Last {
		return e.finish(ctx, p)
	}
	if p.Partial != "" {
		e.leaveOut(p, p.Partial)
		return nil
	}
	parent := captured(e.trace, p)
	if e.source.onDevice() {
		if usable, err := e.image(ctx, p, parent); err != nil || !usable {
			return err
		}
	}
	e.blocks++
	return e.send(ctx, p, parent)
}

// leaveOut notes a block that nobody can make an image of.
func (e *echoesPipeline) leaveOut(p capture.Picture, why string) {
	e.broken++
	e.manifest.Tiles = append(e.manifest.Tiles, event.TileDecision{Tile: p.Block.Name(), Decision: event.TileDropped, Reason: "unreadable"})
	if e.fault == "" {
		e.fault = why
	}
}

// begin lays out the manifest; what the cloud would refuse is refused before anything is sent.
func (e *echoesPipeline) begin(info *capture.EchoesInfo) (err error) {
	e.plan = info.Plan
	if e.key, err = planKey(e.file, info.Plan); err != nil {
		return err
	}
	e.manifest = radarManifest(info)
	if err := e.manifest.CheckPlan(); err != nil {
		return fmt.Errorf("the cloud would refuse the scene: %w; cut the acquisition into several", err)
	}
	if e.place, err = e.plan.Geometry(); err != nil && !errors.Is(err, sar.ErrNoOrbit) {
		e.manifest.Facts = append(e.manifest.Facts, event.SceneFact{What: event.Implausible, From: "file", Value: "nothing can be placed on the Earth: " + err.Error()})
	}
	if e.rules, err = e.source.rules(); err != nil {
		return err
	}
	if e.rules.Land != nil && e.place == nil {
		e.manifest.Facts = append(e.manifest.Facts, event.SceneFact{What: event.Implausible, From: "file", Value: "the land mask is not used: it is not known where the image lies"})
	}
	if e.source.onDevice() {
		e.look = sar.NewQuicklook(e.plan, quicklookSide)
		if e.source.Amplitude {
			e.tiles = newAmplitudeTiles(e.plan)
		}
	}
	e.logFacts(info)
	return nil
}

// logFacts says what the image rests on, as a warning where something looks wrong.
func (e *echoesPipeline) logFacts(info *capture.EchoesInfo) {
	args := []any{telemetry.Scene, info.ID, "lines", e.plan.Params.Lines, "samples", e.plan.Params.Samples, "blocks", len(e.plan.Blocks)}
	level := slog.LevelInfo
	for _, f := range e.manifest.Facts {
		if args = append(args, f.What, f.Value+" ("+f.From+")"); f.What == event.Implausible {
			level = slog.LevelWarn
		}
	}
	e.log.Log(context.Background(), level, "the echoes of a radar are read", args...)
}

// planKey tells an acquisition that is cut in one way from all others.
func planKey(file string, plan *sar.Plan) (string, error) {
	text, err := json.Marshal(plan)
	if err != nil {
		return "", fmt.Errorf("the plan of echoes: %w", err)
	}
	return file + "/" + event.Sum(text).String()[:16], nil
}

// image makes a block's rows of the image, and sends what is seen in them. A block that no image can be made of is
// not usable; one that killed the process is left to the cloud, which looks at it in processes of its own.
func (e *echoesPipeline) image(ctx context.Context, p capture.Picture, parent string) (usable bool, err error) {
	began := time.Now()
	im, found, err := e.focus(ctx, p)
	switch {
	case errors.Is(err, crashguard.ErrQuarantined):
		e.deadly = append(e.deadly, p.Block.Name())
		return true, nil
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		e.leaveOut(p, err.Error())
		return false, nil
	}
	e.trace.Span(parent, trace.Screen, began, time.Now(), trace.Attr{Key: "canvas.rows", Number: int64(im.Rows)})
	if err := e.report(ctx, p, found, parent); err != nil {
		return false, err
	}
	e.look.Add(im)
	if e.tiles == nil {
		return true, nil
	}
	return true, e.tiles.add(im, func(t sar.AmplitudeTile) error { return e.sendAmplitude(ctx, p, t, parent) })
}

// focus notes the block before native code sees it.
func (e *echoesPipeline) focus(ctx context.Context, p capture.Picture) (im *sar.Image, found sar.Found, err error) {
	done, err := e.guard(ctx, p.Stream, p.Block.Name(), nil)
	if err != nil {
		return nil, found, err
	}
	defer done()
	im, err = e.plan.Focus(ctx, p.Block.Block, p.Block.Raw, p.Block.Gains)
	if err == nil && !e.source.Alerts.Off {
		found, err = e.plan.Find(im, e.rules)
	}
	return im, found, err
}

// sendAmplitude commits a tile of the image's amplitude.
func (e *echoesPipeline) sendAmplitude(ctx context.Context, p capture.Picture, t sar.AmplitudeTile, parent string) error {
	data, err := t.Encode()
	if err != nil {
		return fmt.Errorf("amplitude of scene %s: %w", p.Stream, err)
	}
	tile := fmt.Sprintf("%d_%d", t.Col/sar.AmplitudeSide, t.Row/sar.AmplitudeSide)
	return e.commit(ctx, "amplitude/"+tile, outbox.Draft{Kind: event.Result, Rung: event.RungMask, Stream: p.Stream, Subject: p.Stream + "/amplitude/" + tile,
		Time: p.At, Priority: event.Normal, Value: 1, Attrs: event.Attrs{Scene: p.Stream, Tile: tile, Model: sar.Algorithm, ModelVersion: sar.AlgorithmVersion, TraceParent: parent}, Type: sar.AmplitudeType, Data: data})
}

// rawWorth is what raw lines are worth beside the amplitude that was made of them: less, byte by byte and whole.
const rawWorth = 0.5

// send commits the block's raw lines, or notes that they stay here until somebody asks for them.
func (e *echoesPipeline) send(ctx context.Context, p capture.Picture, parent string) error {
	decided := event.TileDecision{Tile: p.Block.Name(), Decision: event.TileSent, Value: rawWorth}
	if !e.source.Complex {
		switch decided.Reason = event.SentAmplitude; {
		case slices.Contains(e.deadly, p.Block.Name()):
			decided.Decision, decided.Reason = event.TileDropped, "quarantined"
		case e.tiles == nil:
			decided.Decision, decided.Reason = event.TileDropped, keptHere
		}
		e.manifest.Tiles = append(e.manifest.Tiles, decided)
		return nil
	}
	d, err := rawDraft(p)
	if err != nil {
		return err
	}
	if e.source.onDevice() {
		d.Rung = event.RungFull // the image stands above it
	}
	d.Attrs.TraceParent = parent
	decided.Bytes = len(d.Data)
	e.manifest.Tiles = append(e.manifest.Tiles, decided)
	return e.commit(ctx, p.Block.Name(), d)
}

// keptHere is why a block was dropped of which only targets were sent: the device keeps it for who asks.
const keptHere = "kept"

// rawDraft is a block's raw lines as an item; how urgent it is beside others is for its caller to say.
func rawDraft(p capture.Picture) (outbox.Draft, error) {
	data, err := sar.EncodeEchoes(p.Echoes.Plan, p.Block.Block, p.Block.Raw, p.Block.Gains)
	if err != nil {
		return outbox.Draft{}, fmt.Errorf("block %s of scene %s: %w", p.Block.Name(), p.Stream, err)
	}
	return outbox.Draft{Kind: event.Tile, Stream: p.Stream, Subject: p.Stream + "/" + p.Block.Name(), Time: p.At, Priority: event.Normal, Value: rawWorth,
		Attrs: event.Attrs{Scene: p.Stream, Tile: p.Block.Name(), Want: sar.WantFocus}, Type: sar.EchoesType, Data: data}, nil
}

// finish commits what waited for the last block: the quicklook, and then the manifest. Of an acquisition without
// a usable block there is none.
func (e *echoesPipeline) finish(ctx context.Context, p capture.Picture) error {
	if e.blocks == 0 {
		return nil
	}
	if e.tiles != nil {
		if err := e.tiles.end(func(t sar.AmplitudeTile) error { return e.sendAmplitude(ctx, p, t, "") }); err != nil {
			return err
		}
	}
	if e.look != nil {
		if err := e.sendQuicklook(ctx, p); err != nil {
			return err
		}
	}
	e.manifest.Facts = append(e.manifest.Facts, e.seen()...)
	data, err := json.Marshal(e.manifest)
	if err != nil {
		return fmt.Errorf("manifest of scene %s: %w", p.Stream, err)
	}
	err = e.commit(ctx, "manifest", outbox.Draft{Kind: event.Scene, Stream: p.Stream, Subject: p.Stream, Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "application/json", Data: data})
	if err != nil {
		return err
	}
	e.log.Info("echoes are in the buffer and wait for the link", telemetry.Scene, p.Stream, "blocks", len(e.manifest.Tiles), "alerts", e.targets)
	return nil
}

// faults say what of the acquisition could not be used; nil: all of it could.
func (e *echoesPipeline) faults() error {
	switch {
	case e.broken == 0:
		return nil
	case e.blocks == 0:
		return fmt.Errorf("none of the %d blocks of echoes could be used: %s", e.broken, e.fault)
	}
	return fmt.Errorf("%d of %d blocks of echoes could not be used: %s", e.broken, e.blocks+int64(e.broken), e.fault)
}

func (e *echoesPipeline) sendQuicklook(ctx context.Context, p capture.Picture) error {
	gray := e.look.Gray()
	im := vision.Image{W: e.look.W, H: e.look.H, Pix: make([]byte, 3*len(gray))}
	for i, v := range gray {
		im.Pix[3*i], im.Pix[3*i+1], im.Pix[3*i+2] = v, v, v
	}
	jpeg, err := infer.EncodeJPEG(im, e.quality)
	if err != nil {
		return fmt.Errorf("quicklook of scene %s: %w", p.Stream, err)
	}
	return e.commit(ctx, "quicklook", outbox.Draft{Kind: event.Frame, Rung: event.RungThumbnail, Stream: p.Stream, Subject: p.Stream + "/quicklook", Time: p.At, Priority: event.High,
		Attrs: event.Attrs{Scene: p.Stream}, Type: "image/jpeg", Data: jpeg})
}

// seen are the facts of what the device has made, and left out.
func (e *echoesPipeline) seen() (facts []event.SceneFact) {
	if e.leftOut > 0 {
		facts = append(facts, event.SceneFact{What: "alerts", From: "echoes",
			Value: fmt.Sprintf("%d targets were reported; %d others, of blocks with more than %d, were not", e.targets, e.leftOut, e.source.Alerts.Most)})
	}
	if len(e.deadly) > 0 {
		facts = append(facts, event.SceneFact{What: event.Implausible, From: "echoes",
			Value: fmt.Sprintf("the device made no image of %d of %d blocks, the first of them %s, because they killed its process: what it reports lacks them", len(e.deadly), len(e.plan.Blocks), e.deadly[0])})
	}
	return facts
}

func (e *echoesPipeline) commit(ctx context.Context, part string, d outbox.Draft) error {
	defer e.probe.Wait()()
	d.Key = e.key + "/" + part
	if err := e.buffer.Commit(ctx, draft{Draft: d}); err != nil {
		return fmt.Errorf("commit %s of scene %s: %w", part, d.Stream, err)
	}
	return nil
}
