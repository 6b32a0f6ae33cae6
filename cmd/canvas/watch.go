package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/cmd/internal/appliance"
	"cloudcanvas/edge"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/visible"
)

// watch follows a job: which sources have ended and which products have come.
type watch struct {
	say   io.Writer
	start time.Time

	mu       sync.Mutex
	names    []string // sources, scenes first, then echoes, in the order given
	scenes   int
	echoes   map[string]bool
	ended    map[string]sourceEnd
	products map[string]productEnd
	moved    time.Time
	changed  chan struct{}
}

type sourceEnd struct {
	pictures int64
	err      error
	took     time.Duration
}

type productEnd struct {
	mosaic.Product
	after time.Duration
}

func newWatch(c edge.Config, say io.Writer) *watch {
	w := &watch{say: say, start: time.Now(), echoes: map[string]bool{}, ended: map[string]sourceEnd{}, products: map[string]productEnd{}, moved: time.Now(), changed: make(chan struct{}, 1)}
	for _, s := range c.Scenes {
		w.names = append(w.names, s.Name)
	}
	w.scenes = len(w.names)
	for _, s := range c.Echoes {
		w.names = append(w.names, s.Name)
		w.echoes[s.Name] = true
	}
	for _, s := range c.Cameras {
		w.names = append(w.names, s.Name)
	}
	for _, s := range c.Images {
		w.names = append(w.names, s.Name)
	}
	return w
}

func (w *watch) tell(format string, args ...any) {
	visible.Fprintf(w.say, "%6.1f s  "+format+"\n", append([]any{time.Since(w.start).Seconds()}, args...)...)
}

// sourceEnded is called for each source that is at its end.
func (w *watch) sourceEnded(name string, pictures int64, took time.Duration, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.ended[name] = sourceEnd{pictures, err, took}
	switch {
	case err != nil && pictures == 0:
		w.tell("%s: could not be used: %v", name, err)
	case err != nil:
		w.tell("%s: %s, but not all: %v", name, w.came(name, pictures), err)
	case w.echoes[name]:
		w.tell("%s: %s, in the outbox", name, w.came(name, pictures))
	default:
		w.tell("%s: %s, screened and in the outbox", name, w.came(name, pictures))
	}
	w.touch()
}

// came says how much came of a source: tiles of a scene, blocks of echoes, pictures of anything else.
func (w *watch) came(name string, pictures int64) string {
	if w.echoes[name] {
		return counted(pictures, "block") + " of echoes read"
	}
	if slices.Contains(w.names[:w.scenes], name) {
		return counted(pictures, "tile") + " read"
	}
	return counted(pictures, "picture") + " captured"
}

// counted is a number with its noun, whose plural ends with an s.
func counted[N int | int64 | uint64](n N, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func (w *watch) touch() {
	w.moved = time.Now()
	select {
	case w.changed <- struct{}{}:
	default:
	}
}

// patience is how long nothing may move before the job gives up waiting for products.
const patience = 3 * time.Minute

// wait ends when every source has ended, every item is received, and every product is complete; or
// when nothing has moved for too long. It says whether all products are complete.
func (w *watch) wait(ctx context.Context, a *appliance.Appliance) (complete bool, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go w.readProducts(ctx, a.Kafka)
	drained := make(chan error, 1)
	go func() { drained <- a.Agent.Drained(ctx) }()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	all := false
	var moves uint64
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-a.Failed():
			return false, nil // Stop tells why
		case err := <-drained:
			if err != nil {
				return false, err
			}
			all, drained = true, nil
			s := a.Agent.Stats()
			w.tell("outbox: %d items committed, %d received by the cloud", s.Committed, s.Received)
		case <-w.changed:
		case <-tick.C:
			if now := movement(ctx, a); now != moves {
				moves = now
				w.mu.Lock()
				w.moved = time.Now()
				w.mu.Unlock()
			}
		}
		w.mu.Lock()
		missing := w.missing()
		still := time.Since(w.moved)
		w.mu.Unlock()
		if all && len(missing) == 0 {
			return true, nil
		}
		if still > patience {
			return false, nil
		}
	}
}

