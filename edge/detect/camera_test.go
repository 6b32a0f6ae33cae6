package detect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// network finds what it is told to, in its own time. The frame's number is in its first pixels.
type network func(frame int) ([]vision.Box, error)

func (n network) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	boxes, err := n(int(in[0].Pix[0]) + 256*int(in[0].Pix[1]))
	return []vision.Output{{Boxes: boxes}}, err
}

func picture(n int64, w int) Frame {
	im := vision.Image{W: w, H: 100, Pix: make([]byte, w*100*3)}
	im.Pix[0], im.Pix[1] = byte(n), byte(n>>8)
	return Frame{Number: n, At: at(n), Image: im}
}

func walker(n int) ([]vision.Box, error) {
	return []vision.Box{person(float32(n%80), 20, 0.9), person(50, 20, 0.06)}, nil
}

// watch runs a camera over so many frames and Last.
func watch(t *testing.T, c Config, net Network, n int64, each func(*Frame)) (*Camera, []Draft) {
	t.Helper()
	encode := func(im vision.Image, quality int) ([]byte, error) { return []byte("jpeg"), nil }
	camera := NewCamera("gate", c, net, Model{Name: "m", Version: "1"}, encode, nil, quiet)
	frames := make(chan Frame)
	go func() {
		defer close(frames)
		for i := range n {
			f := picture(i, 100)
			if each != nil {
				each(&f)
			}
			frames <- f
		}
		frames <- Frame{Number: n, At: at(n), Last: true}
	}()
	var found []Draft
	err := camera.Run(t.Context(), frames, func(_ context.Context, f []Draft) error {
		found = append(found, f...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return camera, found
}

func of(kind event.Kind, found []Draft) (some []Draft) {
	for _, f := range found {
		if f.Kind == kind {
			some = append(some, f)
		}
	}
	return some
}

func detections(t *testing.T, f Draft) event.Detections {
	t.Helper()
	d, err := event.ParseDetections(event.Item{Kind: f.Kind, Data: f.Data})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestFramesComeBackInTheirOrderHoweverLongEachTakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var together, most atomic.Int64
		net := network(func(n int) ([]vision.Box, error) {
			most.Store(max(most.Load(), together.Add(1)))
			time.Sleep(time.Duration(rand.IntN(20)) * time.Millisecond)
			together.Add(-1)
			return walker(n)
		})
		camera, found := watch(t, Config{InFlight: 5}, net, 200, nil)
		next := 0
		for _, f := range of(event.Result, found) {
			for _, frame := range detections(t, f).Frames {
				if frame.Frame != next || len(frame.Boxes) != 2 || frame.Boxes[0].BBox[0] != float32(next%80) {
					t.Fatalf("frame %d where %d should be: %+v", frame.Frame, next, frame)
				}
				next++
			}
		}
		if next != 200 || most.Load() != 5 {
			t.Errorf("%d frames, at most %d at once", next, most.Load())
		}
		if s := camera.Stats(); s.Frames != 200 || s.Detections != 400 || s.Failed != 0 {
			t.Errorf("%+v", s)
		}
	})
}

func TestAVideoGivesBatchesTracksOneAlertAndAPictureOfEachObject(t *testing.T) {
	_, found := watch(t, Config{}, network(walker), 130, nil)
	results := of(event.Result, found)
	if len(results) != 3 {
		t.Fatalf("%d batches, want 64 + 64 + 2 frames", len(results))
	}
	last := detections(t, results[2])
	if first := detections(t, results[0]); first.First != 0 || first.Last != 63 || first.End || first.Model != "m" || first.Width != 100 {
		t.Errorf("first batch %+v", first)
	}
	if last.First != 128 || last.Last != 129 || !last.End || last.Total != 130 || last.Frames[0].Boxes[0].CategoryID != 1 {
		t.Errorf("last batch %+v", last)
	}
	// It walks out at 80 and begins anew.
	tracks, ends := of(event.Track, found), 0
	for _, f := range tracks {
		e, err := event.ParseTrack(event.Item{Kind: f.Kind, Data: f.Data})
		if err != nil || f.Priority != event.High || f.Subject != "gate/"+e.After.ID {
			t.Errorf("%+v, %v", f, err)
		}
		if e.Type == event.TrackEnd {
			ends++
		}
	}
	if pictures := of(event.Crop, found); ends != 2 || len(pictures) != 2 || string(pictures[0].Data) != "jpeg" || pictures[0].Priority != event.Normal {
		t.Errorf("%d ends, %d pictures", ends, len(pictures))
	}
	alerts := of(event.Alert, found)
	if len(alerts) != 1 || alerts[0].Priority != event.Urgent || !strings.Contains(string(alerts[0].Data), `"label":"person"`) {
		t.Errorf("alerts %+v", alerts)
	}
}

func TestAnEmptyVideoStillEnds(t *testing.T) {
	_, found := watch(t, Config{}, network(walker), 0, nil)
	if len(found) != 1 {
		t.Fatalf("%d drafts", len(found))
	}
	if d := detections(t, found[0]); !d.End || d.Total != 0 || len(d.Frames) != 0 || d.First != 0 || d.Last != -1 {
		t.Errorf("%+v", d)
	}
}

func TestFramesWithoutObjectsAreToldAsEmptyLists(t *testing.T) {
	_, found := watch(t, Config{}, network(func(int) ([]vision.Box, error) { return nil, nil }), 3, nil)
	if data := string(found[0].Data); strings.Contains(data, "null") || strings.Count(data, `"boxes":[]`) != 3 {
		t.Errorf("%s", data)
	}
}

func TestImagesOfAnotherSizeBeginAnotherBatch(t *testing.T) {
	_, found := watch(t, Config{Tracks: TrackConfig{Off: true}}, network(walker), 6, func(f *Frame) {
		f.Name = "a.jpg"
		if f.Number >= 4 {
			f.Image.W, f.Image.H = 50, 200
		}
	})
	if len(found) != 2 {
		t.Fatalf("%d drafts, want two batches alone", len(found))
	}
	if a, b := detections(t, found[0]), detections(t, found[1]); a.Width != 100 || len(a.Frames) != 4 || b.Width != 50 || len(b.Frames) != 2 || b.Frames[0].Name != "a.jpg" {
		t.Errorf("%+v\n%+v", a, b)
	}
}

func TestDoneComesOnceEverythingIsHandedOverAndPixelsAreReleased(t *testing.T) {
	var released, done atomic.Int64
	var handed int64
	camera := NewCamera("gate", Config{}, network(walker), Model{}, nil, nil, quiet)
	frames := make(chan Frame, 201)
	for i := range int64(200) {
		f := picture(i, 100)
		f.Release = func() { released.Add(1) }
		f.Done = func() {
			if n := done.Add(1); n != i+1 {
				t.Errorf("done with %d as number %d", i, n)
			}
		}
		frames <- f
	}
	frames <- Frame{Last: true, Number: 200, Done: func() { handed = done.Load() }}
	results := 0
	err := camera.Run(t.Context(), frames, func(_ context.Context, found []Draft) error {
		results += len(of(event.Result, found))
		return nil
	})
	if err != nil || released.Load() != 200 || handed != 200 || results != 4 {
		t.Errorf("%v: %d released, %d done before the last, %d results", err, released.Load(), handed, results)
	}
}

func TestABatchOfASlowCameraDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		camera := NewCamera("gate", Config{}, network(walker), Model{}, nil, nil, quiet)
		frames := make(chan Frame)
		began := time.Now()
		var came []time.Duration
		go func() {
			frames <- picture(0, 100)
			time.Sleep(time.Minute)
			close(frames)
		}()
		err := camera.Run(t.Context(), frames, func(context.Context, []Draft) error {
			came = append(came, time.Since(began))
			return nil
		})
		if err != nil || len(came) != 1 || came[0] > 5*time.Second {
			t.Errorf("%v, after %v", err, came)
		}
	})
}

