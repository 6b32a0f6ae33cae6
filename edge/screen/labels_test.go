package screen

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func asset(t testing.TB, name string) string {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "assets")
	}
	path := filepath.Join(dir, name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("the asset %s is not here: set CANVAS_ASSETS to the folder of assets", name)
	}
	return path
}

// load reads a whole scene of 256 x 256 pixels.
func load(t testing.TB, path string, names ...string) vision.Image {
	t.Helper()
	s, err := raster.Open(path, raster.Options{Bands: names})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var wanted []string
	for _, n := range names {
		if n != "" {
			wanted = append(wanted, n)
		}
	}
	im, err := s.Read(raster.Window{W: 256, H: 256}, wanted)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// TestCloudsOfLabelledScenesAreFound compares with the labels of L8 Biome. Each row says how much of
// the scene the test may miss, or take for cloud too much: thin clouds are missed, which only costs
// bytes, and no clear ground is left out.
func TestCloudsOfLabelledScenesAreFound(t *testing.T) {
	for _, c := range []struct {
		scene          string
		missed, beyond float64 // of the cloud share
	}{
		{"Barren_00_0214", 0, 0.01}, {"Forest_03_0209", 0.05, 0}, {"GrassCrops_00_1014", 0.45, 0},
		{"SnowIce_00_1415", 0, 0.01}, {"Urban_00_0515", 0, 0.05}, {"Water_01_0922", 0, 0.01},
	} {
		t.Run(c.scene, func(t *testing.T) {
			im := load(t, asset(t, "scenes/l8biome_"+c.scene+".tif"), "blue", "green", "red", "nir", "swir16", "swir22", "", "")
			label := load(t, asset(t, "scenes/l8biome_"+c.scene+"_mask.tif"), "gray").Planes[0]
			var cloud, seen float64
			for i, v := range label { // 8 bits are read as 0 to 1: 192 and more are cloud
				if v > 0 && (len(im.Void) == 0 || im.Void[i] == 0) {
					seen++
					if v >= 192.0/255-0.001 {
						cloud++
					}
				}
			}
			v := DefaultConfig().Tile(im, nil, "")
			if d := v.Score.Cloud - cloud/seen; v.By != Fmask || d > c.beyond || d < -c.missed {
				t.Errorf("labelled %.3f, found %+v", cloud/seen, v)
			}
			if !v.Keep && cloud/seen < 0.9 {
				t.Errorf("it is left out with %.3f of cloud", cloud/seen)
			}
		})
	}
}

// TestBrightWhiteOf8BitsIsTakenForCloudAndNeverLeftOutForIt is all that colours can tell.
func TestBrightWhiteOf8BitsIsTakenForCloudAndNeverLeftOutForIt(t *testing.T) {
	for name, c := range map[string]struct {
		bgr   [3]byte
		cloud float64
	}{
		"cloud": {[3]byte{235, 232, 230}, 1}, "thin cloud": {[3]byte{150, 140, 135}, 1}, "snow overviews the same": {[3]byte{250, 248, 245}, 1},
		"asphalt": {[3]byte{40, 42, 44}, 0}, "sand": {[3]byte{90, 130, 170}, 0}, "sea": {[3]byte{36, 20, 8}, 0}, "bright green sea": {[3]byte{102, 128, 89}, 0}, "a muddy river": {[3]byte{95, 130, 140}, 0}, "a lagoon": {[3]byte{170, 160, 80}, 0},
		"shadow on grey": {[3]byte{30, 28, 26}, 0}, "a wood": {[3]byte{20, 40, 15}, 0},
	} {
		im := vision.Image{W: 20, H: 20}
		for range 400 {
			im.Pix = append(im.Pix, c.bgr[:]...)
		}
		if v := DefaultConfig().Tile(im, nil, ""); v.By != Visible || v.Score.Cloud != c.cloud || !v.Keep {
			t.Errorf("%s: %+v", name, v)
		}
	}
}

func TestASatellitesSnapshotIsScreenedByItsColours(t *testing.T) {
	im := load(t, asset(t, "scenes/opssat_1597559030639_2.png"), "red", "green", "blue")
	if v := DefaultConfig().Tile(im, nil, ""); v.By != Visible || !v.Keep {
		t.Errorf("%+v", v)
	}
}

// TestRealGroundIsKnownAgainUnderAnotherLight compares Landsat patches with themselves, dimmed, hazy
// and noisy, and with one another.
func TestRealGroundIsKnownAgainUnderAnotherLight(t *testing.T) {
	c := DefaultConfig()
	random := rand.New(rand.NewPCG(1, 1))
	var overviews []ground.Overview
	for _, name := range []string{"Barren_00_0214", "Forest_03_0209", "Water_01_0922", "SnowIce_00_1415"} {
		im := load(t, asset(t, "scenes/l8biome_"+name+".tif"), "blue", "green", "red", "nir", "swir16", "swir22", "", "")
		here := at
		here.Inside = ground.Rect{W: im.W, H: im.H}
		before := c.Overview(im, nil, here)
		overviews = append(overviews, before)
		for b, plane := range im.Planes {
			haze := 0.03 / float32(b+1)
			for i := range plane {
				plane[i] = plane[i]*(0.9+0.02*float32(b)) + haze + 0.01*float32(random.NormFloat64())
			}
		}
		v := Decision{Keep: true}
		if _, ok := c.Against(&v, c.Overview(im, nil, here), viewsOf(before)); !ok || v.Score.Change > 0.01 {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for i, now := range overviews {
		other := viewsOf(overviews[(i+1)%len(overviews)])
		v := Decision{Keep: true}
		if _, ok := c.Against(&v, now, other); !ok || v.Score.Change < 0.1 {
			t.Errorf("patch %d against the next: %+v", i, v)
		}
	}
}
