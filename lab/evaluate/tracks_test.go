package evaluate

import (
	"bytes"
	"encoding/json"
	"math"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func readMOT(t *testing.T, name string) []Sighting {
	t.Helper()
	data, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	all, err := ParseMOT(data)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestTracksAreScoredAsTrackEvalDoes(t *testing.T) {
	data, err := os.ReadFile("testdata/track_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]TrackScores
	if err := json.Unmarshal(data, &want); err != nil || len(want) != 2 {
		t.Fatal(err, len(want))
	}
	labels, found := readMOT(t, "labels.txt"), readMOT(t, "tracks.txt")
	for name, w := range want {
		truth, counted := labels, found
		if name == "classes" {
			if truth, counted = CountedMOT(labels, found); len(truth) == len(labels) || len(counted) == len(found) {
				t.Fatal("nothing was left out")
			}
		}
		got, _, err := Tracks(truth, counted)
		if err != nil {
			t.Fatal(err)
		}
		w.Frames, w.Objects, w.Tracks, w.Labels, w.Boxes = got.Frames, got.Objects, got.Tracks, got.Labels, got.Boxes
		g, v := reflect.ValueOf(got), reflect.ValueOf(w)
		for i := range g.NumField() {
			field := g.Type().Field(i).Name
			switch a := g.Field(i).Interface().(type) {
			case float64:
				if math.Abs(a-v.Field(i).Float()) > 1e-9 {
					t.Errorf("%s: %s is %v, want %v", name, field, a, v.Field(i))
				}
			case int:
				if int64(a) != v.Field(i).Int() {
					t.Errorf("%s: %s is %v, want %v", name, field, a, v.Field(i))
				}
			case [alphas]float64:
				for k := range a {
					if math.Abs(a[k]-w.HOTAOf[k]) > 1e-9 {
						t.Errorf("%s: HOTA at %.2f is %v, want %v", name, alpha(k), a[k], w.HOTAOf[k])
					}
				}
			}
		}
	}
}

// still is one that stands at x from the first to the last frame.
func still(id, x, first, last int) (all []Sighting) {
	for f := first; f <= last; f++ {
		all = append(all, Sighting{Frame: f, ID: id, BBox: [4]float64{float64(x), 0, 10, 10}, Score: 1})
	}
	return all
}

func TestSmallCasesAreScoredAsByHand(t *testing.T) {
	half := math.Sqrt(0.5)
	for name, c := range map[string]struct {
		truth, found                []Sighting
		hota, detA, assA, idf1, mot float64
		switches                    int
	}{
		"all right":            {still(1, 0, 1, 10), still(7, 0, 1, 10), 1, 1, 1, 1, 1, 0},
		"nothing found":        {still(1, 0, 1, 10), nil, 0, 0, 0, 0, 0, 0},
		"nothing there":        {nil, still(1, 0, 1, 10), 0, 0, 0, 0, -10, 0},
		"found in half":        {still(1, 0, 1, 10), still(7, 0, 1, 5), 0.5, 0.5, 0.5, 2. / 3, 0.5, 0},
		"a switch half way":    {still(1, 0, 1, 10), slices.Concat(still(7, 0, 1, 5), still(8, 0, 6, 10)), half, 1, 0.5, 0.5, 0.9, 1},
		"beside it":            {still(1, 0, 1, 10), still(7, 50, 1, 10), 0, 0, 0, 0, -1, 0},
		"two change their ids": {slices.Concat(still(1, 0, 1, 10), still(2, 50, 1, 10)), slices.Concat(still(7, 0, 1, 5), still(8, 50, 1, 5), still(8, 0, 6, 10), still(7, 50, 6, 10)), math.Sqrt(1. / 3), 1, 1. / 3, 0.5, 0.9, 2},
		"two at one":           {still(1, 0, 1, 10), slices.Concat(still(7, 0, 1, 10), still(8, 0, 1, 10)), half, 0.5, 1, 2. / 3, 0, 0},
	} {
		got, _, err := Tracks(c.truth, c.found)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range [][2]float64{{got.HOTA, c.hota}, {got.DetA, c.detA}, {got.AssA, c.assA}, {got.IDF1, c.idf1}, {got.MOTA, c.mot}, {float64(got.Switches), float64(c.switches)}} {
			if math.Abs(v[0]-v[1]) > 1e-9 {
				t.Errorf("%s: %+v, want %v", name, got, c)
				break
			}
		}
	}
}

func TestWhatBecameOfEachObjectIsTold(t *testing.T) {
	_, objects, err := Tracks(still(4, 0, 1, 10), slices.Concat(still(7, 0, 1, 3), still(8, 0, 6, 10)))
	want := []TrackedObject{{ID: 4, First: 1, Last: 10, Labels: 10, Found: 8, Switches: 1, Follows: []Follow{{7, 1, 3}, {8, 6, 10}}}}
	if err != nil || !reflect.DeepEqual(objects, want) {
		t.Errorf("%+v, %v", objects, err)
	}
	if _, _, err := Tracks(slices.Concat(still(4, 0, 1, 2), still(4, 50, 2, 3)), nil); err == nil || !strings.Contains(err.Error(), "id 4 stands twice in frame 2 of the labels") {
		t.Error(err)
	}
}

// TestScoresStayWithinTheirBounds on anything, and names of ids do not matter.
func TestScoresStayWithinTheirBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (all []Sighting) {
			for f := range rapid.IntRange(0, 5).Draw(t, name+" frames") {
				for id := range rapid.IntRange(0, 4).Draw(t, name+" ids") {
					number := rapid.Float64Range(0, 20)
					all = append(all, Sighting{Frame: f + 1, ID: id, Score: 1,
						BBox: [4]float64{number.Draw(t, "x"), number.Draw(t, "y"), number.Draw(t, "w"), number.Draw(t, "h")}})
				}
			}
			return all
		}
		truth, found := draw("truth"), draw("found")
		got, objects, err := Tracks(truth, found)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []float64{got.HOTA, got.DetA, got.AssA, got.LocA, got.IDF1, got.IDP, got.IDR, got.MOTP} {
			if !(v >= 0 && v <= 1+1e-9) {
				t.Fatalf("%+v", got)
			}
		}
		if got.MOTA > 1 || got.Missed < 0 || got.Wrong < 0 || len(objects) != got.Objects {
			t.Fatalf("%+v", got)
		}
		for i := range found {
			found[i].ID = 100 - found[i].ID
		}
		if again, _, err := Tracks(truth, found); err != nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%+v with other ids: %+v, %v", got, again, err)
		}
		if same, _, err := Tracks(truth, truth); err != nil || len(truth) > 0 && same.MOTA > 1 {
			t.Fatalf("%+v, %v", same, err)
		}
	})
}

