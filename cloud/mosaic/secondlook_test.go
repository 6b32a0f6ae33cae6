package mosaic

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// secondLooks are a camera of one batch with tracks t1 … t4, of which all but t4 asked for a second
// look, and what came of it: a person, nothing, no answer at all.
func secondLooks(t testing.TB) (items []event.Item, dead event.Item) {
	items = []event.Item{batch(t, 1, 0, 49, 50)}
	for n, track := range []string{"t1", "t2", "t3", "t4"} {
		state := &event.TrackState{ID: track, Camera: "yard", Label: "person", Frame: n}
		if track != "t4" {
			state.SecondLook = &event.SecondLook{Want: "detect", Box: [4]float32{10, 10, 40, 80}}
		}
		items = append(items, cameraItem(t, 10+n, event.Track, "yard/"+track, event.TrackEvent{Type: event.TrackEnd, After: state}))
	}
	answer := func(n int, track string, boxes ...vision.Box) event.Item {
		i := cameraItem(t, n, event.Result, "yard/"+track, map[string]any{"width": 80, "height": 100, "boxes": boxes})
		i.Epoch, i.Seq = "", 0
		i.Attrs = event.Attrs{Want: "detect", Input: "crop", Model: "yolox_nano", ModelVersion: "1"}
		return i
	}
	items = append(items,
		answer(20, "t1", vision.Box{X: 12, Y: 12, W: 36, H: 76, Score: 0.8, Label: "person"}, vision.Box{X: 60, Y: 60, W: 10, H: 10, Score: 0.95, Label: "dog"}),
		answer(21, "t2", vision.Box{X: 70, Y: 0, W: 10, H: 10, Score: 0.9, Label: "person"}))
	dead = cameraItem(t, 30, event.Crop, "yard/t3", []byte("no JPEG"))
	dead.Attrs.Want = "detect"
	return items, dead
}

func verdicts(t *testing.T, files map[string]string) map[string]*event.Verdict {
	t.Helper()
	var events []event.TrackEvent
	if err := json.Unmarshal([]byte(files["events.json"]), &events); err != nil {
		t.Fatal(err)
	}
	all := map[string]*event.Verdict{}
	for _, e := range events {
		if e.After.SecondLook != nil {
			all[e.After.ID] = e.After.SecondLook.Verdict
		}
	}
	return all
}

func TestVerdictsJoinTheirTracksInAnyOrder(t *testing.T) {
	items, dead := secondLooks(t)
	var want string
	for seed := range uint64(20) {
		c := newCamera(t, 10)
		random := rand.New(rand.NewPCG(seed, 1))
		random.Shuffle(len(items), func(i, j int) { items[i], items[j] = items[j], items[i] })
		c.AddDead(dead, "no model for it")
		all, files, p := recorded(t, c, append(items, items...))
		if want == "" {
			want = all
		}
		if all != want {
			t.Fatalf("another order gives\n%s\nnot\n%s", all, want)
		}
		if !p.Complete {
			t.Fatalf("missing %v", p.Missing)
		}
		got := verdicts(t, files)
		if v := got["t1"]; v == nil || v.Label != "person" || v.Score != 0.8 || !v.Agrees || v.Model != "yolox_nano" {
			t.Errorf("t1: %+v", v)
		}
		if v := got["t2"]; v == nil || v.Label != "" || v.Agrees || v.Failed != "" {
			t.Errorf("t2, where nothing was found: %+v", v)
		}
		if v := got["t3"]; v == nil || v.Failed != "no model for it" || v.Agrees {
			t.Errorf("t3, whose picture is a dead letter: %+v", v)
		}
	}
}

func TestARecordWaitsForTheSecondLooksThatWereAskedFor(t *testing.T) {
	items, dead := secondLooks(t)
	c := newCamera(t, 10)
	_, files, p := recorded(t, c, items)
	if p.Complete || len(p.Missing) != 1 || !strings.Contains(p.Missing[0], "t3") || verdicts(t, files)["t3"] != nil {
		t.Errorf("complete %v, missing %v", p.Complete, p.Missing)
	}
	if !c.AddDead(dead, "no model for it") || c.AddDead(dead, "no model for it") {
		t.Error("a dead letter counts once")
	}
	if !c.Done() {
		t.Errorf("missing %v", c.Missing())
	}
}

