package edge

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/edge/power"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// look is a network that finds what a test says, when it says so.
type look func() []vision.Box

func (l look) Run(context.Context, []vision.Image) ([]vision.Output, error) {
	return []vision.Output{{Boxes: l()}}, nil
}

func nothing() []vision.Box { return nil }

func person() []vision.Box {
	return []vision.Box{{X: 10, Y: 10, W: 20, H: 40, Score: 0.9, Label: "person"}}
}

func jpegOf(vision.Image, int) ([]byte, error) { return []byte("jpeg"), nil }

// pipelineOf is a pipeline of the camera "gate" before that network.
func pipelineOf(a *Agent, b buffer, net detect.Network, t *fairShare, live bool, change func(*detect.Config)) *cameraPipeline {
	a.log = slog.New(slog.DiscardHandler)
	c := detect.DefaultConfig()
	if change != nil {
		change(&c)
	}
	parts := a.cameraParts()
	parts.buffer = b
	l := newCameraPipeline("gate", parts, screen.DefaultConfig().Camera(), t, c.InFlight)
	l.live = live
	l.camera = detect.NewCamera(l.name, c, sharedNetwork{net, l}, detect.Model{Name: "m"}, jpegOf, nil, a.log)
	if live {
		l.camera.HoldPictures(b.WaitsUnder)
	}
	a.requests.addSource(l.name)
	return l
}

func frame(n int64, at time.Time) capture.Picture {
	return capture.Picture{Stream: "gate", Frame: n, At: at, Image: vision.Image{W: 64, H: 64, Pix: make([]byte, 64*64*3)}}
}

// film emits so many frames, a tenth of a second apart, and ends.
func film(frames int, first time.Time) func(context.Context, func(context.Context, capture.Picture) error) error {
	return func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
		for n := range int64(frames) {
			if err := emit(ctx, frame(n, first.Add(time.Duration(n)*100*time.Millisecond))); err != nil {
				return err
			}
		}
		return emit(ctx, capture.Picture{Stream: "gate", Frame: int64(frames), At: first, Last: true})
	}
}

func TestALiveFrameThatWaitedTooLongMakesWayForANewerOne(t *testing.T) {
	defer goleak.VerifyNone(t)
	for name, c := range map[string]struct {
		live bool
		lag  time.Duration
		seen int64
	}{"a live camera": {true, time.Minute, 3}, "without a bound": {true, 0, 6}, "a file": {false, time.Minute, 6}} {
		a, seen := &Agent{config: Config{Overload: Overload{MaxLag: c.lag}}}, atomic.Int64{}
		l := pipelineOf(a, &fakeBuffer{}, look(func() []vision.Box { seen.Add(1); return nil }), newFairShare(1), c.live, nil)
		old, fresh := time.Now().Add(-time.Hour), time.Now()
		_, err := l.run(t.Context(), func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
			for n := range int64(6) {
				if err := emit(ctx, frame(n, []time.Time{old, fresh}[n%2])); err != nil {
					return err
				}
			}
			return emit(ctx, capture.Picture{Last: true, Frame: 6})
		})
		if err != nil || seen.Load() != c.seen {
			t.Errorf("%s: %v, %d frames were looked at, want %d", name, err, seen.Load(), c.seen)
		}
		left := int64(0)
		for _, s := range a.streams() {
			left += s.Skipped[skippedBehind]
		}
		if left != 6-c.seen || l.share.free != 1 || len(l.room) != 0 {
			t.Errorf("%s: %d were counted as left out; %d places in the network are free, %d places taken", name, left, l.share.free, len(l.room))
		}
	}
}

// TestASlowCameraIsNotCrowdedOutByAFastOne runs both before one slow network.
func TestASlowCameraIsNotCrowdedOutByAFastOne(t *testing.T) {
	defer goleak.VerifyNone(t)
	share := newFairShare(1)
	ctx, stop := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	var fast, slow atomic.Int64
	step := make(chan struct{})
	go func() {
		for range 40 {
			for waiting := 0; waiting < 2; runtime.Gosched() { // one has the turn, and both want the next
				share.mu.Lock()
				waiting = len(share.queue)
				share.mu.Unlock()
			}
			step <- struct{}{}
		}
		stop(enough)
		close(step)
	}()
	count := func(n *atomic.Int64) look {
		return func() []vision.Box { <-step; n.Add(1); return nil }
	}
	ended := make(chan struct{}, 2)
	for _, n := range []*atomic.Int64{&fast, &slow} {
		places := 8
		if n == &slow {
			places = 2
		}
		l := pipelineOf(&Agent{}, &fakeBuffer{}, count(n), share, false, func(c *detect.Config) { c.InFlight = places })
		go func() {
			l.run(ctx, film(1000, time.Now()))
			ended <- struct{}{}
		}()
	}
	<-ended
	<-ended
	if f, s := fast.Load(), slow.Load(); s < 18 || f < 18 {
		t.Errorf("the fast camera got %d frames in, the slow one %d", f, s)
	}
}