func TestACrowdIsTheSameWithTheSameSeedAndHidesEachOther(t *testing.T) {
	c := DefaultCrowd()
	c.Frames = 200
	truth, frames := c.Walk()
	again, _ := c.Walk()
	c.Seed++
	other, _ := c.Walk()
	if !reflect.DeepEqual(truth, again) || reflect.DeepEqual(truth, other) {
		t.Error("the seed does not decide")
	}
	weak, boxes := 0, 0
	for _, f := range frames {
		boxes += len(f)
		for _, b := range f {
			if b.Score < 0.4 {
				weak++
			}
		}
	}
	if len(frames) != 200 || weak < boxes/50 || boxes < len(truth)*3/4 || boxes > len(truth)*5/4 {
		t.Errorf("%d frames with %d boxes, %d weak, of %d labelled", len(frames), boxes, weak, len(truth))
	}
	for _, s := range truth {
		if s.BBox[0] < 0 || s.BBox[1] < 0 || s.BBox[0]+s.BBox[2] > float64(c.Width)+1e-9 || s.BBox[1]+s.BBox[3] > float64(c.Height)+1e-9 {
			t.Fatalf("%+v is not in the picture", s)
		}
	}
}

func TestFilesOfMOTChallengeAreReadAndWrongLinesNamed(t *testing.T) {
	all, err := ParseMOT([]byte("1,2,3.5,4,5,6,0,7,0.5\n\n2, 3, 1, 1, 2, 2\n1,-1,0,0,1,1,0.25,-1,-1,-1\n"))
	want := []Sighting{{1, 2, [4]float64{3.5, 4, 5, 6}, 0, 7}, {2, 3, [4]float64{1, 1, 2, 2}, 1, 0}, {1, -1, [4]float64{0, 0, 1, 1}, 0.25, 0}}
	if err != nil || !reflect.DeepEqual(all, want) {
		t.Errorf("%+v, %v", all, err)
	}
	for text, want := range map[string]string{
		"":                         "holds no objects",
		"1,1,0,0,5\n":              "line 1: 5 columns",
		"1,1,0,0,5,5\n1,1,x,0,5,5": `line 2: "x" is no number`,
		"1,1,NaN,0,5,5":            "is no number",
		"1,1,1e300,0,5,5":          "is no number",
		"0,1,0,0,5,5":              "frames count from 1",
		"1.5,1,0,0,5,5":            "whole numbers",
		"1,1,0,0,-5,5":             "a box of -5 x 5",
	} {
		if _, err := ParseMOT([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

func FuzzParseMOT(f *testing.F) {
	f.Add([]byte("1,1,794.27,247.59,71.245,174.88,-1,-1,-1,-1\n2,3,1,2,3,4,1,7,0.3"))
	f.Fuzz(func(t *testing.T, data []byte) {
		all, err := ParseMOT(data)
		if err != nil {
			return
		}
		var out bytes.Buffer
		if err := WriteMOT(&out, all); err != nil {
			t.Fatal(err)
		}
		again, err := ParseMOT(out.Bytes())
		if err != nil || len(again) != len(all) {
			t.Fatalf("%d of %d, %v", len(again), len(all), err)
		}
		truth, found := CountedMOT(all, again)
		Tracks(truth, found)
	})
}