func TestAPictureThatWasSkippedForBeingLateHasNoVerdict(t *testing.T) {
	items, _ := secondLooks(t)
	late := cameraItem(t, 22, event.Result, "yard/t3", map[string]any{"late": true, "skipped": true, "deadline": "2026-05-01T12:00:00Z"})
	late.Epoch, late.Seq = "", 0
	late.Attrs = event.Attrs{Want: "detect", Input: "crop", Model: "yolox_nano", ModelVersion: "1", Late: true}
	_, files, p := recorded(t, newCamera(t, 10), append(items, late))
	if v := verdicts(t, files)["t3"]; !p.Complete || v == nil || !strings.Contains(v.Failed, "2026-05-01T12:00:00Z") || v.Agrees {
		t.Errorf("complete %v, %+v: nobody looked, which is not to have found nothing", p.Complete, v)
	}
}

// framesAsked are a finite source of six frames, of which 1, 3 and 4 asked for a second look, and what
// came of it: two cats in frame 1, no answer at all of 3, nothing in frame 4.
func framesAsked(t testing.TB) (items []event.Item, dead event.Item) {
	b := batch(t, 1, 0, 5, 6)
	var d event.Detections
	if err := json.Unmarshal(b.Data, &d); err != nil {
		t.Fatal(err)
	}
	for _, n := range []int{1, 3, 4} {
		d.Frames[n].SecondLook = &event.FrameLook{Want: "detect"}
	}
	two := []vision.Box{{X: 5, Y: 6, W: 7, H: 8, Score: 0.8, Class: 15, Label: "cat"}, {X: 50, Y: 6, W: 7, H: 8, Score: 0.4, Class: 15, Label: "cat"}}
	items = []event.Item{cameraItem(t, 1, event.Result, "yard", d), frameAnswer(t, 20, d.Frames[1], two...), frameAnswer(t, 21, d.Frames[4])}
	dead = cameraItem(t, 30, event.Frame, "yard/frame-3", []byte("no JPEG"))
	dead.Time, dead.Attrs.Want = d.Frames[3].Time, "detect"
	return items, dead
}

func frameAnswer(t testing.TB, n int, f event.FrameDetection, boxes ...vision.Box) event.Item {
	i := cameraItem(t, n, event.Result, "yard/"+lookKeyOfFrame(f).what, map[string]any{"width": 768, "height": 576, "boxes": boxes})
	i.Time, i.Epoch, i.Seq = f.Time, "", 0
	i.Attrs = event.Attrs{Want: "detect", Input: "frame", Model: "picodet", ModelVersion: "2"}
	return i
}

// categories are those in detections.json, by frame.
func categories(t testing.TB, files map[string]string) (found [6][]int) {
	t.Helper()
	var all []struct {
		ImageID    int `json:"image_id"`
		CategoryID int `json:"category_id"`
	}
	if err := json.Unmarshal([]byte(files["detections.json"]), &all); err != nil {
		t.Fatal(err)
	}
	for _, d := range all {
		found[d.ImageID] = append(found[d.ImageID], d.CategoryID)
	}
	return found
}

func looksIn(t testing.TB, files map[string]string) (looks []frameLook) {
	t.Helper()
	if err := json.Unmarshal([]byte(files["second_looks.json"]), &looks); err != nil {
		t.Fatal(err)
	}
	return looks
}

func TestTheCloudsDetectionsOfAPictureTakeThePlaceOfTheDevicesInAnyOrder(t *testing.T) {
	items, dead := framesAsked(t)
	var want string
	rapid.Check(t, func(r *rapid.T) {
		random := rand.New(rand.NewPCG(rapid.Uint64().Draw(r, "seed"), 1))
		again := slices.Concat(items, items)
		random.Shuffle(len(again), func(i, j int) { again[i], again[j] = again[j], again[i] })
		c := newCamera(t, 10)
		buried := random.IntN(len(again))
		for _, i := range again[:buried] {
			if _, err := c.Add(i); err != nil {
				r.Fatal(err)
			}
		}
		c.AddDead(dead, "no model for it")
		all, files, p := recorded(t, c, again)
		if want == "" {
			want = all
		}
		if all != want {
			r.Fatalf("another order gives\n%s\nnot\n%s", all, want)
		}
		if got := categories(t, files); !p.Complete || !slices.EqualFunc(got[:], [][]int{{1, 18}, {17, 17}, {1}, {1, 18}, nil, {1}}, slices.Equal) {
			r.Fatalf("complete %v, %v: frame 1 and 4 are the cloud's, 3 is the device's", p.Complete, got)
		}
		looks := looksIn(t, files)
		if len(looks) != 3 || looks[0].Detections != 2 || looks[0].Instead != 1 || looks[0].Model != "picodet" || looks[1].Failed != "no model for it" || looks[2].Failed != "" {
			r.Fatalf("%+v", looks)
		}
		if p.Camera.LookedAgain != 2 || p.Camera.LooksFailed != 1 || p.Camera.Detections != 8 || !slices.Contains(p.Models, "picodet 2") {
			r.Fatalf("%+v %v", p.Camera, p.Models)
		}
	})
}

