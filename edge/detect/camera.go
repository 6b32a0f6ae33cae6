package detect

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// Encode makes a JPEG; met by infer.EncodeJPEG.
type Encode func(im vision.Image, quality int) ([]byte, error)

// Camera watches one stream of frames. It is used for one Run.
type Camera struct {
	name    string
	config  Config
	model   Model
	net     Network
	encode  Encode
	observe Observer
	log     *slog.Logger

	tracker     *Tracker
	alerts      *alerts
	batch       *batch
	wholeFrames wholeFrames
	counts      map[countKey]int // objects of each label, as the observer knows them
	tally       map[countKey]int // the same while a frame is counted

	pending     []Draft
	nextWarning time.Time // not before then again

	lost  atomic.Int64  // when a camera that is lost showed its last picture, in Unix ns; 0: it is not lost
	woken chan struct{} // is sent to with it

	frames, failed, boxes, tracks, raised atomic.Int64
}

// countKey is what objects are counted by.
type countKey struct{ zone, label string } // zone is empty for the whole picture

// Stats is what was seen so far.
type Stats struct {
	Frames     int64 `json:"frames"`
	Failed     int64 `json:"failed"`     // frames that the network could not look at
	Detections int64 `json:"detections"` // at the model's score floor
	Tracks     int64 `json:"tracks"`
	Alerts     int64 `json:"alerts"`
}

// NewCamera makes the watch over one camera, video or set of images. encode and observe may be nil:
// no pictures of objects, nobody on the device who listens.
func NewCamera(name string, c Config, net Network, m Model, encode Encode, observe Observer, log *slog.Logger) *Camera {
	c = c.withDefaults(m)
	if encode == nil {
		c.Snapshot.Off = true
	}
	return &Camera{name: name, config: c, model: m, net: net, encode: encode, observe: observe, log: log.With("camera", name),
		tracker: NewTracker(name, c.Tracks), alerts: newAlerts(c.Alerts), batch: newBatch(name, m, c.Batch, c.Places), wholeFrames: wholeFrames{config: c.Second},
		counts: map[countKey]int{}, tally: map[countKey]int{}, woken: make(chan struct{}, 1)}
}

// lostAfter is how long a camera is without a picture until its objects count as gone: a shorter gap is
// bridged.
const lostAfter = 5 * time.Second

// Lost says that the camera shows nothing since then; safe from any goroutine. What it saw ends with
// that: the objects, and the counts are 0.
func (c *Camera) Lost(since time.Time) {
	c.lost.Store(max(since.UnixNano(), 1))
	select {
	case c.woken <- struct{}{}:
	default:
	}
}

// Found says that it shows something again.
func (c *Camera) Found() { c.lost.Store(0) }

// endLost ends the objects of a camera that has been lost for long enough.
func (c *Camera) endLost() {
	at := c.lost.Load()
	if at == 0 || c.config.Tracks.Off || time.Since(time.Unix(0, at)) < lostAfter {
		return
	}
	c.addTracks(c.tracker.Finish())
	clear(c.tally)
	c.recount()
}

// Stats is what was seen so far; safe from any goroutine.
func (c *Camera) Stats() Stats {
	return Stats{Frames: c.frames.Load(), Failed: c.failed.Load(), Detections: c.boxes.Load(),
		Tracks: c.tracks.Load(), Alerts: c.raised.Load()}
}

// Crossings are how often each line was crossed so far; safe from any goroutine.
func (c *Camera) Crossings() []Crossed { return c.tracker.crossed.counted() }

// Run looks at frames until Last or until the channel is closed, and hands what it finds to out, in
// order. out may block: frames wait then, and so does their source. What comes together while out is
// busy is handed over together; the slice is valid until out returns. Run fails with out's error, with ctx's (what was not handed over is
// then lost), or when the network fails on every frame.
func (c *Camera) Run(ctx context.Context, frames <-chan Frame, out func(context.Context, []Draft) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	line := newInOrder(c.config.InFlight)
	go line.run(ctx, c.net, frames)

	outgoing := make(chan delivery, 16)
	delivered := make(chan struct{})
	go func() {
		defer close(delivered)
		if err := deliver(ctx, outgoing, out); err != nil {
			stop(err)
		}
	}()
	c.collect(ctx, stop, line, outgoing)
	close(outgoing)
	<-delivered
	return context.Cause(ctx)
}

