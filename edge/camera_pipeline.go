package edge

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/power"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// cameraParts are what the cameras of a device share.
type cameraParts struct {
	buffer     buffer
	requests   *captureRequests
	states     *streamStates
	power      *power.Watch  // nil: it is not watched
	trace      *trace.Tracer // nil: nothing is traced
	frameEvery time.Duration // between two whole frames for people to look at; 0: none is sent
	quality    int           // of the JPEG of such a frame, 1 … 100
	maxLag     time.Duration // of a live frame when its turn comes; 0: any
}

// cameraPipeline takes one stream's frames through screening and detection into the buffer.
type cameraPipeline struct {
	cameraParts
	name   string
	live   bool
	images bool
	screen *screen.Camera
	camera *detect.Camera
	share  *fairShare
	room   chan struct{} // a place for each frame under way
	frames chan detect.Frame
	probe  *telemetry.Probe

	count   int64
	credit  float64   // of frames that heat or a power mode allow
	pending time.Time // a whole frame is sent from then on
	shown   string    // key of the one that was sent last

	model  string
	failed failedFrames
}

// newCameraPipeline is for a stream of which so many frames are under way at once.
func newCameraPipeline(name string, parts cameraParts, s *screen.Camera, share *fairShare, inFlight int) *cameraPipeline {
	return &cameraPipeline{cameraParts: parts, name: name, screen: s, share: share, probe: new(telemetry.Probe),
		room: make(chan struct{}, inFlight), frames: make(chan detect.Frame)}
}

// failedFrames are the frames on which the network failed. One that is quarantined is reported elsewhere.
type failedFrames struct {
	mu    sync.Mutex
	count int64
	why   error // of the first
}

func (f *failedFrames) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count++; f.why == nil {
		f.why = err
	}
}

// err is what a finite source says of them at its end.
func (f *failedFrames) err(model string, of int64) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == 0 {
		return nil
	}
	return fmt.Errorf("model %s failed on %d of %d pictures, nothing was detected in them: %w", model, f.count, of, f.why)
}

// sharedNetwork is a network that gives a camera's place in it back with each frame it has looked at.
type sharedNetwork struct {
	detect.Network
	camera *cameraPipeline
}

func (n sharedNetwork) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	defer n.camera.share.release(n.camera)
	out, err := n.Network.Run(ctx, in)
	if err != nil && ctx.Err() == nil && !errors.Is(err, crashguard.ErrQuarantined) {
		n.camera.failed.add(err)
	}
	return out, err
}

// run takes a source's frames until it ends.
func (c *cameraPipeline) run(ctx context.Context, source func(context.Context, func(context.Context, capture.Picture) error) error) (int64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer c.share.leave(c)
	watched := make(chan error, 1)
	go func() {
		// It ends with the frames, not with ctx: what was seen up to a stop is still committed.
		err := c.camera.Run(context.WithoutCancel(ctx), c.frames, c.commit)
		stop(err) // frames have nowhere to go
		watched <- err
	}()
	err := source(ctx, c.take)
	close(c.frames)
	if detection := <-watched; detection != nil {
		err = detection
	}
	if !c.live && ctx.Err() == nil {
		err = errors.Join(err, c.failed.err(c.model, c.count))
	}
	if err != nil && c.camera.Stats().Frames == 0 && !c.live { // no product comes of it
		return 0, err
	}
	return c.count, err
}