// movement grows with everything that moves: items in and out of the buffer, and what workers found.
func movement(ctx context.Context, a *appliance.Appliance) uint64 {
	s := a.Agent.Stats()
	moves := s.Committed + s.Received
	for _, topic := range []string{event.ResultsTopic, event.DLQTopic} {
		offsets, err := a.Kafka.Offsets(ctx, topic)
		if err != nil {
			continue
		}
		for _, o := range offsets {
			moves += uint64(o.End)
		}
	}
	return moves
}

// missing are the sources whose products are not complete, of those that gave anything. The caller
// holds mu.
func (w *watch) missing() []string {
	var names []string
	for _, name := range w.names {
		end, ended := w.ended[name]
		if ended && end.err != nil && end.pictures == 0 {
			continue
		}
		if p, ok := w.products[name]; !ok || !p.Complete {
			names = append(names, name)
		}
	}
	return names
}

// readProducts follows canvas.products until ctx ends.
func (w *watch) readProducts(ctx context.Context, k *kafka.Client) {
	partitions, err := k.Partitions(ctx, event.ProductsTopic)
	if err != nil {
		return
	}
	for p := range partitions {
		go k.Read(ctx, event.ProductsTopic, p, 0, func(records []kafka.Record) error {
			for _, r := range records {
				if i, err := r.Item(); err == nil {
					if product, err := mosaic.ParseProduct(i); err == nil {
						w.finished(product)
					}
				}
			}
			return nil
		})
	}
}

func (w *watch) finished(p mosaic.Product) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.products[p.Name] = productEnd{p, time.Since(w.start)}
	state := "complete"
	if !p.Complete {
		state = fmt.Sprintf("incomplete, %d missing", len(p.Missing))
	}
	if p.Failed != "" {
		state = "failed: " + p.Failed
	}
	switch {
	case p.Radar != nil:
		w.tell("%s: product %s: %s", p.Name, state, whatIsThere(p.Radar))
	case p.Scene != nil:
		w.tell("%s: product %s: %s", p.Name, state, whoJudged(p.Scene))
		if p.Complete {
			for _, warning := range warnings(p.Scene) {
				w.tell("%s: WARNING: %s", p.Name, warning)
			}
		}
	case p.Camera != nil:
		again := ""
		if n := p.Camera.LookedAgain; n > 0 {
			again = fmt.Sprintf(", %d of them looked at again in the cloud", n)
		}
		w.tell("%s: product %s: %s in %s%s", p.Name, state, counted(p.Camera.Detections, "detection"), counted(p.Camera.Frames, "frame"), again)
	}
	w.touch()
}

func (w *watch) summary(reports []infer.Report, d deliveryCounts, took time.Duration) summary {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := summary{Version: version, Engines: []engineLine{}, Scenes: []sceneLine{}, Radar: []radarLine{}, Cameras: []cameraLine{}, Failed: []failedInput{}, Delivery: d, Seconds: seconds(took)}
	for _, r := range reports {
		s.Engines = append(s.Engines, engineLine{r.Model, r.Engine, r.Device, r.Golden, r.Ms, r.Candidates, r.ThrownAway})
		if r.ThrownAway > 0 {
			w.tell("model %s: %d of its %d boxes above the score floor were thrown away: not finite, without a size, or of a class without a label", r.Model, r.ThrownAway, r.Candidates)
		}
		if 2*r.ThrownAway > r.Candidates {
			s.Failed = append(s.Failed, failedInput{"model " + r.Model, fmt.Sprintf("%d of its %d boxes can't be boxes: its decoder does not fit it", r.ThrownAway, r.Candidates)})
		}
	}
	for i, name := range w.names {
		end, p := w.ended[name], w.products[name]
		if end.err != nil {
			s.Failed = append(s.Failed, failedInput{name, end.err.Error()})
		} else if p.Failed != "" {
			s.Failed = append(s.Failed, failedInput{name, p.Failed})
		}
		switch {
		case p.Radar != nil:
			s.Radar = append(s.Radar, radarOf(p))
		case p.Scene != nil:
			s.Scenes = append(s.Scenes, sceneOf(p))
		case p.Camera != nil:
			s.Cameras = append(s.Cameras, cameraLine{Name: name, Frames: p.Camera.Frames, Detections: p.Camera.Detections,
				FramesPerSecond: float64(p.Camera.Frames) / max(end.took.Seconds(), 1e-3), Seconds: seconds(end.took), LookedAgain: p.Camera.LookedAgain})
		case end.err == nil && w.echoes[name]:
			s.Radar = append(s.Radar, radarLine{ID: name, Models: []string{}, Warnings: []string{}})
		case end.err == nil && i < w.scenes:
			s.Scenes = append(s.Scenes, sceneLine{ID: name})
		case end.err == nil:
			s.Cameras = append(s.Cameras, cameraLine{Name: name})
		}
	}
	return s
}