func TestHeatThinsOutLiveFramesEvenlyAndNeverAFile(t *testing.T) {
	for name, c := range map[string]struct {
		live bool
		want int64
	}{"live": {true, 5}, "file": {false, 20}} {
		config := power.DefaultConfig()
		config.Root = t.TempDir()
		config.Modes = []power.Mode{{Mode: 2, Share: 0.25}}
		writeFile(t, config.Root, "var/lib/nvpmodel/status", "pmode:0002\n")
		a := &Agent{power: power.New(config, slog.New(slog.DiscardHandler))}
		a.power.Read()
		l := pipelineOf(a, &fakeBuffer{}, look(nothing), newFairShare(2), c.live, nil)
		n, err := l.run(t.Context(), film(20, time.Now()))
		if err != nil || n != c.want {
			t.Errorf("%s: %d of 20 frames were looked at, want %d (%v)", name, n, c.want, err)
		}
		if streams := a.streams(); c.live && (len(streams) != 1 || streams[0].Skipped[skippedPower] != 15) {
			t.Errorf("%s: %+v", name, streams)
		}
	}
}

// TestATracksUpdateTakesBackTheOneBefore only for a live camera: a file is told as a whole.
func TestATracksUpdateTakesBackTheOneBefore(t *testing.T) {
	for _, live := range []bool{true, false} {
		buf := &fakeBuffer{}
		l := pipelineOf(&Agent{}, buf, look(person), newFairShare(2), live, func(c *detect.Config) { c.Tracks.Update = time.Second })
		if _, err := l.run(t.Context(), film(60, time.Now())); err != nil {
			t.Fatal(err)
		}
		var updates []string
		kinds := map[string]int{}
		for _, d := range buf.of(event.Track) {
			var e event.TrackEvent
			if err := json.Unmarshal(d.Data, &e); err != nil {
				t.Fatal(err)
			}
			if kinds[e.Type]++; e.Type == event.TrackUpdate {
				updates = append(updates, d.Key)
			}
		}
		if kinds[event.TrackNew] != 1 || kinds[event.TrackEnd] != 1 || len(updates) < 3 {
			t.Fatalf("live %v: %v", live, kinds)
		}
		if live && !slices.Equal(buf.withdrawn, updates) || !live && (len(buf.withdrawn) > 0 || updates[0] != "") {
			t.Errorf("live %v: updates %q, withdrawn %q", live, updates, buf.withdrawn)
		}
	}
}

func TestTheNewestWholeFrameTakesBackTheOneBefore(t *testing.T) {
	buf := &fakeBuffer{}
	a := &Agent{config: Config{FrameEvery: time.Second}}
	l := pipelineOf(a, buf, look(nothing), newFairShare(2), true, nil)
	if _, err := l.run(t.Context(), film(30, time.Now())); err != nil {
		t.Fatal(err)
	}
	frames := buf.of(event.Frame)
	if len(frames) != 3 || !slices.Equal(buf.withdrawn, []string{frames[0].Key, frames[1].Key}) {
		t.Errorf("%d frames, withdrawn %q", len(frames), buf.withdrawn)
	}
}

func TestAWholeFrameHasTheQualityThatIsSet(t *testing.T) {
	bytes := func(quality int) int {
		buf := &fakeBuffer{}
		a := &Agent{config: Config{FrameEvery: time.Second, LookQuality: quality}}
		l := pipelineOf(a, buf, look(nothing), newFairShare(2), true, nil)
		noisy := frame(0, time.Now())
		for i := range noisy.Image.Pix {
			noisy.Image.Pix[i] = byte(i * i >> 3)
		}
		d, err := l.whole(noisy)
		if err != nil {
			t.Fatal(err)
		}
		return len(d.Data)
	}
	if low, high := bytes(30), bytes(90); low >= high {
		t.Errorf("%d bytes at quality 30, %d at 90", low, high)
	}
}

// TestPicturesForASecondLookWaitForOneAnother holds a live camera up while its last picture waits for
// the link, and a file, which says all there is, not at all.
func TestPicturesForASecondLookWaitForOneAnother(t *testing.T) {
	doubtful := func() []vision.Box { return []vision.Box{{X: 10, Y: 10, W: 20, H: 40, Score: 0.5, Label: "person"}} }
	for name, c := range map[string]struct {
		live  bool
		waits []string
		want  int
	}{
		"the link takes them":   {true, nil, 3},
		"the first still waits": {true, []string{"look/gate/0/0"}, 1},
		"a file":                {false, []string{"look/gate/0/0"}, 3},
	} {
		buf := &fakeBuffer{waiting: c.waits}
		l := pipelineOf(&Agent{}, buf, look(doubtful), newFairShare(2), c.live, func(d *detect.Config) {
			d.Second.Pictures, d.Second.Every = 1e-9, time.Second
		})
		if _, err := l.run(t.Context(), film(30, time.Unix(0, 0))); err != nil {
			t.Fatal(err)
		}
		frames := buf.of(event.Frame)
		if len(frames) != c.want {
			t.Fatalf("%s: %d pictures, want %d", name, len(frames), c.want)
		}
		for i, f := range frames {
			if f.Attrs.Want != "detect" || f.Subject != fmt.Sprintf("gate/frame-%d", 10*i) || (f.Key != "") != c.live {
				t.Errorf("%s: %+v", name, f.Subject)
			}
		}
	}
}

