package evaluate

import (
	"encoding/json"
	"math"
	"os"
	"testing"

	"pgregory.net/rapid"
)

// figures are the twelve by pycocotools' order of names.
func figures(t *testing.T, s DetectScores) map[string]float64 {
	t.Helper()
	data, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	out := map[string]float64{}
	for name, v := range all {
		if f, ok := v.(float64); ok {
			out[name] = f
		}
	}
	return out
}

func TestFiguresEqualThoseOfPycocotools(t *testing.T) {
	data, err := os.ReadFile("testdata/coco_reference.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []struct {
		Name         string
		Truth, Found json.RawMessage
		Want         map[string]float64
	}
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			truth, err := ParseTruth(c.Truth)
			if err != nil {
				t.Fatal(err)
			}
			found, err := ParseDetections(c.Found, truth)
			if err != nil {
				t.Fatal(err)
			}
			got := figures(t, Detect(truth, found))
			if len(c.Want) != 12 {
				t.Fatalf("the reference has %d figures", len(c.Want))
			}
			for name, want := range c.Want {
				if math.Abs(got[name]-want) > 1e-9 {
					t.Errorf("%s: got %.12f, pycocotools %.12f", name, got[name], want)
				}
			}
		})
	}
}

func oneCar(boxes ...[4]float64) Truth {
	t := Truth{Images: []Image{{ID: 1, File: "a.png"}}, Categories: []Category{{ID: 3, Name: "car"}}}
	for i, b := range boxes {
		area := b[2] * b[3]
		t.Annotations = append(t.Annotations, Annotation{ID: int64(i + 1), Image: 1, Category: 3, BBox: b, Area: &area})
	}
	return t
}

func TestDetectCountsByHand(t *testing.T) {
	box, far := [4]float64{10, 10, 100, 100}, [4]float64{300, 300, 100, 100}
	found := func(score float64, b [4]float64) Detection { return Detection{1, 3, b, score} }
	for _, c := range []struct {
		name       string
		truth      Truth
		found      []Detection
		ap, ar     float64
		apS, apL   float64
		categoryAP float64
	}{
		{"all found", oneCar(box), []Detection{found(.9, box)}, 1, 1, -1, 1, 1},
		{"nothing found", oneCar(box), nil, 0, 0, -1, 0, 0},
		{"nothing to find", oneCar(), []Detection{found(.9, box)}, -1, -1, -1, -1, -1},
		{"a better one is wrong", oneCar(box), []Detection{found(.9, far), found(.5, box)}, .5, 1, -1, .5, .5},
		{"half found", oneCar(box, far), []Detection{found(.9, box)}, 51. / 101, .5, -1, 51. / 101, 51. / 101},
		{"one object found twice", oneCar(box), []Detection{found(.9, box), found(.8, box)}, 1, 1, -1, 1, 1},
	} {
		s := Detect(c.truth, c.found)
		for name, pair := range map[string][2]float64{"AP": {s.AP, c.ap}, "AR": {s.AR100, c.ar}, "AP small": {s.APSmall, c.apS},
			"AP large": {s.APLarge, c.apL}, "the category's AP": {s.Categories[0].AP, c.categoryAP}} {
			if math.Abs(pair[0]-pair[1]) > 1e-9 {
				t.Errorf("%s: %s is %g, want %g", c.name, name, pair[0], pair[1])
			}
		}
	}
}

func TestFiguresDoNotDependOnTheOrderOfDifferentScores(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		boxes := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) [4]float64 {
			f := rapid.Float64Range(1, 200)
			return [4]float64{f.Draw(t, "x"), f.Draw(t, "y"), f.Draw(t, "w"), f.Draw(t, "h")}
		}), 1, 12).Draw(t, "boxes")
		truth := oneCar(boxes[:(len(boxes)+1)/2]...)
		var found []Detection
		for i, b := range boxes {
			found = append(found, Detection{1, 3, b, float64(i+1) / 20})
		}
		want := Detect(truth, found)
		got := Detect(truth, rapid.Permutation(found).Draw(t, "order"))
		if got.AP != want.AP || got.AR100 != want.AR100 || got.AP < 0 || got.AP > 1+1e-9 {
			t.Fatalf("%+v and %+v", got, want)
		}
	})
}