func sceneOf(p productEnd) sceneLine {
	l := sceneLine{ID: p.Name, Width: p.Scene.Width, Height: p.Scene.Height, Precision: p.Scene.Precision, Complete: p.Complete, Seconds: seconds(p.after)}
	l.Tiles.Total, l.Tiles.Sent = p.Scene.Tiles, p.Scene.Sent
	l.Tiles.Dropped.NoData = p.Scene.Dropped[event.DroppedNoData]
	l.Tiles.Dropped.Cloud = p.Scene.Dropped[event.DroppedCloud]
	l.Tiles.Dropped.Unchanged = p.Scene.Dropped[event.DroppedUnchanged]
	l.Bytes = sceneBytes{Scene: p.Scene.SceneBytes, Uplinked: p.Scene.UplinkedBytes}
	l.Tiles.Masks = p.Scene.EdgeMasks
	l.CloudFraction, l.Screening = p.Scene.CloudFraction, p.Scene.Screening
	l.NotJudged, l.JudgedByEdge, l.JudgedByCloud = p.Scene.NotJudged, p.Scene.JudgedByEdge, p.Scene.JudgedByCloud
	l.Facts = append([]event.SceneFact{}, p.Scene.Facts...)
	l.Warnings = warnings(p.Scene)
	return l
}

// whoJudged says in words who looked at a scene's tiles, and what nobody judged.
func whoJudged(s *mosaic.SceneStats) string {
	text := fmt.Sprintf("screened by %s, %d of %d tiles looked at in the cloud", cmp.Or(s.Screening, "an unnamed rule"), s.Results-s.EdgeMasks, s.Tiles)
	if s.EdgeMasks > 0 {
		text += fmt.Sprintf(", of %d the device's own mask taken", s.EdgeMasks)
	}
	if s.NotJudged != nil && *s.NotJudged > 0 {
		text += fmt.Sprintf("; not judged %s", percent(*s.NotJudged))
	}
	return text
}

// percent is a share in words; what is there is never none.
func percent(share float64) string {
	if share > 0 && share < 0.001 {
		return "less than 0.1 %"
	}
	return fmt.Sprintf("%.3g %%", 100*share)
}

// overcast is the share of cloud in a scene's mask from which on a person is warned.
const overcast = 0.98

// warnings are what a person should look at: what is only assumed, and what looks wrong.
func warnings(s *mosaic.SceneStats) []string {
	all := []string{}
	for _, f := range s.Facts {
		switch {
		case f.What == event.Implausible:
			all = append(all, f.Value)
		case f.From == event.Fallback:
			all = append(all, fmt.Sprintf("%s is %s", f.What, f.Value))
		case f.From == event.Assumed:
			all = append(all, fmt.Sprintf("%s is assumed: %s", f.What, f.Value))
		}
	}
	if c := s.CloudFraction; c != nil && *c >= overcast && s.Results > 0 {
		all = append(all, fmt.Sprintf("%.0f %% of what was looked at is cloud: if that is not so, look at the bands, the scale and the offset", 100**c))
	}
	return all
}

func seconds(d time.Duration) float64 {
	return float64(d.Round(time.Millisecond)) / float64(time.Second)
}
