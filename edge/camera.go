package edge

import (
	"context"
	"fmt"

	"cloudcanvas/edge/capture"
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
	video, _ := source.(*capture.Video)
	a.add(lane{name: source.Name(), finite: finite, run: func(ctx context.Context) (int64, error) {
		l := a.newCameraLane(source.Name(), net, live, images)
		if video != nil && live {
			a.cameras.watches(video.Name(), l.camera)
			a.watchCamera(video.State())
		}
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
		cameras := map[string]*inbox{}
		ended := make(chan struct{})
		defer func() {
			stop(nil)
			for range cameras {
				<-ended
			}
		}()
		return 0, source.Run(ctx, func(ctx context.Context, p capture.Picture) error {
			camera := cameras[p.Stream]
			if camera == nil {
				camera = newInbox(func(old capture.Picture) { a.left(old.Stream, leftBehind) })
				cameras[p.Stream] = camera
				l := a.newCameraLane(p.Stream, net, true, false)
				go func() {
					if _, err := l.run(ctx, camera.run); err != nil && ctx.Err() == nil {
						a.log.Error("a camera's detection has ended", "camera", p.Stream, telemetry.Err, err)
						stop(err) // a network that fails for one camera fails for all of them
					}
					ended <- struct{}{}
				}()
			}
			camera.put(p)
			return nil
		})
	}})
	return nil
}
