package mosaic

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"

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