func TestAFrameThatCannotBeLookedAtIsCountedAndTheRestGoesOn(t *testing.T) {
	camera, found := watch(t, Config{}, network(func(n int) ([]vision.Box, error) {
		if n == 5 {
			return nil, errors.New("wrong kind of image")
		}
		return []vision.Box{person(float32(math.NaN()), 1, 1), person(1, 1, 0.9)}, nil
	}), 10, nil)
	if s := camera.Stats(); s.Failed != 1 || s.Frames != 9 || s.Detections != 9 {
		t.Errorf("%+v", s)
	}
	if d := detections(t, of(event.Result, found)[0]); len(d.Frames) != 10 {
		t.Errorf("%d frames", len(d.Frames))
	}
}

func TestWhatEndsTheRunIsItsError(t *testing.T) {
	broken, full := errors.New("broken"), errors.New("full")
	for _, c := range []struct {
		net  Network
		out  error
		want error
	}{
		{network(func(int) ([]vision.Box, error) { return nil, broken }), nil, broken},
		{network(walker), full, full},
		{network(walker), nil, context.Canceled},
	} {
		ctx, cancel := context.WithCancel(t.Context())
		frames := make(chan Frame)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			for i := int64(0); ; i++ {
				if i == 500 {
					cancel()
				}
				select {
				case frames <- picture(i, 100):
				case <-ctx.Done():
					return
				}
			}
		}()
		err := NewCamera("gate", Config{}, c.net, Model{Name: "m"}, nil, nil, quiet).Run(ctx, frames, func(context.Context, []Draft) error { return c.out })
		if !errors.Is(err, c.want) {
			t.Errorf("error %v, want %v", err, c.want)
		}
		cancel()
		<-sent
	}
}

