package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/uplink"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

const (
	reportPatience = 5 * time.Second // a backlog of a million rows is counted in less
	settling       = 3 * time.Second // after a connection, until its rate and the receipts say something
)

// LinkReport is how the outbox and the link are, for people.
func (a *Agent) LinkReport(ctx context.Context) (event.LinkReport, error) {
	ctx, cancel := context.WithTimeout(ctx, reportPatience)
	defer cancel()
	ladder, err := a.outbox.Ladder(ctx)
	if err != nil {
		return event.LinkReport{}, err
	}
	view, stats := a.uplink.Next(event.MaxNext), a.outbox.Stats()
	r := event.LinkReport{Time: time.Now().UTC(), Committed: stats.Committed, Received: stats.Received, Waiting: stats.Waiting, Dropped: stats.Dropped,
		Bytes: stats.Bytes, Oldest: stats.Oldest.UTC(), Ladder: ladder, Hold: holdOf(view, a.link.Problem()), Open: view.Open, BytesPerSecond: view.BytesPerSecond,
		Past: windowsOf(view.Past), Coming: windowsOf(view.Coming), Next: []event.NextItem{}, Networks: a.networkCounts()}
	if l := view.Limit; l != nil {
		r.Limit, r.Held = l.Reason, l.Held
	}
	if stats.Waiting == 0 {
		r.Oldest = time.Time{}
	}
	for _, c := range view.Next {
		n := event.NextItem{Priority: c.Priority, Rung: c.Rung, Bytes: c.Bytes, Sent: c.Sent, Parts: c.Parts, Why: string(c.Why)}
		n.Epoch, n.Seq = a.outbox.Place(c.Seq)
		if n.Kind, n.Stream, n.Subject, err = a.outbox.About(ctx, c.Seq); err == nil {
			r.Next = append(r.Next, n) // else the cloud has it by now
		}
	}
	return r.Bounded(), ctx.Err()
}

// brokerName is a broker's host and port, for people.
func brokerName(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// holdOf is why nothing goes; problem is why the connection does not hold. An uplink without a
// connection has not asked its schedule.
func holdOf(v uplink.View, problem string) string {
	if !v.Connected && problem == "" {
		return "no connection"
	}
	if problem != "" {
		return "no connection that holds: " + problem
	}
	if v.Silent {
		return "the broker acknowledges what is sent, but no receipt comes"
	}
	return string(v.Hold)
}

func windowsOf(all []contact.Window) []event.ContactWindow {
	out := make([]event.ContactWindow, len(all))
	for i, w := range all {
		out[i] = event.ContactWindow{From: w.From.UTC(), To: w.To.UTC(), BytesPerSecond: w.BytesPerSecond}
	}
	return out
}

// reportLink sends the link's state with the edge's status: soon after each connection, and then now
// and then, where there is something new. Outside a contact window nothing is sent.
func (a *Agent) reportLink(ctx context.Context) {
	every := a.config.Uplink.ReportEvery
	if every == 0 {
		return
	}
	wait := time.NewTimer(settling)
	defer wait.Stop()
	var reported event.LinkReport
	var connection <-chan struct{} // on which it was reported
	for {
		up := a.link.Up()
		select {
		case <-up:
		case <-ctx.Done():
			return
		}
		select {
		case <-wait.C:
		case <-ctx.Done():
			return
		}
		r, err := a.LinkReport(ctx)
		if err == nil && r.Hold != string(schedule.Closed) && (up != connection || !same(r, reported)) {
			err = a.link.Report(ctx, r)
		}
		if err == nil {
			reported, connection = r, up
		} else if ctx.Err() == nil {
			a.log.Debug("the link's state could not be sent to the cloud; the agent tries again", telemetry.Err, err)
		}
		wait.Reset(every)
	}
}

// same says whether a report says nothing new. What a window carries and how fast the link is now
// are worth nothing without items.
func same(a, b event.LinkReport) bool {
	return a.Committed == b.Committed && a.Received == b.Received && a.Waiting == b.Waiting && a.Dropped == b.Dropped && a.Hold == b.Hold && a.Limit == b.Limit && a.Held == b.Held &&
		slices.Equal(a.Coming, b.Coming) && slices.EqualFunc(a.Networks, b.Networks, event.NetworkCounts.SameFaults)
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

// reportTroubles tells the cloud at once when something is wrong with the buffer, or no longer is, or it begins
// another epoch.
func (a *Agent) reportTroubles(ctx context.Context) {
	for {
		select {
		case <-a.outbox.Changed():
			a.link.Announce(ctx)
		case <-ctx.Done():
			return
		}
	}
}
