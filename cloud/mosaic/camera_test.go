package mosaic

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// batch is frames first to last of camera yard, one person in each and a dog in every third.
func batch(t testing.TB, n, first, last, total int) event.Item {
	d := event.Detections{Camera: "yard", Model: "yolox_nano", ModelVersion: "1", Width: 768, Height: 576, First: first, Last: last, Frames: []event.FrameDetection{},
		Zones: []event.Outline{{Name: "drive", Points: [][2]float64{{0, 0.5}, {1, 0.5}, {0.25, 1}}}}, Lines: []event.Outline{{Name: "door", Points: [][2]float64{{0.5, 0}, {0.5, 1}}}}}
	for f := first; f <= last; f++ {
		boxes := []event.Box{{Label: "person", CategoryID: 1, BBox: [4]float32{10, 20, 30.5, 40}, Score: 0.9}}
		if f%3 == 0 {
			boxes = append(boxes, event.Box{Label: "dog", CategoryID: 18, BBox: [4]float32{1, 2, 3, 4}, Score: 0.06})
		}
		d.Frames = append(d.Frames, event.FrameDetection{Frame: f, Time: noon.Add(time.Duration(f) * 100 * time.Millisecond), Boxes: boxes})
	}
	if total > 0 {
		d.End, d.Total = true, total
	}
	return cameraItem(t, n, event.Result, "yard", d)
}

func cameraItem(t testing.TB, n int, kind event.Kind, subject string, v any) event.Item {
	data, ok := v.([]byte)
	if !ok {
		var err error
		if data, err = json.Marshal(v); err != nil {
			t.Fatal(err)
		}
	}
	i := itemOf(n, kind, subject, "application/json", data, event.Attrs{})
	i.Stream = "yard"
	return i
}

func cameraItems(t testing.TB) []event.Item {
	items := []event.Item{batch(t, 1, 0, 63, 0), batch(t, 2, 64, 127, 0), batch(t, 3, 128, 149, 150)}
	for n, kind := range []string{event.TrackNew, event.TrackUpdate, event.TrackEnd} {
		items = append(items, cameraItem(t, 10+n, event.Track, "yard/t1", event.TrackEvent{Type: kind, After: &event.TrackState{ID: "t1", Camera: "yard", Label: "person", Frame: n * 10}}))
	}
	snap := cameraItem(t, 20, event.Frame, "yard/frame-30", []byte("JPEG"))
	snap.Time, snap.Type = noon.Add(3*time.Second), "image/jpeg" // frame 30
	lost := cameraItem(t, 21, event.Frame, "yard/t2", []byte("JPEG"))
	lost.Time, lost.Type = noon.Add(time.Hour), "image/jpeg"
	return append(items, snap, lost)
}