// take screens a frame and hands it to detection.
func (c *cameraPipeline) take(ctx context.Context, p capture.Picture) error {
	defer c.probe.Work()()
	if p.Last {
		return c.last(ctx, p)
	}
	p.Trace = captured(c.trace, p)
	reason, err := c.admit(ctx, p)
	if reason != "" {
		c.states.skip(c.name, reason)
		if p.Release != nil {
			p.Release()
		}
		if p.Committed != nil && c.live { // a message is acknowledged now; a file is done only at its end
			p.Committed()
		}
	}
	if reason != "" || err != nil {
		return err
	}
	f := detect.Frame{Number: p.Frame, Name: p.Name, At: p.At, Spacing: p.Spacing, Image: p.Image, Trace: p.Trace, Done: p.Committed, Release: func() {
		<-c.room
		if p.Release != nil {
			p.Release()
		}
	}}
	select {
	case c.frames <- f:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.count++
	return nil
}

// admit says why a frame is left out, or takes the places that it needs. A live frame
// that had to wait too long is left out for a newer one: the lag stays what it is.
func (c *cameraPipeline) admit(ctx context.Context, p capture.Picture) (reason string, err error) {
	if requested := c.requests.take(c.name, p.At); len(requested) > 0 {
		if err := c.sendRequested(ctx, p, requested); err != nil {
			return "", err
		}
	}
	if c.live && !c.allowed() {
		return skippedPower, nil
	}
	began := time.Now()
	v := c.screen.Decide(p.Image)
	c.trace.Span(p.Trace, trace.Screen, began, time.Now(), trace.Attr{Key: "canvas.reason", Text: v.Reason})
	if !v.Keep {
		return v.Reason, nil
	}
	if err := c.sendWhole(ctx, p); err != nil {
		return "", err
	}
	select {
	case c.room <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if err := c.share.acquire(ctx, c); err != nil {
		return "", err
	}
	lag := time.Since(p.At)
	if most := c.maxLag; c.live && most > 0 && lag > most {
		<-c.room
		c.share.release(c)
		return skippedBehind, nil
	}
	if c.live {
		c.states.setLag(c.name, lag)
	}
	return "", nil
}

// allowed thins out the frames of a camera evenly to the share that heat and the power mode allow.
func (c *cameraPipeline) allowed() bool {
	share := c.power.Share()
	if c.credit += share; c.credit < 1 && share < 1 {
		return false
	}
	c.credit = max(0, c.credit-1)
	return true
}

// last closes a finite stream.
func (c *cameraPipeline) last(ctx context.Context, p capture.Picture) error {
	select {
	case c.frames <- detect.Frame{Number: p.Frame, At: p.At, Last: true, Done: p.Committed}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.Partial != "" {
		return fmt.Errorf("%s: %s", c.name, p.Partial)
	}
	return nil
}

// sendWhole commits a whole frame now and then, so that people can see what the camera sees. Of a
// live camera they see the newest: one that still waits is taken back.
func (c *cameraPipeline) sendWhole(ctx context.Context, p capture.Picture) error {
	every := c.frameEvery
	if every <= 0 || p.At.Before(c.pending) && !c.images {
		return nil
	}
	c.pending = p.At.Add(every)
	d, err := c.whole(p)
	if err != nil {
		return err
	}
	d.Priority, d.Value = event.Low, 0.2
	if c.live {
		d.Key, d.supersedes = fmt.Sprintf("frame/%s/%d", c.name, p.At.UnixNano()), c.shown
		c.shown = d.Key
	}
	return c.put(ctx, d)
}

// sendRequested commits a whole frame for each request, once.
func (c *cameraPipeline) sendRequested(ctx context.Context, p capture.Picture, requested []string) error {
	d, err := c.whole(p)
	if err != nil {
		return err
	}
	d.Priority, d.Value = event.High, 1
	for _, key := range requested {
		d.Key = key
		if err := c.put(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (c *cameraPipeline) whole(p capture.Picture) (draft, error) {
	jpeg, err := infer.EncodeJPEG(p.Image, c.quality)
	if err != nil {
		return draft{}, fmt.Errorf("frame %d of %s: %w", p.Frame, c.name, err)
	}
	return draft{Draft: outbox.Draft{Kind: event.Frame, Stream: c.name, Subject: fmt.Sprintf("%s/frame-%d", c.name, p.Frame), Time: p.At,
		Attrs: event.Attrs{TraceParent: p.Trace}, Type: "image/jpeg", Data: jpeg}}, nil
}

// commit makes items of what was found. Of a live camera's tracks the newest state is enough: it
// holds all that an earlier update said. A file gives the same items, all of them, each time it is read.
func (c *cameraPipeline) commit(ctx context.Context, found []detect.Draft) error {
	drafts := make([]draft, len(found))
	for i, f := range found {
		drafts[i].Draft = outbox.Draft{Kind: f.Kind, Stream: f.Stream, Subject: f.Subject, Time: f.Time, Priority: f.Priority,
			Value: f.Value, Attrs: f.Attrs, Type: f.Type, Data: f.Data}
		if c.live {
			drafts[i].Key, drafts[i].supersedes = f.Key, f.Supersedes
		}
	}
	return c.put(ctx, drafts...)
}

// put commits drafts. A file waits while the outbox is full; a live camera does not, and there the
// least valuable is dropped instead, with an entry in the ledger.
func (c *cameraPipeline) put(ctx context.Context, drafts ...draft) error {
	defer c.probe.Wait()()
	if c.live {
		return c.buffer.Submit(ctx, drafts...)
	}
	return c.buffer.Commit(ctx, drafts...)
}
