package evaluate

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func TestMaskFiguresByHand(t *testing.T) {
	plain, biome := legend(t, "canvas"), legend(t, "l8biome")
	for _, c := range []struct {
		name                 string
		legend               Legend
		truth, mask          []byte
		iou, f1, acc, shadow float64
		undecided, notJudged int64
	}{
		{"all right", plain, []byte{0, 1, 2, 2}, []byte{0, 1, 2, 2}, 1, 1, 1, 1, 0, 0},
		{"half the cloud", plain, []byte{0, 0, 2, 2}, []byte{0, 0, 2, 0}, .5, 2. / 3, .75, -1, 0, 0},
		{"shadow where none is labelled is clear", plain, []byte{0, 0, 2, 2}, []byte{1, 0, 2, 2}, 1, 1, 1, -1, 0, 0},
		{"shadow taken for cloud", plain, []byte{1, 1, 2, 2}, []byte{2, 1, 2, 2}, 2. / 3, .8, .75, .5, 0, 0},
		{"what nobody judged does not count", plain, []byte{0, 2, 2, 2}, []byte{255, 254, 254, 2}, 1, 1, 1, -1, 3, 2},
		{"what has no data does not count", plain, []byte{0, 2, 2}, []byte{255, 2, 2}, 1, 1, 1, -1, 1, 0},
		{"fill does not count, thin cloud is cloud", biome, []byte{0, 128, 192, 255}, []byte{2, 0, 0, 2}, .5, 2. / 3, 2. / 3, -1, 0, 0},
		{"no cloud at all", plain, []byte{0, 0}, []byte{0, 0}, -1, -1, 1, -1, 0, 0},
	} {
		var k Confusion
		k.Add(&c.legend, c.truth, c.mask)
		s := k.Scores()
		for name, pair := range map[string][2]float64{"IoU": {s.Classes[2].IoU, c.iou}, "F1": {s.Classes[2].F1, c.f1}, "accuracy": {s.Accuracy, c.acc},
			"IoU of shadow": {s.Classes[1].IoU, c.shadow}, "undecided": {float64(s.Undecided), float64(c.undecided)}, "not judged": {float64(s.NotJudged), float64(c.notJudged)}} {
			if math.Abs(pair[0]-pair[1]) > 1e-12 {
				t.Errorf("%s: %s is %g, want %g", c.name, name, pair[0], pair[1])
			}
		}
	}
}

func legend(t *testing.T, text string) Legend {
	t.Helper()
	l, err := ParseLegend(text)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestThinCloudAndSnowAreToldApart(t *testing.T) {
	l := legend(t, "0=clear,1=cloud,2=thin,3=snow")
	var k Confusion
	k.Add(&l, []byte{0, 0, 1, 2, 2, 3, 3, 3, 3}, []byte{0, 2, 2, 2, 0, 2, 0, 0, 0})
	s := k.Scores()
	if s.ThinFound != .5 || s.ThickFound != 1 || s.SnowAsCloud != .25 || s.ClearAsCloud != .5 {
		t.Errorf("%+v", s)
	}
}

func TestLegendsThatMakeNoSenseAreRefused(t *testing.T) {
	for _, text := range []string{"", "biome", "0", "256=cloud", "-1=cloud", "0=fog", "0=clear,"} {
		if _, err := ParseLegend(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

func TestTilesAreJudgedByTheirShareOfCloud(t *testing.T) {
	l := legend(t, "canvas")
	d := TileDecisions{MaxCloud: 0.5}
	for _, c := range []struct{ truth, mask []byte }{
		{[]byte{2, 2, 2, 0}, []byte{2, 2, 2, 0}}, // dropped
		{[]byte{0, 0, 2, 0}, []byte{2, 2, 2, 0}}, // wrongly lost
		{[]byte{2, 2, 2, 0}, []byte{2, 2, 0, 0}}, // wrongly sent
		{[]byte{0, 0, 0, 0}, []byte{0, 0, 0, 1}}, // sent
		{[]byte{9, 9}, []byte{0, 2}},             // no labels
	} {
		var k Confusion
		k.Add(&l, c.truth, c.mask)
		d.Add(k)
	}
	if want := (TileDecisions{Tiles: 4, MaxCloud: .5, Dropped: 1, Sent: 1, WronglyLost: 1, WronglySent: 1}); d != want {
		t.Errorf("got %+v, want %+v", d, want)
	}
}

func TestCountsOfPartsAddUpToTheWhole(t *testing.T) {
	l := legend(t, "l8biome")
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 40).Draw(t, "n")
		truth := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 64, 128, 192, 255}), n, n).Draw(t, "truth")
		mask := rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 2, 254, 255}), n, n).Draw(t, "mask")
		cut := rapid.IntRange(0, n).Draw(t, "cut")
		var whole, a, b Confusion
		whole.Add(&l, truth, mask)
		a.Add(&l, truth[:cut], mask[:cut])
		b.Add(&l, truth[cut:], mask[cut:])
		if a.Join(b); a != whole {
			t.Fatalf("%v and %v", a, whole)
		}
		for _, c := range whole.Scores().Classes {
			if c.IoU > c.F1+1e-12 || c.F1 > 1 {
				t.Fatalf("%+v", c)
			}
		}
	})
}
