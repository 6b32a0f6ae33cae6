package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// cameras are those that look at live cameras, and the news of these.
type cameras struct {
	news chan struct{}

	mu    sync.Mutex
	watch map[string]*detect.Camera
}

func (c *cameras) watches(name string, camera *detect.Camera) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.watch == nil {
		c.watch = map[string]*detect.Camera{}
	}
	c.watch[name] = camera
}

// watchCamera hears how a camera is: whoever looks at its pictures must know when none come, and the
// device's broker and the cloud are told. Files come to an end by themselves, and have none that looks here.
func (a *Agent) watchCamera(s capture.State) {
	a.cameras.mu.Lock()
	camera := a.cameras.watch[s.Name]
	a.cameras.mu.Unlock()
	if camera == nil {
		return
	}
	if s.Phase == capture.Stalled || s.Phase == capture.Down {
		camera.Lost(s.LastFrame)
	} else {
		camera.Found()
	}
	if a.local != nil {
		if state, err := json.Marshal(cameraState(s)); err == nil {
			a.local.CameraIs(s.Name, state)
		}
	}
	select {
	case a.cameras.news <- struct{}{}:
	default:
	}
}

func cameraState(s capture.State) event.CameraState {
	return event.CameraState{Name: s.Name, Phase: string(s.Phase), Since: s.Since.UTC(), LastFrame: s.LastFrame.UTC(), Width: s.Width, Height: s.Height,
		Problem: visible.Short(s.Problem, event.MaxCameraProblem), NextTry: s.NextTry.UTC()}
}

// liveCameras are what the status says of cameras. Where there are more than it holds, those that are up
// are left out first.
func (a *Agent) liveCameras() []event.CameraState {
	var all []event.CameraState
	for _, v := range a.videos {
		if v.Live() {
			all = append(all, cameraState(v.State()))
		}
	}
	healthy := func(s event.CameraState) int {
		if s.Phase == string(capture.Up) {
			return 1
		}
		return 0
	}
	slices.SortFunc(all, func(x, y event.CameraState) int {
		return cmp.Or(healthy(x)-healthy(y), cmp.Compare(x.Name, y.Name))
	})
	return all[:min(len(all), event.MaxCameras)]
}

// Between two words to the cloud on cameras: a moment, and four times what the last one took, so that a
// camera that comes and goes never fills a thin link.
const newsEvery, newsShare = 2 * time.Second, 4

// tellCameras tells the cloud when a camera is lost or back. Outside a contact window nothing is told.
func (a *Agent) tellCameras(ctx context.Context) {
	pause := func(d time.Duration) {
		select {
		case <-time.After(d):
		case <-ctx.Done():
		}
	}
	for ctx.Err() == nil {
		select {
		case <-a.cameras.news:
		case <-ctx.Done():
			return
		}
		for a.uplink.Next(0).Hold == schedule.Closed && ctx.Err() == nil {
			pause(newsEvery)
		}
		began := time.Now()
		err := a.link.Announce(ctx)
		pause(newsEvery + newsShare*time.Since(began))
		if err != nil && ctx.Err() == nil {
			a.log.Debug("the cameras' states are not told", telemetry.Err, err)
			select {
			case a.cameras.news <- struct{}{}:
			default:
			}
		}
	}
}
