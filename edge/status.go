package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// Why frames were left out, besides what screening says of them.
const (
	skippedBehind = "behind" // the network could not keep up, and a newer one took its place
	skippedPower  = "power"  // heat or the power mode allow fewer frames
)

// streamStates are what became of the frames of each stream, as status displays ask for it.
type streamStates struct {
	mu      sync.Mutex
	skipped map[string]map[string]int64 // frames by stream and reason
	lag     map[string]time.Duration    // between taking and looking, of the newest frame

	crossings map[string]func() []detect.Crossed // of lines, by camera
}

// stream is how one stream fares.
type stream struct {
	Name    string           `json:"name"`
	Skipped map[string]int64 `json:"left_out"` // frames by reason, before they could become items
	Lag     float64          `json:"lag"`      // seconds from the lens to the network, of live streams

	Crossings []detect.Crossed `json:"crossings,omitempty"` // of lines, since the agent began
}

// skip counts a frame that was left out, by its reason.
func (s *streamStates) skip(stream, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.skipped == nil {
		s.skipped = map[string]map[string]int64{}
	}
	if s.skipped[stream] == nil {
		s.skipped[stream] = map[string]int64{}
	}
	s.skipped[stream][reason]++
}

// setLag takes how old a live frame was when the network got it.
func (s *streamStates) setLag(stream string, lag time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lag == nil {
		s.lag = map[string]time.Duration{}
	}
	s.lag[stream] = lag
}

// addCrossings takes what counts how often a camera's lines were crossed.
func (s *streamStates) addCrossings(camera string, crossings func() []detect.Crossed) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.crossings == nil {
		s.crossings = map[string]func() []detect.Crossed{}
	}
	s.crossings[camera] = crossings
}

// streams are all streams of which something is known, by name. What a camera's decoder gave up for
// a busy pipeline counts with what was left behind later.
func (a *Agent) streams() []stream {
	byName := map[string]*stream{}
	of := func(name string) *stream {
		if byName[name] == nil {
			byName[name] = &stream{Name: name, Skipped: map[string]int64{}}
		}
		return byName[name]
	}
	for _, c := range a.cameraStates() {
		if c.Dropped > 0 {
			of(c.Name).Skipped[skippedBehind] += c.Dropped
		}
	}
	a.states.mu.Lock()
	defer a.states.mu.Unlock()
	for name, reasons := range a.states.skipped {
		for reason, n := range reasons {
			of(name).Skipped[reason] += n
		}
	}
	for name, lag := range a.states.lag {
		of(name).Lag = lag.Seconds()
	}
	for name, counted := range a.states.crossings {
		if crossed := counted(); len(crossed) > 0 {
			of(name).Crossings = crossed
		}
	}
	all := make([]stream, 0, len(byName))
	for _, name := range slices.Sorted(maps.Keys(byName)) {
		all = append(all, *byName[name])
	}
	return all
}

// cameraStates are the videos and cameras as they stand now.
func (a *Agent) cameraStates() []capture.State {
	all := make([]capture.State, len(a.videos))
	for i, v := range a.videos {
		all[i] = v.State()
	}
	slices.SortFunc(all, func(x, y capture.State) int { return strings.Compare(x.Name, y.Name) })
	return all
}

// cameras are the detections of live cameras, and the news of these.
type cameras struct {
	news chan struct{}

	mu        sync.Mutex
	detection map[string]*detect.Camera // by camera
}

func (c *cameras) add(name string, camera *detect.Camera) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.detection == nil {
		c.detection = map[string]*detect.Camera{}
	}
	c.detection[name] = camera
}

// watchCamera is called with each change of a camera's state: its detection must know when no pictures come,
// and the device's broker and the cloud get the state. Files come to an end by themselves, and have none.
func (a *Agent) watchCamera(s capture.State) {
	a.cameras.mu.Lock()
	camera := a.cameras.detection[s.Name]
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

// Between two reports to the cloud on cameras: a moment, and four times what the last one took, so that a
// camera that comes and goes never fills a thin link.
const newsEvery, newsShare = 2 * time.Second, 4

// reportCameras tells the cloud when a camera is lost or back. Outside a contact window nothing is sent.
func (a *Agent) reportCameras(ctx context.Context) {
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
			a.log.Debug("the cameras' states could not be sent to the cloud; the agent tries again", telemetry.Err, err)
			select {
			case a.cameras.news <- struct{}{}:
			default:
			}
		}
	}
}

// statsNext is how many of the items that go next canvas/stats names.
const statsNext = 5

// stats is what canvas/stats says.
func (a *Agent) stats() any {
	messages := map[string]capture.DeviceCounts{}
	for name, count := range a.messages {
		messages[name] = count()
	}
	dropped, forgotten := int64(0), int64(0)
	if a.local != nil && a.local.drops != nil {
		dropped, forgotten = a.local.drops.all.Load(), a.local.sessions.forgotten.Load()
	}
	return map[string]any{"edge": a.config.Edge, "version": a.parts.Version, "outbox": a.outbox.Stats(), "epochs": a.outbox.Epochs(), "troubles": a.outbox.Troubles(), "uplink": a.uplink.Next(statsNext),
		"quarantined": a.Quarantined(), "shed": a.shedding.count.Load(), "cameras": a.cameraStates(), "streams": a.streams(), "messages": messages, "models": a.networkCounts(), "broker_dropped": dropped, "sessions_forgotten": forgotten, "power": a.power.State(),
		"connections": a.connections()}
}

// connection is how the agent and one broker fare.
type connection struct {
	Problem string `json:"problem"` // why it does not hold; empty: nothing is known against it
}

// connections are those to brokers: cloud, and on the device local, readings and frames.
func (a *Agent) connections() map[string]connection {
	all := map[string]connection{"cloud": {a.link.Problem()}}
	if a.local == nil {
		return all
	}
	for name, client := range map[string]*mqtt.Client{"local": a.local.client, "readings": a.local.readings, "frames": a.local.frames} {
		if client != nil {
			all[name] = connection{client.Problem()}
		}
	}
	return all
}
