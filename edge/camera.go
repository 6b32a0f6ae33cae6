package edge

import (
	"context"
	"fmt"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/telemetry"
)

// cameraLane lays a lane for a stream of frames: a video, a camera, or a set of images. A live one
// can't wait; a finite one comes to an end, if only because a camera is given up.
func (a *Agent) cameraLane(ctx context.Context, source capture.Source, detector string, live, finite bool) error {
	if detector == "" {
		return fmt.Errorf("no detector is named: set detector to a model's name; `canvas-edge models ls` lists them")
	}
	net, err := a.networks.get(ctx, detector)
	if err != nil {
		return err
	}
	_, images := source.(*capture.Images)
	a.add(lane{name: source.Name(), finite: finite, run: func(ctx context.Context) (int64, error) {
		l := a.newCameraLane(source.Name(), net, live, images)
		return l.run(ctx, source.Run)
	}})
	return nil
}

// framesLane lays one lane for all cameras that publish on the local broker; each gets a watch of
// its own when its first frame comes.
func (a *Agent) framesLane(ctx context.Context, source *capture.DeviceFrames) error {
	if a.config.Frames.Detector == "" {
		return fmt.Errorf("frames are enabled without a detector: set frames.detector")
	}
	net, err := a.networks.get(ctx, a.config.Frames.Detector)
	if err != nil {
		return err
	}
	a.add(lane{name: "frames", run: func(ctx context.Context) (int64, error) {
		ctx, stop := context.WithCancelCause(ctx)
		cameras := map[string]*cameraLane{}
		ended := make(chan struct{})
		defer func() {
			stop(nil)
			for range cameras {
				<-ended
			}
		}()
		return 0, source.Run(ctx, func(ctx context.Context, p capture.Picture) error {
			l := cameras[p.Stream]
			if l == nil {
				l = a.newCameraLane(p.Stream, net, true, false)
				cameras[p.Stream] = l
				go func() {
					if err := l.watch(ctx); err != nil && ctx.Err() == nil {
						a.log.Error("a camera's detection has ended", "camera", p.Stream, "problem", err)
						stop(err) // one that can't be watched holds up all that come over the same broker
					}
					ended <- struct{}{}
				}()
			}
			return l.take(ctx, p)
		})
	}})
	return nil
}

// cameraLane takes one stream's frames through screening and detection into the outbox.
type cameraLane struct {
	agent  *Agent
	name   string
	live   bool
	images bool
	screen *screen.Camera
	camera *detect.Camera
	frames chan detect.Frame

	hand    *telemetry.Hand
	count   int64
	pending time.Time // a whole frame is sent from then on
}

func (a *Agent) newCameraLane(name string, net *loaded, live, images bool) *cameraLane {
	c := a.config.Detect
	c.InFlight = max(c.InFlight, net.Layout().Sessions+2)
	if images {
		c.Tracks.Off, c.Alerts.Off = true, true // one has nothing to do with the next
	}
	var observer detect.Observer
	if a.local != nil {
		observer = a.local
	}
	m := detect.Model{Name: net.model.Name, Version: net.model.Version, Report: net.model.Output.Report}
	return &cameraLane{agent: a, name: name, live: live, images: images, hand: a.hands.New(name), screen: a.config.Screen.Camera(),
		camera: detect.NewCamera(name, c, guarded{net, a.attempts, name, live}, m, infer.EncodeJPEG, observer, a.log), frames: make(chan detect.Frame)}
}

// run takes a source's frames until it ends.
func (l *cameraLane) run(ctx context.Context, source func(context.Context, func(context.Context, capture.Picture) error) error) (int64, error) {
	ctx, stop := context.WithCancelCause(ctx)
	watched := make(chan error, 1)
	go func() {
		// It ends with the frames, not with ctx: what was seen up to a stop is still told.
		err := l.watch(context.WithoutCancel(ctx))
		stop(err) // frames have nowhere to go
		watched <- err
	}()
	err := source(ctx, l.take)
	close(l.frames)
	if detection := <-watched; detection != nil {
		err = detection
	}
	return l.count, err
}

// watch detects until the frames end.
func (l *cameraLane) watch(ctx context.Context) error { return l.camera.Run(ctx, l.frames, l.commit) }

// take screens a frame and hands it to detection.
func (l *cameraLane) take(ctx context.Context, p capture.Picture) error {
	defer l.hand.Work()()
	f := detect.Frame{Number: p.Frame, Name: p.Name, At: p.At, Image: p.Image, Last: p.Last, Release: p.Release, Done: p.Committed}
	if !p.Last {
		if v := l.screen.Judge(p.Image); !v.Keep {
			l.agent.screened(l.name, v.Reason)
			if p.Release != nil {
				p.Release()
			}
			return nil
		}
		l.count++
		if err := l.sendWhole(ctx, p); err != nil {
			return err
		}
	}
	select {
	case l.frames <- f:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.Last && p.Partial != "" {
		return fmt.Errorf("%s: %s", l.name, p.Partial)
	}
	return nil
}

// sendWhole commits a whole frame now and then, so that people can see what the camera sees.
func (l *cameraLane) sendWhole(ctx context.Context, p capture.Picture) error {
	every := l.agent.config.FrameEvery
	if every <= 0 || p.At.Before(l.pending) && !l.images {
		return nil
	}
	l.pending = p.At.Add(every)
	jpeg, err := infer.EncodeJPEG(p.Image, 85)
	if err != nil {
		return fmt.Errorf("frame %d of %s: %w", p.Frame, l.name, err)
	}
	return l.put(ctx, outbox.Draft{Kind: event.Frame, Stream: l.name, Subject: fmt.Sprintf("%s/frame-%d", l.name, p.Frame), Time: p.At,
		Priority: event.Low, Value: 0.2, Type: "image/jpeg", Data: jpeg})
}

// commit makes items of what was found.
func (l *cameraLane) commit(ctx context.Context, found []detect.Finding) error {
	drafts := make([]outbox.Draft, len(found))
	for i, f := range found {
		drafts[i] = outbox.Draft(f)
	}
	return l.put(ctx, drafts...)
}

// put commits drafts. A file waits while the outbox is full; a live camera does not, and there the
// least valuable is dropped instead, with an entry in the ledger.
func (l *cameraLane) put(ctx context.Context, drafts ...outbox.Draft) error {
	defer l.hand.Wait()()
	box := l.agent.box
	if !l.live {
		_, err := box.Commit(ctx, drafts...)
		return err
	}
	answers := make([]<-chan outbox.Answer, len(drafts))
	for i, d := range drafts {
		answers[i] = box.Submit(ctx, d)
	}
	for _, answer := range answers {
		if a := <-answer; a.Err != nil {
			if err := l.agent.shed(ctx, l.name, a.Err); err != nil {
				return err
			}
		}
	}
	return nil
}
