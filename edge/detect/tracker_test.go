package detect

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

var noon = time.Unix(1_700_000_000, 250_000_000).UTC()

func at(frame int64) time.Time { return noon.Add(time.Duration(frame) * 100 * time.Millisecond) }

func person(x, y float32, score float32) vision.Box {
	return vision.Box{X: x, Y: y, W: 20, H: 50, Score: score, Label: "person"}
}

// story is what a tracker told, one word an event.
func sequence(t *Tracker, frames ...[]vision.Box) string {
	var said []string
	note := func(events []event.TrackEvent) {
		for _, e := range events {
			id := e.After.ID[strings.LastIndex(e.After.ID, "-")+1:]
			said = append(said, fmt.Sprintf("%s:%s@%d", e.Type, id, e.After.Frame))
		}
	}
	for i, boxes := range frames {
		note(t.Update(int64(i), at(int64(i)), boxes))
	}
	note(t.Finish())
	return strings.Join(said, " ")
}

// walk is a box that moves, seen with those scores; 0 is not seen.
func walk(x, step float32, scores ...float32) [][]vision.Box {
	frames := make([][]vision.Box, len(scores))
	for i, score := range scores {
		if score > 0 {
			frames[i] = []vision.Box{person(x+float32(i)*step, 100, score)}
		}
	}
	return frames
}

func repeat(score float32, n int) []float32 {
	scores := make([]float32, n)
	for i := range scores {
		scores[i] = score
	}
	return scores
}

func TestATrackIsToldWhenItIsConfirmedAndWhenItIsGone(t *testing.T) {
	for name, c := range map[string]struct {
		frames [][]vision.Box
		want   string
	}{
		"a walk":                    {walk(10, 5, repeat(0.9, 6)...), "new:1@2 end:1@5"},
		"a flicker":                 {walk(10, 5, 0.9, 0.9, 0, 0, 0.9), ""},
		"too weak to begin":         {walk(10, 5, repeat(0.25, 6)...), ""},
		"strong enough to go on":    {walk(10, 5, 0.9, 0.9, 0.9, 0.2, 0.2, 0.2), "new:1@2 end:1@5"},
		"hidden for a while":        {walk(10, 5, append(repeat(0.9, 5), 0, 0, 0, 0, 0, 0, 0.9)...), "new:1@2 end:1@11"},
		"gone and somebody else":    {append(walk(10, 0, append(repeat(0.9, 3), repeat(0, 40)...)...), walk(10, 0, 0.9, 0.9, 0.9)...), "new:1@2 end:1@2 new:2@45 end:2@45"},
		"a better view is told":     {walk(10, 0, 0.5, 0.5, 0.5, 0.7, 0.7), "new:1@2 update:1@3 end:1@4"},
		"an update now and then":    {walk(10, 0, repeat(0.9, 60)...), "new:1@2 update:1@52 end:1@59"},
		"nothing":                   {make([][]vision.Box, 5), ""},
		"faster than its own width": {walk(10, 14, repeat(0.9, 8)...), ""},
	} {
		if got := sequence(NewTracker("gate", TrackConfig{}), c.frames...); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestTwoWhoCrossKeepTheirIdentity(t *testing.T) {
	tracker := NewTracker("gate", TrackConfig{})
	for i := range int64(40) {
		left := vision.Box{X: float32(10 + 5*i), Y: 100, W: 40, H: 80, Score: 0.9, Label: "person"}
		right := vision.Box{X: float32(205 - 5*i), Y: 120, W: 40, H: 80, Score: 0.8, Label: "person"}
		tracker.Update(i, at(i), []vision.Box{left, right})
	}
	events := tracker.Finish()
	if len(events) != 2 {
		t.Fatalf("%d tracks, want 2", len(events))
	}
	for _, e := range events {
		if first := e.After.TopScore > 0.85; first != (e.After.Box[0] > 150) {
			t.Errorf("the one with score %v ended at %v", e.After.TopScore, e.After.Box)
		}
	}
}

func TestThingsOfDifferentLabelsAreNotJoined(t *testing.T) {
	tracker := NewTracker("gate", TrackConfig{})
	for i := range int64(5) {
		dog := person(10, 10, 0.9)
		dog.Label, dog.Class = "dog", 16
		tracker.Update(i, at(i), []vision.Box{person(10, 10, 0.9), dog})
	}
	if n := len(tracker.Finish()); n != 2 {
		t.Errorf("%d tracks", n)
	}
}

func TestTheSameFramesGiveTheSameTracks(t *testing.T) {
	run := func() (all []event.TrackEvent) {
		random := rand.New(rand.NewPCG(3, 4))
		tracker := NewTracker("gate", TrackConfig{})
		for i := range int64(100) {
			var boxes []vision.Box
			for k := range 6 {
				boxes = append(boxes, person(float32(k*60)+random.Float32()*10, 50, random.Float32()))
			}
			all = append(all, tracker.Update(i, at(i), boxes)...)
		}
		return append(all, tracker.Finish()...)
	}
	if a, b := run(), run(); len(a) < 10 || !reflect.DeepEqual(a, b) {
		t.Errorf("%d and %d events that differ", len(a), len(b))
	}
}

func TestEachTrackBeginsOnceEndsOnceAndKnowsWhatWasSaidBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		tracker := NewTracker("gate", TrackConfig{Most: 8, MaxGap: 3})
		told := map[string]*event.TrackState{}
		ended := map[string]bool{}
		note := func(events []event.TrackEvent) {
			for _, e := range events {
				id := e.After.ID
				switch {
				case e.Type == event.TrackNew && told[id] != nil, e.Type != event.TrackNew && told[id] == nil, ended[id]:
					t.Fatalf("%s of %s", e.Type, id)
				case !reflect.DeepEqual(e.Before, told[id]):
					t.Fatalf("before is %v, was %v", e.Before, told[id])
				case (e.After.EndTime != nil) != (e.Type == event.TrackEnd), e.After.TopScore < e.After.Score, e.After.Frames < 1:
					t.Fatalf("%+v", e.After)
				}
				told[id], ended[id] = e.After, e.Type == event.TrackEnd
			}
		}
		frame := int64(0)
		for range rapid.IntRange(1, 40).Draw(t, "frames") {
			frame += rapid.Int64Range(1, 3).Draw(t, "step")
			n := rapid.IntRange(0, 12).Draw(t, "boxes")
			var boxes []vision.Box
			for range n {
				boxes = append(boxes, person(rapid.Float32Range(0, 60).Draw(t, "x"), rapid.Float32Range(0, 60).Draw(t, "y"),
					rapid.Float32Range(0, 1).Draw(t, "score")))
			}
			note(tracker.Update(frame, at(frame), boxes))
			if len(tracker.alive) > 8 {
				t.Fatalf("%d tracks", len(tracker.alive))
			}
		}
		note(tracker.Finish())
		for id := range told {
			if !ended[id] {
				t.Fatalf("%s did not end", id)
			}
		}
	})
}