// collect takes the frames as they come out of the network, in order, until the line is empty.
func (c *Camera) collect(ctx context.Context, stop context.CancelCauseFunc, line *inOrder, outgoing chan<- delivery) {
	due := time.NewTicker(c.config.Batch.Age)
	defer due.Stop()
	closed := false
	for {
		var done func()
		select {
		case f, ok := <-line.order:
			if !ok {
				if !closed {
					c.close(nil)
					c.send(ctx, outgoing, nil)
				}
				return
			}
			<-f.done
			if ctx.Err() == nil {
				if err := c.take(f); err != nil {
					stop(err)
				}
			}
			done, closed = f.frame.Done, f.frame.Last
			if f.frame.Release != nil {
				f.frame.Release()
			}
			line.finished(f)
		case <-c.woken:
			c.endLost()
		case <-due.C:
			c.endLost()
			if !c.batch.empty() && time.Since(c.batch.since) >= c.config.Batch.Age {
				c.flush()
			}
		}
		c.send(ctx, outgoing, done)
	}
}

// maxFailures is after how many failures without one success a network is given up.
const maxFailures = 30

// take makes drafts of what was found in one frame.
func (c *Camera) take(f *flight) error {
	frame := f.frame
	if frame.Last {
		c.close(&frame)
		return nil
	}
	if f.err != nil {
		n := c.failed.Add(1)
		if now := time.Now(); now.After(c.nextWarning) {
			c.nextWarning = now.Add(10 * time.Second)
			c.log.Warn("the model failed on a frame", "frame", frame.Number, telemetry.Err, f.err, "failed", n)
		}
		if n >= maxFailures && c.frames.Load() == 0 {
			return fmt.Errorf("camera %s: %s fails on every frame: %w", c.name, c.model.Name, f.err)
		}
	} else {
		c.frames.Add(1)
		c.boxes.Add(int64(len(f.boxes)))
	}
	if !c.batch.fits(frame.Image.W, frame.Image.H) {
		c.flush()
	}
	var asked *event.FrameLook
	if f.err == nil {
		asked = c.lookAgain(frame, f.boxes) // before the batch that says so
	}
	c.batch.add(frame, f.boxes, asked, time.Now())
	if !c.config.Tracks.Off && f.err == nil {
		c.follow(frame, f.boxes)
	}
	if c.batch.full() {
		c.flush()
	}
	return nil
}

// follow tracks a frame's objects and reports what became of them.
func (c *Camera) follow(frame Frame, boxes []vision.Box) {
	c.tracker.Watch(c.config.Places, frame.Image.W, frame.Image.H)
	events := c.tracker.Update(frame.Number, frame.At, boxes)
	clear(c.tally)
	for _, l := range c.tracker.alive {
		if l.Improved {
			c.config.Snapshot.keepBest(&l.view, l.Box, frame.Image)
		}
		if l.Seen {
			l.trace = frame.Trace
		}
		if l.reported == nil {
			continue
		}
		c.tally[countKey{"", l.Label}]++
		for i, v := range l.presence.visits {
			if v.inside {
				c.tally[countKey{c.config.Places.Zones[i].Name, l.Label}]++
			}
		}
		if l.Seen && c.alerts.begins(l.Label, frame.At) {
			c.alert(l)
		}
	}
	c.addTracks(events)
	c.recount()
}

// recount gives the observer how many objects of each label are there, and in each zone, where that
// has changed.
func (c *Camera) recount() {
	for k := range c.counts {
		if c.tally[k] == 0 {
			c.tally[k] = 0
		}
	}
	for k, n := range c.tally {
		if was, known := c.counts[k]; known && was == n {
			continue
		}
		c.counts[k] = n
		switch {
		case c.observe == nil:
		case k.zone == "":
			c.observe.Counted(c.name, k.label, n)
		default:
			c.observe.CountedIn(c.name, k.zone, k.label, n)
		}
	}
}

// close ends what is under way: at the end of a finite stream, or of a camera that is stopped.
func (c *Camera) close(last *Frame) {
	if !c.config.Tracks.Off {
		c.addTracks(c.tracker.Finish())
		clear(c.tally)
		c.recount()
	}
	if last == nil {
		if !c.batch.empty() {
			c.flush()
		}
		return
	}
	data, err := c.batch.end(last.Number)
	c.result(data, err, last.moment())
}
