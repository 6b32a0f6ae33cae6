package screen

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/vision"
)

// fields is a tile of fields with texture under some light; at and of put a square of another
// spectrum into it.
func fields(seed uint64, gain, offset float32, side int, of []float32) vision.Image {
	const w = 256
	field := rand.New(rand.NewPCG(7, 7))
	noise := rand.New(rand.NewPCG(seed, 1))
	spectra := [][]float32{plants, sea, sand, {0.12, 0.13, 0.14, 0.22, 0.25, 0.2}}
	kinds := make([]int, 16*16)
	for i := range kinds {
		kinds[i] = field.IntN(len(spectra))
	}
	im := vision.Image{W: w, H: w, Bands: bands}
	for b := range bands {
		plane := make([]float32, w*w)
		for i := range plane {
			x, y := i%w, i/w
			v := spectra[kinds[y/16*16+x/16]][b]
			if x >= 80 && x < 80+side && y >= 80 && y < 80+side {
				v = of[b]
			}
			plane[i] = gain*v + offset + 0.004*(noise.Float32()-0.5)
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

var burnt = []float32{0.05, 0.05, 0.06, 0.08, 0.22, 0.24}

// at is where the tiles of these tests lie.
var at = ground.Place{System: "EPSG:32632 10 0 0 -10 0 0 " + "blue,green,red,nir,swir16,swir22", At: ground.Pixel{Col: 50_003, Row: -500_001}, Inside: ground.Rect{W: 256, H: 256}}

// viewsOf are the views that an overview leaves behind.
func viewsOf(ov ground.Overview) map[ground.Block]ground.View {
	views := map[ground.Block]ground.View{}
	for _, b := range ov.Blocks() {
		if v, ok := ov.Patch(b, ground.Source{Name: "before"}); ok {
			views[b] = v
		}
	}
	return views
}

// against screens a tile by its overview and by an earlier one of the same ground.
func against(c Config, now, before vision.Image) Decision {
	v := c.Tile(now, nil, "")
	c.Against(&v, c.Overview(now, nil, at), viewsOf(c.Overview(before, nil, at)))
	return v
}

func TestGroundThatLooksTheSameIsNotSentAgain(t *testing.T) {
	changes := DefaultConfig()
	changes.Scenes.Change = 0.005
	before := fields(1, 1, 0, 0, nil)
	cloudBefore, cloudNow := fields(1, 1, 0, 128, thick), fields(2, 1, 0, 128, thick)
	snowed := fields(2, 1, 0, 256, snow)
	for _, c := range []struct {
		name        string
		now, before vision.Image
		reason      string
		least, most float64
	}{
		{"nothing but noise", fields(2, 1, 0, 0, nil), before, Unchanged, 0, 0.002},
		{"a lower sun", fields(2, 0.8, 0, 0, nil), before, Unchanged, 0, 0.002},
		{"haze", fields(2, 0.9, 0.04, 0, nil), before, Unchanged, 0, 0.002},
		{"a burnt square under another light", fields(2, 0.85, 0.02, 64, burnt), before, Kept, 0.03, 0.09},
		{"a small burnt square", fields(2, 1, 0, 12, burnt), before, Unchanged, 0.0005, 0.005},
		{"the fire is over", before, fields(2, 1, 0, 64, burnt), Kept, 0.03, 0.09},
		{"snow everywhere", snowed, before, Kept, 0.4, 1},
		{"a cloud over the same ground", cloudNow, before, Unchanged, 0, 0.002},
		{"ground that a cloud had hidden", before, cloudBefore, Kept, 0.2, 0.4},
		{"the cloud is still there", cloudNow, cloudBefore, Unchanged, 0, 0.002},
	} {
		v := against(changes, c.now, c.before)
		if v.Reason != c.reason || v.Keep != (c.reason == Kept) || v.Score.Change < c.least || v.Score.Change > c.most {
			t.Errorf("%s: %+v", c.name, v)
		}
		all := changes
		all.KeepEverything = true
		if v := against(all, c.now, c.before); !v.Keep {
			t.Errorf("%s, all kept: %+v", c.name, v)
		}
		if v := against(DefaultConfig(), c.now, c.before); !v.Keep {
			t.Errorf("%s, without a threshold: %+v", c.name, v)
		}
	}
}

// TestACloudsShadowIsNoChange lays one beside a cloud, and the same darkness where no cloud is.
func TestACloudsShadowIsNoChange(t *testing.T) {
	changes := DefaultConfig()
	changes.Scenes.Change = 0.005
	before := fields(1, 1, 0, 0, nil)
	for cloud, reason := range map[int]string{48: Unchanged, 0: Kept} {
		now := fields(2, 1, 0, cloud, thick)
		for _, plane := range now.Planes {
			for y := 160; y < 220; y++ {
				for x := 160; x < 220; x++ {
					plane[y*256+x] *= 0.4
				}
			}
		}
		if v := against(changes, now, before); v.Reason != reason {
			t.Errorf("with a cloud of %d pixels a side: %+v", cloud, v)
		}
	}
}

func TestWhatCantBeComparedIsSent(t *testing.T) {
	changes := DefaultConfig()
	changes.Scenes.Change = 0.5
	im := fields(1, 1, 0, 0, nil)
	overview := changes.Overview(im, nil, at)
	void := im
	void.Void = bytes.Repeat([]byte{1}, 256*256)
	for name, c := range map[string]struct {
		now   ground.Overview
		views map[ground.Block]ground.View
	}{
		"no views":          {overview, nil},
		"nothing seen now":  {changes.Overview(void, nil, at), viewsOf(overview)},
		"an 8-bit picture":  {changes.Overview(vision.Image{W: 2, H: 2, Pix: make([]byte, 12)}, nil, at), viewsOf(overview)},
		"a tile of no size": {changes.Overview(vision.Image{}, nil, at), viewsOf(overview)},
	} {
		v := Decision{Keep: true}
		if _, ok := changes.Against(&v, c.now, c.views); ok || !v.Keep {
			t.Errorf("%s: %v %+v", name, ok, v)
		}
	}
}

func TestANetworksMaskHidesCloudsAndShadows(t *testing.T) {
	here := at
	here.At = ground.Pixel{}
	im := fields(1, 1, 0, 0, nil)
	mask := &vision.Mask{W: 256, H: 256, Class: make([]byte, 256*256)}
	for y := range 256 {
		mask.Class[y*256], mask.Class[y*256+1] = vision.Shadow, vision.Shadow // half of the first column of cells
		for x := 252; x < 256; x++ {
			mask.Class[y*256+x] = vision.Cloud // all of the last, which hides its neighbour too
		}
	}
	ov := DefaultConfig().Overview(im, mask, here)
	for row := range ov.H {
		first, second, last := ov.Cells[row*ov.W], ov.Cells[row*ov.W+1], ov.Cells[row*ov.W+62:row*ov.W+64]
		if first != 0 || second == 0 || last[0] != 0 || last[1] != 0 {
			t.Fatalf("row %d: %v", row, ov.Cells[row*ov.W:(row+1)*ov.W])
		}
	}
}

func BenchmarkAgainst(b *testing.B) {
	c := DefaultConfig()
	now, views := c.Overview(fields(2, 0.9, 0.01, 64, burnt), nil, at), viewsOf(c.Overview(fields(1, 1, 0, 0, nil), nil, at))
	for b.Loop() {
		v := Decision{Keep: true}
		c.Against(&v, now, views)
	}
}