func TestUnusableFilesAreRefused(t *testing.T) {
	good := `{"images":[{"id":1,"file_name":"a.png"}],"categories":[{"id":1,"name":"car"}],"annotations":[{"id":1,"image_id":1,"category_id":1,"bbox":[0,0,1,1]}]}`
	for name, text := range map[string]string{
		"no JSON": "COCO", "results": "[]", "no images": `{"categories":[{"id":1}]}`,
		"an id twice":      `{"images":[{"id":1},{"id":1}],"categories":[{"id":1}]}`,
		"a strange box":    `{"images":[{"id":1}],"categories":[{"id":1}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,-1,1]}]}`,
		"an unknown image": `{"images":[{"id":1}],"categories":[{"id":1}],"annotations":[{"image_id":2,"category_id":1}]}`,
		"a strange crowd":  `{"images":[{"id":1}],"categories":[{"id":1}],"annotations":[{"image_id":1,"category_id":1,"iscrowd":"yes"}]}`,
	} {
		if _, err := ParseTruth([]byte(text)); err == nil {
			t.Errorf("labels with %s are taken", name)
		}
	}
	truth, err := ParseTruth([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	for text, ok := range map[string]bool{
		`[{"image_id":1,"category_id":1,"bbox":[0,0,1,1],"score":1}]`:          true,
		`[{"image_id":"in/a.png","category_id":1,"bbox":[0,0,1,1],"score":1}]`: true,
		`[{"image_id":2,"category_id":1,"bbox":[0,0,1,1],"score":1}]`:          false,
		`[{"image_id":"b.png","category_id":1,"bbox":[0,0,1,1],"score":1}]`:    false,
		`[{"image_id":1,"category_id":1,"bbox":[0,0,1e300,1],"score":1}]`:      false,
		`{}`: false,
	} {
		if _, err := ParseDetections([]byte(text), truth); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func FuzzFilesOfOthersNeverPanic(f *testing.F) {
	f.Add([]byte(`{"images":[{"id":1,"file_name":"a"}],"categories":[{"id":1}],"annotations":[{"image_id":1,"category_id":1,"bbox":[0,0,1,1]}]}`),
		[]byte(`[{"image_id":1,"category_id":1,"bbox":[0,0,1,1],"score":0.5}]`))
	f.Fuzz(func(t *testing.T, labels, results []byte) {
		truth, err := ParseTruth(labels)
		if err != nil {
			return
		}
		if found, err := ParseDetections(results, truth); err == nil {
			Detect(truth, found)
		}
	})
}

func TestWorstPicturesTellMissedAndWrong(t *testing.T) {
	box, far := [4]float64{10, 10, 100, 100}, [4]float64{300, 300, 100, 100}
	truth := oneCar(box, far)
	truth.Images = append(truth.Images, Image{ID: 2, File: "in/b.png"}, Image{ID: 3, File: "good.png"})
	crowd := Annotation{ID: 9, Image: 3, Category: 3, BBox: far, Area: new(float64), Crowd: true}
	truth.Annotations = append(truth.Annotations, crowd)
	got := WorstPictures(truth, []Detection{{1, 3, box, .9}, {1, 3, far, ReportScore - .01}, {2, 3, far, .5}, {2, 3, box, .5}, {3, 3, far, .9}}, 8)
	if len(got) != 2 || got[0].File != "b.png" || got[0].Wrong != 2 || got[1].Missed != 1 || got[1].Right != 1 {
		t.Fatalf("%+v", got)
	}
	if one := WorstPictures(truth, nil, 1); len(one) != 1 || one[0].Missed != 2 || one[0].Boxes[0].Verdict != Missed {
		t.Fatalf("%+v", one)
	}
}