func TestOneAlertForEachActivity(t *testing.T) {
	a := newAlerts(AlertConfig{Labels: []string{"person", "dog"}, Quiet: time.Minute})
	for _, step := range []struct {
		label   string
		seconds int
		want    bool
	}{
		{"person", 0, true}, {"person", 1, false}, {"dog", 2, true}, {"car", 3, false},
		{"person", 50, false}, {"person", 109, false}, {"person", 169, true}, {"person", 100, false}, {"person", 200, false},
		{"dog", 200, true},
	} {
		if got := a.begins(step.label, noon.Add(time.Duration(step.seconds)*time.Second)); got != step.want {
			t.Errorf("%s after %d s: %v", step.label, step.seconds, got)
		}
	}
	if newAlerts(AlertConfig{Off: true}).begins("person", noon) {
		t.Error("an alert though alerts are off")
	}
}

func TestAPictureOfAnObjectIsWithinTheFrame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		frame := vision.Image{W: rapid.IntRange(1, 300).Draw(t, "w"), H: rapid.IntRange(1, 300).Draw(t, "h")}
		frame.Pix = make([]byte, 3*frame.W*frame.H)
		number := rapid.Float32Range(-1e9, 1e9)
		s := Snapshot{Margin: 0.5, MinSide: 192, Quality: 80}
		var v view
		s.keepBest(&v, vision.Box{X: number.Draw(t, "x"), Y: number.Draw(t, "y"), W: number.Draw(t, "bw"), H: number.Draw(t, "bh"), Score: 1}, frame)
		if im := v.image; im.W < 1 || im.H < 1 || im.W > frame.W || im.H > frame.H || len(im.Pix) != 3*im.W*im.H {
			t.Fatalf("%d x %d with %d bytes", im.W, im.H, len(im.Pix))
		}
	})
}