func TestARequestedFrameComesAlsoFromAStillCameraAndIsNotTakenBack(t *testing.T) {
	buf := &fakeBuffer{}
	a := &Agent{config: Config{FrameEvery: time.Second}}
	l := pipelineOf(a, buf, look(nothing), newFairShare(2), true, nil)
	l.screen = screen.Config{Cameras: screen.CameraConfig{Motion: 0.5}}.Camera()
	first := time.Now()
	_, err := l.run(t.Context(), func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
		for n := range int64(4) {
			if n == 2 && !a.requests.add("gate", "query/a/frame", first) {
				t.Error("the camera is not known")
			}
			if err := emit(ctx, frame(n, first)); err != nil {
				return err
			}
		}
		return emit(ctx, capture.Picture{Last: true, Frame: 4})
	})
	frames := buf.of(event.Frame)
	if err != nil || len(frames) != 2 || frames[1].Key != "query/a/frame" || frames[1].Priority != event.High || frames[1].Subject != "gate/frame-2" || len(buf.withdrawn) != 0 {
		t.Errorf("%v: %d frames, withdrawn %q", err, len(frames), buf.withdrawn)
	}
	if s := a.streams(); len(s) != 1 || s[0].Skipped[screen.Unchanged] != 3 {
		t.Errorf("%+v", s)
	}
}

func TestEachPublishedPictureIsDoneWithOnce(t *testing.T) {
	config := power.DefaultConfig()
	config.Root = t.TempDir()
	config.Modes = []power.Mode{{Mode: 2, Share: 0.25}}
	writeFile(t, config.Root, "var/lib/nvpmodel/status", "pmode:0002\n")
	a := &Agent{power: power.New(config, slog.New(slog.DiscardHandler))}
	a.power.Read()
	buf := &fakeBuffer{}
	l := pipelineOf(a, buf, look(person), newFairShare(2), true, nil)
	var done [20]atomic.Int64
	_, err := l.run(t.Context(), func(ctx context.Context, emit func(context.Context, capture.Picture) error) error {
		for n := range int64(len(done)) {
			p := frame(n, time.Now())
			p.Committed = func() { done[n].Add(1) }
			if err := emit(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range done {
		if times := done[n].Load(); times != 1 {
			t.Errorf("picture %d is done with %d times", n, times)
		}
	}
}

func TestAnInboxHoldsTheNewestPicture(t *testing.T) {
	defer goleak.VerifyNone(t)
	var left []int64
	released, done := 0, 0
	buf := newInbox(func(p capture.Picture) { left = append(left, p.Frame) })
	for n := range int64(4) {
		p := frame(n, time.Now())
		p.Release = func() { released++ }
		p.Committed = func() { done++ }
		buf.put(p)
	}
	enough := errors.New("enough")
	var got []int64
	err := buf.run(t.Context(), func(_ context.Context, p capture.Picture) error {
		got = append(got, p.Frame)
		return enough
	})
	if !errors.Is(err, enough) || !slices.Equal(got, []int64{3}) || !slices.Equal(left, []int64{0, 1, 2}) || released != 3 || done != 3 {
		t.Errorf("%v: got %v, left %v, %d released, %d done with", err, got, left, released, done)
	}
	over, stop := context.WithCancel(t.Context())
	stop()
	if err := buf.run(over, nil); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestStreamsAreShownWithWhatTheyLeftOut(t *testing.T) {
	a := &Agent{}
	a.states.skip("yard", skippedBehind)
	a.states.skip("yard", skippedBehind)
	a.states.skip("gate", screen.Unchanged)
	a.states.setLag("gate", 1500*time.Millisecond)
	a.states.addCrossings("gate", func() []detect.Crossed {
		return []detect.Crossed{{Line: "door", Direction: event.LeftToRight, Label: "person", Count: 3}}
	})
	a.states.addCrossings("yard", func() []detect.Crossed { return nil })
	data, err := json.Marshal(a.streams())
	want := `[{"name":"gate","left_out":{"unchanged":1},"lag":1.5,"crossings":[{"line":"door","direction":"left_to_right","label":"person","count":3}]},{"name":"yard","left_out":{"behind":2},"lag":0}]`
	if err != nil || strings.TrimSpace(string(data)) != want {
		t.Errorf("%s %v", data, err)
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(streamMetrics{a})
	families, err := registry.Gather()
	var told []string
	for _, f := range families {
		told = append(told, fmt.Sprintf("%s %d", f.GetName(), len(f.GetMetric())))
	}
	if got := strings.Join(told, ", "); err != nil || got != "canvas_edge_frame_lag_seconds 2, canvas_edge_left_out_frames_total 2, canvas_edge_line_crossings_total 1" {
		t.Errorf("%s %v", got, err)
	}
}