func TestARecordWaitsForThePicturesThatTheCloudWasToLookAt(t *testing.T) {
	items, dead := framesAsked(t)
	c := newCamera(t, 10)
	_, files, p := recorded(t, c, items)
	if p.Complete || !slices.Equal(p.Missing, []string{"second look at frame-3"}) || len(categories(t, files)[3]) != 2 {
		t.Errorf("complete %v, missing %v: the device's detections stand until then", p.Complete, p.Missing)
	}
	if !c.AddDead(dead, "no model for it") || c.AddDead(dead, "no model for it") || !c.Done() {
		t.Errorf("a dead letter counts once; missing %v", c.Missing())
	}
}

// TestAVerdictOfAnotherFrameOfThatNumberIsNone: a live camera that begins anew counts anew.
func TestAVerdictOfAnotherFrameOfThatNumberIsNone(t *testing.T) {
	items, _ := framesAsked(t)
	for n := range items[1:] {
		items[1+n].Time = items[1+n].Time.Add(-time.Hour)
	}
	_, files, p := recorded(t, newCamera(t, 10), items)
	if len(p.Missing) != 3 || p.Camera.LookedAgain != 0 || files["second_looks.json"] != "" {
		t.Errorf("%+v, missing %v", p.Camera, p.Missing)
	}
}

func TestAnAnswerThatCantBeUsedLeavesTheDevicesDetections(t *testing.T) {
	items, _ := framesAsked(t)
	for name, c := range map[string]struct{ data, why string }{
		"another size": {`{"width":10,"height":10,"boxes":[]}`, "10 x 10"},
		"no JSON":      {`{`, "can't be used"},
		"late":         {`{"late":true,"skipped":true,"deadline":"2026-05-01T12:00:00Z"}`, "2026-05-01T12:00:00Z"},
	} {
		bad := items[1]
		bad.Data = []byte(c.data)
		_, files, p := recorded(t, newCamera(t, 10), []event.Item{items[0], bad})
		if looks := looksIn(t, files); len(looks) != 1 || !strings.Contains(looks[0].Failed, c.why) || p.Camera.LooksFailed != 1 || len(categories(t, files)[1]) != 1 {
			t.Errorf("%s: %+v", name, looks)
		}
	}
}

// TestPicturesThatOthersSendInAreNoSecondLooks keeps what `submit` sends, and quicklooks, out of records.
func TestPicturesThatOthersSendInAreNoSecondLooks(t *testing.T) {
	items, dead := framesAsked(t)
	for name, change := range map[string]func(*event.Item){
		"a submitted picture": func(i *event.Item) { i.Subject = "yard/frame-3.jpg" },
		"a scene's":           func(i *event.Item) { i.Attrs.Scene = "yard" },
		"text to read":        func(i *event.Item) { i.Attrs.Want = "text" },
	} {
		answer, deadLetter := items[1], dead
		change(&answer)
		change(&deadLetter)
		if isSecondLook(&answer) || asksSecondLook(&deadLetter) {
			t.Errorf("%s is taken for a second look", name)
		}
	}
	if !isSecondLook(&items[1]) || !asksSecondLook(&dead) || !concerns(&items[1]) {
		t.Error("a second look is not known as such")
	}
	if k, ok := keyOf(&queue.Entry{Topic: event.DLQTopic, Item: dead}); !ok || k != (key{cameraProduct, "mast-1", "yard"}) {
		t.Errorf("a dead letter is about %+v", k)
	}
}

// TestAVerdictThatComesBeforeItsBatchIsKeptAlsoWhereARecordOfThatNameIsFinished runs a source a second
// time, as another epoch of the device's buffer: a worker may be faster than a batch that fills.
func TestAVerdictThatComesBeforeItsBatchIsKeptAlsoWhereARecordOfThatNameIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, out := newLog(), t.TempDir()
		l.run(t, Config{}, out)
		l.tell(cameraItems(t)...)
		time.Sleep(time.Hour)
		items, dead := framesAsked(t)
		items[0].Epoch, items[0].ID = "e2", id(200)
		l.tell(items[1:]...)
		l.deadLetter(dead, "no model for it")
		time.Sleep(time.Second)
		l.tell(items[0])
		time.Sleep(time.Hour)
		synctest.Wait()
		made := l.made(t)
		if len(made) != 2 || !made[1].Complete || made[1].Camera.LookedAgain != 2 || made[1].Camera.LooksFailed != 1 {
			t.Fatalf("products %+v", made)
		}
	})
}
