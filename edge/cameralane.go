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
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// cameraLane takes one stream's frames through screening and detection into the outbox.
type cameraLane struct {
	agent  *Agent
	box    buffer
	name   string
	live   bool
	images bool
	screen *screen.Camera
	camera *detect.Camera
	share  *fairShare
	room   chan struct{} // a place for each frame under way
	frames chan detect.Frame

	hand    *telemetry.Hand
	count   int64
	credit  float64   // of frames that heat or a power mode allow
	pending time.Time // a whole frame is sent from then on
	shown   string    // key of the one that was sent last

	model string
	blind blind
}

// blind are the frames that the network could not look at. One that is quarantined is told elsewhere.
type blind struct {
	mu     sync.Mutex
	frames int64
	why    error // of the first
}

func (b *blind) note(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frames++; b.why == nil {
		b.why = err
	}
}

// told is what a finite source says of them at its end: nobody has looked at these.
func (b *blind) told(model string, of int64) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.frames == 0 {
		return nil
	}
	return fmt.Errorf("model %s failed on %d of %d pictures, nobody has looked at them: %w", model, b.frames, of, b.why)
}

func (a *Agent) newCameraLane(name string, net *loaded, live, images bool) *cameraLane {
	c := a.config.Detect
	c.InFlight = max(c.InFlight, net.Layout().Sessions+2)
	c.Places = a.config.places(name)
	if images {
		c.Tracks.Off, c.Alerts.Off = true, true // one has nothing to do with the next
		c.Second.Every = -1
	}
	var observer detect.Observer
	if a.local != nil {
		observer = a.local
	}
	m := detect.Model{Name: net.model.Name, Version: net.model.Version, Report: net.model.Output.Report}
	l := &cameraLane{agent: a, box: a.buffer(), name: name, live: live, images: images, hand: a.hands.New(name), screen: a.config.Screen.Camera(), share: net.share, model: net.model.Name,
		room: make(chan struct{}, c.InFlight), frames: make(chan detect.Frame)}
	l.camera = detect.NewCamera(name, c, sharedNetwork{guarded{net, a.attempts, name, live, a.trace}, l}, m, infer.EncodeJPEG, observer, a.log)
	if live {
		l.camera.HoldPictures(l.box.WaitsUnder)
	}
	if !images {
		a.states.counts(name, l.camera.Crossings)
		a.requests.addSource(name)
	}
	return l
}

// sharedNetwork is a network that ends a lane's turn with each frame it has looked at.
type sharedNetwork struct {
	detect.Network
	lane *cameraLane
}

func (n sharedNetwork) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	defer n.lane.share.release(n.lane)
	out, err := n.Network.Run(ctx, in)
	if err != nil && ctx.Err() == nil && !errors.Is(err, crashguard.ErrQuarantined) {
		n.lane.blind.note(err)
	}
	return out, err
}

// run takes a source's frames until it ends.
func (l *cameraLane) run(ctx context.Context, source func(context.Context, func(context.Context, capture.Picture) error) error) (int64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer l.share.leave(l)
	watched := make(chan error, 1)
	go func() {
		// It ends with the frames, not with ctx: what was seen up to a stop is still told.
		err := l.camera.Run(context.WithoutCancel(ctx), l.frames, l.commit)
		stop(err) // frames have nowhere to go
		watched <- err
	}()
	err := source(ctx, l.take)
	close(l.frames)
	if detection := <-watched; detection != nil {
		err = detection
	}
	if !l.live && ctx.Err() == nil {
		err = errors.Join(err, l.blind.told(l.model, l.count))
	}
	if err != nil && l.camera.Stats().Frames == 0 && !l.live { // no product comes of it
		return 0, err
	}
	return l.count, err
}

