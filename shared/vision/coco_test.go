package vision

import (
	"slices"
	"testing"
)

func TestLabelsHaveCOCOsOfficialIDs(t *testing.T) {
	for label, id := range map[string]int{"person": 1, "stop sign": 13, "backpack": 27, "wine glass": 46, "dining table": 67,
		"toilet": 70, "tv": 72, "book": 84, "toothbrush": 90, "motorbike": 4} {
		if got, ok := COCOID(label); got != id || !ok {
			t.Errorf("%s is %d, want %d", label, got, id)
		}
	}
	if _, ok := COCOID("face"); ok {
		t.Error("a face is one of COCO's")
	}
	if len(coco) != 91 || len(COCOLabels()) != 80 {
		t.Errorf("%d places, %d labels", len(coco), len(COCOLabels()))
	}
}

func TestCategoriesAreCOCOsOnlyWhereAllLabelsAre(t *testing.T) {
	for _, c := range []struct {
		labels []string
		want   []int
	}{
		{[]string{"car", "person"}, []int{3, 1}},
		{[]string{"helmet", "person"}, []int{1, 2}},
		{[]string{"person", "buoy"}, []int{1, 2}},
		{[]string{"sofa", "couch"}, []int{1, 2}}, // two names of one thing are two classes
		{[]string{}, []int{}},
	} {
		if got := Categories(c.labels); !slices.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.labels, got, c.want)
		}
	}
}

func TestABoxOfAnEarlierVersionKeepsTheCategoryThatItSaid(t *testing.T) {
	for _, c := range []struct {
		box  Box
		want int
	}{
		{Box{Label: "person", Class: 1}, 1}, {Box{Label: "face", Class: 4}, 5},
		{Box{Label: "person", Class: 1, Category: 2}, 2},
	} {
		if got := c.box.CategoryID(); got != c.want {
			t.Errorf("%+v: %d, want %d", c.box, got, c.want)
		}
	}
}

func TestLabelsOfTwoModelsNeverShareACategory(t *testing.T) {
	var c CategoryList
	for _, add := range []struct {
		id    int
		label string
		want  int
	}{{1, "helmet", 1}, {2, "person", 2}, {1, "person", 2}, {1, "boat", 91}, {1, "boat", 91}, {2, "buoy", 92}, {1, "helmet", 1}} {
		if got := c.Add(add.id, add.label); got != add.want {
			t.Errorf("%+v: %d", add, got)
		}
	}
	want := []Category{{1, "helmet"}, {2, "person"}, {91, "boat"}, {92, "buoy"}}
	if got := c.List(); !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
}
