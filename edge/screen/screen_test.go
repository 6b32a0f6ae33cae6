package screen

import (
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/vision"

	"pgregory.net/rapid"
)

var bands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

// Typical top-of-atmosphere reflectances.
var (
	thick  = []float32{0.45, 0.44, 0.45, 0.50, 0.35, 0.25}
	snow   = []float32{0.80, 0.78, 0.76, 0.70, 0.06, 0.04}
	plants = []float32{0.09, 0.08, 0.05, 0.35, 0.18, 0.09}
	sea    = []float32{0.10, 0.06, 0.03, 0.02, 0.01, 0.01}
	sand   = []float32{0.20, 0.27, 0.36, 0.42, 0.52, 0.45}
)

// tile is w x w pixels; the first share of them is one spectrum, the rest another.
func tile(w int, share float64, first, rest []float32, names ...string) vision.Image {
	im := vision.Image{W: w, H: w, Bands: names}
	for b := range names {
		plane := make([]float32, w*w)
		for i := range plane {
			plane[i] = rest[b]
			if float64(i) < share*float64(len(plane)) {
				plane[i] = first[b]
			}
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

func near(a, b float64) bool { return math.Abs(a-b) < 0.001 }

func TestCloudsAreToldFromWhatElseIsBright(t *testing.T) {
	for name, c := range map[string]struct {
		of    []float32
		share float64
	}{"cloud": {thick, 1}, "snow": {snow, 0}, "plants": {plants, 0}, "sea": {sea, 0}, "sand": {sand, 0}} {
		v := DefaultConfig().Tile(tile(16, 1, c.of, c.of, bands...), nil, "")
		if v.By != Fmask || v.Score.Cloud != c.share || !near(v.Value, 1-c.share) {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestTilesAreLeftOutOnlyBeyondTheThresholds(t *testing.T) {
	clouded := func(share float64) vision.Image { return tile(100, share, thick, plants, bands...) }
	void := func(share float64) vision.Image {
		im := clouded(0)
		im.Void = make([]byte, 10000)
		for i := range int(share * 10000) {
			im.Void[i] = 1
		}
		return im
	}
	rgbSnow := tile(100, 1, snow, snow, bands[:3]...)
	trusting := DefaultConfig()
	trusting.Scenes.TrustVisible = true
	all := DefaultConfig()
	all.KeepEverything = true
	for _, c := range []struct {
		name   string
		config Config
		im     vision.Image
		reason string
		value  float64
	}{
		{"clear", DefaultConfig(), clouded(0), Kept, 1},
		{"half", DefaultConfig(), clouded(0.5), Kept, 0.5},
		{"nearly all cloud", DefaultConfig(), clouded(0.979), Kept, 0.021},
		{"all cloud", DefaultConfig(), clouded(0.98), Cloud, 0.02},
		{"all cloud, all kept", all, clouded(1), Kept, 0},
		{"nearly no data", DefaultConfig(), void(0.98), Kept, 0.02},
		{"no data", DefaultConfig(), void(0.99), NoData, 0.01},
		{"nothing", DefaultConfig(), void(1), NoData, 0},
		{"nothing, all kept", all, void(1), Kept, 0},
		{"visible bands are not trusted", DefaultConfig(), rgbSnow, Kept, 0},
		{"unless they are", trusting, rgbSnow, Cloud, 0},
	} {
		v := c.config.Tile(c.im, nil, "")
		if v.Reason != c.reason || v.Keep != (c.reason == Kept) || !near(v.Value, c.value) {
			t.Errorf("%s: %+v", c.name, v)
		}
	}
}

func TestCloudsAreCountedAmongThePixelsWithData(t *testing.T) {
	im := tile(10, 0.5, thick, plants, bands...)
	im.Void = make([]byte, 100)
	for i := 25; i < 75; i++ {
		im.Void[i] = 1
	}
	v := DefaultConfig().Tile(im, nil, "")
	if !near(v.Score.Cloud, 0.5) || !near(v.Score.NoData, 0.5) || !near(v.Value, 0.25) {
		t.Errorf("%+v", v)
	}
}

func TestAModelsMaskDecidesWhereThereIsOne(t *testing.T) {
	im := tile(2, 1, thick, thick, bands...)
	mask := &vision.Mask{W: 2, H: 2, Class: []byte{vision.Clear, vision.Shadow, vision.Cloud, vision.NoData}}
	v := DefaultConfig().Tile(im, mask, "cloud_rgbiswir_256")
	if v.By != "cloud_rgbiswir_256" || !near(v.Score.Cloud, 1.0/3) || !v.Keep {
		t.Errorf("%+v", v)
	}
	if v := DefaultConfig().Tile(im, &vision.Mask{}, "m"); v.By != Fmask {
		t.Errorf("an empty mask: %+v", v)
	}
}

func TestScenesWithoutInfraredAreScreenedByWhatTheyHave(t *testing.T) {
	for n, want := range map[int]string{3: Visible, 4: Visible, 5: Visible, 6: Fmask, 2: ""} {
		if v := DefaultConfig().Tile(tile(4, 1, thick, thick, bands[:n]...), nil, ""); v.By != want || !v.Keep && n < 6 {
			t.Errorf("%d bands: %+v", n, v)
		}
	}
	im := vision.Image{W: 2, H: 1, Pix: []byte{230, 230, 230, 40, 60, 20}}
	if v := DefaultConfig().Tile(im, nil, ""); v.By != Visible || v.Score.Cloud != 0.5 {
		t.Errorf("8 bits: %+v", v)
	}
}

func TestBrightWaterIsToldByItsNearInfrared(t *testing.T) {
	water := []float32{0.45, 0.42, 0.42, 0.34} // as on the labelled patch Water_01_0922 of L8 Biome
	for n, cloud := range map[int]float64{3: 1, 4: 0} {
		if v := DefaultConfig().Tile(tile(4, 1, water, water, bands[:n]...), nil, ""); v.By != Visible || v.Score.Cloud != cloud || !v.Keep {
			t.Errorf("%d bands: %+v", n, v)
		}
	}
}

func TestADecisionIsWithinItsRangesWhateverThePixels(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(0, 6).Draw(t, "bands")
		im := vision.Image{W: 3, H: 2, Bands: bands[:n]}
		for range n {
			im.Planes = append(im.Planes, rapid.SliceOfN(rapid.OneOf(rapid.Float32(), rapid.Just(float32(math.NaN())),
				rapid.Just(float32(math.Inf(1)))), 6, 6).Draw(t, "plane"))
		}
		im.Void = rapid.SliceOfN(rapid.ByteRange(0, 1), 6, 6).Draw(t, "void")
		v := DefaultConfig().Tile(im, nil, "")
		for _, share := range []float64{v.Value, v.Score.Cloud, v.Score.NoData} {
			if !(share >= 0 && share <= 1) {
				t.Fatalf("%+v", v)
			}
		}
		if v.Keep != (v.Reason == Kept) {
			t.Fatalf("%+v", v)
		}
	})
}

func TestConfigurationMistakesAreAllNamed(t *testing.T) {
	c := DefaultConfig()
	c.Scenes.CloudDrop, c.Cameras.Motion, c.Cameras.KeepEvery = 98, math.NaN(), -1
	var fields []string
	c.Problems(func(field, _, _ string) { fields = append(fields, field) })
	if got := strings.Join(fields, " "); got != "scenes.cloud_drop cameras.motion cameras.keep_every" {
		t.Errorf("%s", got)
	}
	DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("default %s: %s", field, message) })
}

// TestScreeningImportsNothingThatActs holds the package to its promise.
func TestScreeningImportsNothingThatActs(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{join .Imports \" \"}}", ".").Output()
	if err != nil {
		t.Skip("go list is not to be had: ", err)
	}
	for _, banned := range []string{"os", "net", "time", "log", "log/slog"} {
		if strings.Contains(" "+strings.TrimSpace(string(out))+" ", " "+banned+" ") {
			t.Errorf("it imports %s", banned)
		}
	}
}

func BenchmarkTile(b *testing.B) {
	c := DefaultConfig()
	im := tile(256, 0.5, thick, plants, bands...)
	for _, p := range im.Planes {
		for i := range p {
			p[i] *= 0.9 + 0.2*rand.Float32()
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		c.Tile(im, nil, "")
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(time.Millisecond), "of-1ms-limit")
}