// take screens a frame and hands it to detection.
func (l *cameraLane) take(ctx context.Context, p capture.Picture) error {
	defer l.hand.Work()()
	if p.Last {
		return l.last(ctx, p)
	}
	p.Trace = captured(l.agent.trace, p)
	reason, err := l.admit(ctx, p)
	if reason != "" {
		l.agent.left(l.name, reason)
		if p.Release != nil {
			p.Release()
		}
		if p.Committed != nil && l.live { // a message is acknowledged; a file is told at its end
			p.Committed()
		}
	}
	if reason != "" || err != nil {
		return err
	}
	f := detect.Frame{Number: p.Frame, Name: p.Name, At: p.At, Spacing: p.Spacing, Image: p.Image, Trace: p.Trace, Done: p.Committed, Release: func() {
		<-l.room
		if p.Release != nil {
			p.Release()
		}
	}}
	select {
	case l.frames <- f:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	l.count++
	return nil
}

// admit says why a frame is left out, or takes the place and the turn that it needs. A live frame
// that had to wait too long is left out for a newer one: the lag stays what it is.
func (l *cameraLane) admit(ctx context.Context, p capture.Picture) (reason string, err error) {
	if requested := l.agent.requests.take(l.name, p.At); len(requested) > 0 {
		if err := l.sendRequested(ctx, p, requested); err != nil {
			return "", err
		}
	}
	if l.live && !l.allowed() {
		return leftPower, nil
	}
	began := time.Now()
	v := l.screen.Judge(p.Image)
	l.agent.trace.Span(p.Trace, trace.Screen, began, time.Now(), trace.Attr{Key: "canvas.reason", Text: v.Reason})
	if !v.Keep {
		return v.Reason, nil
	}
	if err := l.sendWhole(ctx, p); err != nil {
		return "", err
	}
	select {
	case l.room <- struct{}{}:
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
	if err := l.share.acquire(ctx, l); err != nil {
		return "", err
	}
	lag := time.Since(p.At)
	if most := l.agent.config.Overload.MaxLag; l.live && most > 0 && lag > most {
		<-l.room
		l.share.release(l)
		return leftBehind, nil
	}
	if l.live {
		l.agent.states.lags(l.name, lag)
	}
	return "", nil
}

// allowed thins out the frames of a camera evenly to the share that heat and the power mode allow.
func (l *cameraLane) allowed() bool {
	share := l.agent.power.Share()
	if l.credit += share; l.credit < 1 && share < 1 {
		return false
	}
	l.credit = max(0, l.credit-1)
	return true
}

// last closes a finite stream.
func (l *cameraLane) last(ctx context.Context, p capture.Picture) error {
	select {
	case l.frames <- detect.Frame{Number: p.Frame, At: p.At, Last: true, Done: p.Committed}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.Partial != "" {
		return fmt.Errorf("%s: %s", l.name, p.Partial)
	}
	return nil
}

// sendWhole commits a whole frame now and then, so that people can see what the camera sees. Of a
// live camera they see the newest: one that still waits is taken back.
func (l *cameraLane) sendWhole(ctx context.Context, p capture.Picture) error {
	every := l.agent.config.FrameEvery
	if every <= 0 || p.At.Before(l.pending) && !l.images {
		return nil
	}
	l.pending = p.At.Add(every)
	d, err := l.whole(p)
	if err != nil {
		return err
	}
	d.Priority, d.Value = event.Low, 0.2
	if l.live {
		d.Key, d.supersedes = fmt.Sprintf("frame/%s/%d", l.name, p.At.UnixNano()), l.shown
		l.shown = d.Key
	}
	return l.put(ctx, d)
}

// sendRequested commits a whole frame for each request, once.
func (l *cameraLane) sendRequested(ctx context.Context, p capture.Picture, requested []string) error {
	d, err := l.whole(p)
	if err != nil {
		return err
	}
	d.Priority, d.Value = event.High, 1
	for _, key := range requested {
		d.Key = key
		if err := l.put(ctx, d); err != nil {
			return err
		}
	}
	return nil
}

func (l *cameraLane) whole(p capture.Picture) (draft, error) {
	jpeg, err := infer.EncodeJPEG(p.Image, 85)
	if err != nil {
		return draft{}, fmt.Errorf("frame %d of %s: %w", p.Frame, l.name, err)
	}
	return draft{Draft: outbox.Draft{Kind: event.Frame, Stream: l.name, Subject: fmt.Sprintf("%s/frame-%d", l.name, p.Frame), Time: p.At,
		Attrs: event.Attrs{TraceParent: p.Trace}, Type: "image/jpeg", Data: jpeg}}, nil
}

// commit makes items of what was found. Of a live camera's tracks the newest state is enough: it
// holds all that an earlier update said. A file is told as a whole, the same each time it is read.
func (l *cameraLane) commit(ctx context.Context, found []detect.Finding) error {
	drafts := make([]draft, len(found))
	for i, f := range found {
		drafts[i].Draft = outbox.Draft{Kind: f.Kind, Stream: f.Stream, Subject: f.Subject, Time: f.Time, Priority: f.Priority,
			Value: f.Value, Attrs: f.Attrs, Type: f.Type, Data: f.Data}
		if l.live {
			drafts[i].Key, drafts[i].supersedes = f.Key, f.Supersedes
		}
	}
	return l.put(ctx, drafts...)
}

// put commits drafts. A file waits while the outbox is full; a live camera does not, and there the
// least valuable is dropped instead, with an entry in the ledger.
func (l *cameraLane) put(ctx context.Context, drafts ...draft) error {
	defer l.hand.Wait()()
	if l.live {
		return l.box.Submit(ctx, drafts...)
	}
	return l.box.Commit(ctx, drafts...)
}
