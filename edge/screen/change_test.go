package screen

import (
	"math/rand/v2"
	"slices"
	"testing"

	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

// ground is a tile of fields with texture under some light; at and of put a square of another
// spectrum into it.
func ground(seed uint64, gain, offset float32, side int, of []float32) vision.Image {
	const w = 128
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
			v := spectra[kinds[y/8*16+x/8]][b]
			if x >= 40 && x < 40+side && y >= 40 && y < 40+side {
				v = of[b]
			}
			plane[i] = gain*v + offset + 0.004*(noise.Float32()-0.5)
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

var burnt = []float32{0.05, 0.05, 0.06, 0.08, 0.22, 0.24}

// against judges a tile by its overview and by an earlier one of the same ground.
func against(c Config, now, before vision.Image) Decision {
	v := c.Tile(now, nil, "")
	c.Against(&v, c.Overview(now, nil), c.Overview(before, nil))
	return v
}

func TestGroundThatLooksTheSameIsNotSentAgain(t *testing.T) {
	changes := DefaultConfig()
	changes.Scenes.Change = 0.005
	before := ground(1, 1, 0, 0, nil)
	cloudBefore, cloudNow := ground(1, 1, 0, 64, thick), ground(2, 1, 0, 64, thick)
	snowed := ground(2, 1, 0, 128, snow)
	for _, c := range []struct {
		name        string
		now, before vision.Image
		reason      string
		least, most float64
	}{
		{"nothing but noise", ground(2, 1, 0, 0, nil), before, Unchanged, 0, 0.002},
		{"a lower sun", ground(2, 0.8, 0, 0, nil), before, Unchanged, 0, 0.002},
		{"haze", ground(2, 0.9, 0.04, 0, nil), before, Unchanged, 0, 0.002},
		{"a burnt square under another light", ground(2, 0.85, 0.02, 32, burnt), before, Kept, 0.03, 0.09},
		{"a small burnt square", ground(2, 1, 0, 6, burnt), before, Unchanged, 0.0005, 0.005},
		{"the fire is over", before, ground(2, 1, 0, 32, burnt), Kept, 0.03, 0.09},
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
	before := ground(1, 1, 0, 0, nil)
	for cloud, reason := range map[int]string{24: Unchanged, 0: Kept} {
		now := ground(2, 1, 0, cloud, thick)
		for _, plane := range now.Planes {
			for y := 80; y < 110; y++ {
				for x := 80; x < 110; x++ {
					plane[y*128+x] *= 0.4
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
	im := ground(1, 1, 0, 0, nil)
	overview := changes.Overview(im, nil)
	other := overview
	other.Bands = slices.Clone(bands)
	other.Bands[5] = "swir1"
	void := im
	void.Void = slices.Repeat([]byte{1}, 128*128)
	for name, c := range map[string]struct{ now, before Overview }{
		"no overview before": {overview, Overview{}},
		"other bands":        {overview, other},
		"nothing seen now":   {changes.Overview(void, nil), overview},
		"an 8-bit picture":   {changes.Overview(vision.Image{W: 2, H: 2, Pix: make([]byte, 12)}, nil), overview},
		"a tile of no size":  {changes.Overview(vision.Image{}, nil), overview},
	} {
		if v := (Decision{Keep: true}); changes.Against(&v, c.now, c.before) || !v.Keep {
			t.Errorf("%s: %+v", name, v)
		}
	}
	// Seen, but never in the same place: all of it is new.
	v := Decision{Keep: true}
	if !changes.Against(&v, overview, changes.Overview(void, nil)) || v.Score.Change != 1 || !v.Keep {
		t.Errorf("nothing in common: %+v", v)
	}
}

func TestANetworksMaskHidesCloudsAndShadows(t *testing.T) {
	im := ground(1, 1, 0, 0, nil)
	mask := &vision.Mask{W: 128, H: 128, Class: make([]byte, 128*128)}
	for y := range 128 {
		mask.Class[y*128] = vision.Shadow                                         // half of the first column of cells
		mask.Class[y*128+127], mask.Class[y*128+126] = vision.Cloud, vision.Cloud // all of the last, which hides its neighbour too
	}
	l := DefaultConfig().Overview(im, mask)
	for row := range l.H {
		first, second, last := l.Cells[row*l.W], l.Cells[row*l.W+1], l.Cells[row*l.W+62:row*l.W+64]
		if first != 0 || second == 0 || last[0] != 0 || last[1] != 0 {
			t.Fatalf("row %d: %v", row, l.Cells[row*l.W:(row+1)*l.W])
		}
	}
}

// TestALookIsOnlyEverFilledWithClearGround keeps the view of what a cloud hides, in the new light.
func TestALookIsOnlyEverFilledWithClearGround(t *testing.T) {
	c := DefaultConfig()
	before := c.Overview(ground(1, 1, 0, 0, nil), nil)
	now := c.Overview(ground(2, 0.8, 0, 64, thick), nil)
	v := Decision{Keep: true}
	if !c.Against(&v, now, before) {
		t.Fatal("not compared")
	}
	now.Fill(before)
	want := c.Overview(ground(3, 0.8, 0, 0, nil), nil)
	for i, code := range now.Cells {
		if d := int(code) - int(want.Cells[i]); code == 0 || d < -8 || d > 8 {
			t.Fatalf("cell %d is %d, want %d", i, code, want.Cells[i])
		}
	}
	now.Fill(Overview{}) // changes nothing
}

func TestALookComesBackAsItWasKept(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Overview{W: rapid.IntRange(1, 64).Draw(t, "w"), H: rapid.IntRange(1, 64).Draw(t, "h"),
			Bands: rapid.SliceOfN(rapid.StringN(0, 9, 30), 1, 16).Draw(t, "bands")}
		l.Cells = make([]byte, l.W*l.H*len(l.Bands))
		for i := range l.Cells {
			l.Cells[i] = byte(rand.IntN(256))
		}
		data, err := l.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		var back Overview
		if err := back.UnmarshalBinary(data); err != nil || !back.like(l) || !slices.Equal(back.Cells, l.Cells) {
			t.Fatalf("%v: %d x %d %q", err, back.W, back.H, back.Bands)
		}
	})
	if _, err := (Overview{}).MarshalBinary(); err == nil {
		t.Error("an empty overview was kept")
	}
}

func FuzzLook(f *testing.F) {
	whole, _ := DefaultConfig().Overview(ground(1, 1, 0, 0, nil), nil).MarshalBinary()
	for _, seed := range [][]byte{nil, []byte("CL1"), []byte("CL1\x01\x01\x01\x04blue"), whole, whole[:len(whole)/2]} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var l Overview
		if err := l.UnmarshalBinary(data); err != nil {
			return
		}
		if _, err := l.MarshalBinary(); err != nil {
			t.Errorf("an overview of %d x %d that was read can't be written: %v", l.W, l.H, err)
		}
		v := Decision{Keep: true}
		DefaultConfig().Against(&v, l, l)
		if !(v.Score.Change >= 0 && v.Score.Change <= 1) {
			t.Errorf("%+v", v)
		}
	})
}

func BenchmarkAgainst(b *testing.B) {
	c := DefaultConfig()
	now, before := c.Overview(ground(2, 0.9, 0.01, 32, burnt), nil), c.Overview(ground(1, 1, 0, 0, nil), nil)
	for b.Loop() {
		v := Decision{Keep: true}
		c.Against(&v, now, before)
	}
}