func newCamera(t testing.TB, most int) *Camera {
	c, err := NewCamera("mast-1", "yard", filepath.Join(t.TempDir(), "yard"), most)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func recorded(t testing.TB, c *Camera, items []event.Item) (string, map[string]string, Product) {
	t.Helper()
	for _, i := range items {
		if _, err := c.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	p, err := c.Write(dir, annotator{}, 0.3)
	if err != nil {
		t.Fatal(err)
	}
	names, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, n := range names {
		b, _ := os.ReadFile(filepath.Join(dir, n))
		files[n] = string(b)
	}
	all, _ := json.Marshal([]any{p, files})
	return string(all), files, p
}

func TestDetectionsAreCocoResults(t *testing.T) {
	_, files, p := recorded(t, newCamera(t, 10), cameraItems(t))
	var got []map[string]any
	if err := json.Unmarshal([]byte(files["detections.json"]), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 200 || !p.Complete || p.Camera.Frames != 150 || p.Camera.Detections != 200 {
		t.Fatalf("%d detections, product %+v", len(got), p.Camera)
	}
	first, _ := json.Marshal(got[0])
	if want := `{"bbox":[10,20,30.5,40],"category_id":1,"image_id":0,"score":0.9}`; string(first) != want {
		t.Fatalf("%s\nwant %s", first, want)
	}
	var events []event.TrackEvent
	if err := json.Unmarshal([]byte(files["events.json"]), &events); err != nil {
		t.Fatal(err)
	}
	if len(events) != 3 || events[0].Type != "new" || events[2].Type != "end" {
		t.Fatalf("events %+v", events)
	}
	if got := files["annotated/frame_000030.jpg"]; got != "JPEG with 1 boxes, [{drive [[0 288] [768 288] [192 576]] true} {door [[384 0] [384 576]] false}]" {
		t.Fatalf("annotated %q of %v: frame 30 has one box above 0.3", got, p.Camera.Annotated)
	}
	if files["annotated/track_t2.jpg"] != "JPEG" || p.Camera.Annotated != 2 {
		t.Fatal("a snapshot of no known frame is kept as it came")
	}
}

func TestImagesAreNamedByTheirFile(t *testing.T) {
	i := batch(t, 1, 0, 0, 1)
	var d event.Detections
	json.Unmarshal(i.Data, &d)
	d.Frames[0].Name = "terrain.png"
	_, files, _ := recorded(t, newCamera(t, 10), []event.Item{cameraItem(t, 1, event.Result, "yard", d)})
	if !strings.Contains(files["detections.json"], `"image_id":"terrain.png"`) {
		t.Fatal(files["detections.json"])
	}
}

func TestACameraDoesNotMindOrderOrRepetition(t *testing.T) {
	items := cameraItems(t)
	items = append(items, batch(t, 4, 32, 95, 0)) // read again by an edge that had died
	want, _, p := recorded(t, newCamera(t, 1), items)
	if p.Camera.Frames != 150 {
		t.Fatalf("%d frames", p.Camera.Frames)
	}
	rapid.Check(t, func(r *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		again := append([]event.Item{}, items...)
		for range random.IntN(5) {
			again = append(again, items[random.IntN(len(items))])
		}
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		if got, _, _ := recorded(t, newCamera(t, 1), again); got != want {
			r.Fatalf("another product:\n%.2000s\nwant\n%.2000s", got, want)
		}
	})
}

func TestMissingFramesAreNamed(t *testing.T) {
	c := newCamera(t, 1)
	items := cameraItems(t)
	_, _, p := recorded(t, c, []event.Item{items[0], items[2]})
	if p.Complete || len(p.Missing) != 1 || p.Missing[0] != "64-127" {
		t.Fatalf("%+v", p)
	}
	if p.Camera.Through != 0 {
		t.Fatal("an incomplete product vouches for nothing")
	}
}

func TestARecordWithNothingInItIsStillAList(t *testing.T) {
	_, files, p := recorded(t, newCamera(t, 1), []event.Item{cameraItem(t, 1, event.Result, "yard",
		event.Detections{Camera: "yard", First: 0, Last: -1, End: true})})
	if !p.Complete || p.Camera.Frames != 0 {
		t.Fatalf("%+v", p.Camera)
	}
	for _, name := range []string{"detections.json", "events.json"} {
		var list []any
		if err := json.Unmarshal([]byte(files[name]), &list); err != nil || list == nil {
			t.Fatalf("%s is %q: %v", name, files[name], err)
		}
	}
}

func TestStrangeBytesAreNoBatch(t *testing.T) {
	c := newCamera(t, 1)
	for _, data := range []string{"", "{", `{"camera":""}`, `[1]`} {
		if _, err := c.Add(cameraItem(t, 1, event.Result, "yard", []byte(data))); !errors.Is(err, errMisfit) {
			t.Errorf("%q gives %v", data, err)
		}
	}
	if _, err := c.Write(t.TempDir(), nil, 0); !errors.Is(err, errNoBatch) {
		t.Fatal(err)
	}
}