// hears counts what an observer is told.
type hears struct {
	events, pictures int
	counts           []int
	inZones          []string
}

func (h *hears) Tracked(event.TrackEvent)   { h.events++ }
func (h *hears) Counted(_, _ string, n int) { h.counts = append(h.counts, n) }
func (h *hears) CountedIn(camera, zone, label string, n int) {
	h.inZones = append(h.inZones, fmt.Sprintf("%s/%s/%s %d", camera, zone, label, n))
}
func (h *hears) Pictured(_, _ string, jpeg []byte) { h.pictures++ }

func TestCountsAreToldWhenTheyChange(t *testing.T) {
	var h hears
	encode := func(vision.Image, int) ([]byte, error) { return []byte{1}, nil }
	places := Places{Zones: []Zone{{Name: "right half", Polygon: []Point{{0.5, 0}, {1, 0}, {1, 1}, {0.5, 1}}}}}
	camera := NewCamera("gate", Config{Places: places}, network(walker), Model{}, encode, &h, quiet)
	frames := make(chan Frame, 51)
	for i := range int64(50) {
		frames <- picture(i, 100)
	}
	frames <- Frame{Last: true}
	if err := camera.Run(t.Context(), frames, func(context.Context, []Draft) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if len(h.counts) != 2 || h.counts[0] != 1 || h.counts[1] != 0 || h.events != 3 || h.pictures != 2 ||
		strings.Join(h.inZones, ", ") != "gate/right half/person 1, gate/right half/person 0" {
		t.Errorf("%+v", h)
	}
}

func TestACameraThatIsLostHasNobodyInItsPicture(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hears{}
		stands := func(int) ([]vision.Box, error) { return []vision.Box{person(20, 20, 0.9)}, nil }
		camera := NewCamera("gate", Config{}, network(stands), Model{}, nil, h, quiet)
		frames := make(chan Frame)
		go func() {
			defer close(frames)
			next := int64(0)
			shows := func() time.Time {
				for range 10 {
					frames <- picture(next, 100)
					next++
				}
				synctest.Wait()
				return time.Now()
			}
			camera.Lost(shows())
			time.Sleep(3 * time.Second)
			camera.Found()
			at := shows()
			time.Sleep(time.Minute) // nothing moves, so nothing is looked at
			synctest.Wait()
			if !slices.Equal(h.counts, []int{1}) {
				t.Errorf("counts %v after a short gap and a long rest", h.counts)
			}
			camera.Lost(at)
			time.Sleep(10 * time.Second)
			synctest.Wait()
			if !slices.Equal(h.counts, []int{1, 0}) {
				t.Errorf("counts %v of a camera that is lost", h.counts)
			}
			camera.Found()
			shows()
			if !slices.Equal(h.counts, []int{1, 0, 1}) {
				t.Errorf("counts %v of a camera that is back", h.counts)
			}
		}()
		ends := 0
		err := camera.Run(t.Context(), frames, func(_ context.Context, found []Draft) error {
			for _, f := range of(event.Track, found) {
				if strings.Contains(string(f.Data), `"end"`) {
					ends++
				}
			}
			return nil
		})
		if err != nil || ends != 2 {
			t.Errorf("%v, %d tracks have ended", err, ends)
		}
	})
}

func TestConfigurationMistakesAreAllNamed(t *testing.T) {
	c := DefaultConfig()
	c.InFlight, c.Tracks.MinScore, c.Batch.Frames, c.Snapshot.Quality, c.Alerts.Quiet = 1000, 30, 100, -1, -time.Second
	var fields []string
	c.Problems(func(field, _, hint string) { fields = append(fields, field) })
	if got := strings.Join(fields, " "); got != "in_flight tracks.min_score alerts.quiet batch.frames snapshot.quality" {
		t.Errorf("%s", got)
	}
	DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("default %s: %s", field, message) })
}

func FuzzDetectionsJSON(f *testing.F) {
	f.Add("person", float32(1.5), float32(0.3), uint8(3))
	f.Fuzz(func(t *testing.T, label string, x, score float32, n uint8) {
		b := newBatch("gate", Model{}, BatchConfig{Frames: 64}, Places{})
		boxes := []vision.Box{{X: x, Score: score, Label: label}}
		if !finite(x, score) {
			return
		}
		for i := range int64(n % 64) {
			b.add(Frame{Number: i, Image: vision.Image{W: 1, H: 1}}, boxes, nil, noon)
		}
		data, err := b.end(int64(n))
		if err != nil || !json.Valid(data) {
			t.Errorf("%v: %s", err, data)
		}
	})
}
