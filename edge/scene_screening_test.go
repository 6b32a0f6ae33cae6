package edge

import (
	"os"
	"slices"
	"strings"
	"testing"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func TestASceneIsScreenedByTheFirstNetworkWhoseBandsItHas(t *testing.T) {
	sees := func(name string, bands ...string) screener {
		m := model.Model{Manifest: model.Manifest{Name: name, Input: model.Input{Bands: bands}}}
		return networkScreener{net: guardedNetwork{loadedModel: &loadedModel{model: m}}}
	}
	networks := []screener{sees("six", "blue", "green", "red", "nir", "swir16", "swir22"), sees("colours", "blue", "green", "red")}
	for want, bands := range map[string][]string{
		"six":     {"nir", "blue", "green", "red", "swir16", "swir22", "cirrus"},
		"colours": {"red", "green", "blue", "nir"},
	} {
		if got, _ := fitting(networks, bands).name(); got != want {
			t.Errorf("%v: %s, should be %s", bands, got, want)
		}
	}
	if got, _ := fitting(append(networks[:1:1], spectralScreener{}), []string{"red", "green", "blue"}).name(); got != Spectral {
		t.Errorf("what lacks the network's bands is screened by %s", got)
	}
	if got, _ := fitting(networks, []string{"red"}).name(); got != "colours" {
		t.Errorf("none fits: %s is asked, which says what it lacks, should be the last", got)
	}
}

// TestWithoutNetworksScenesAreScreenedByTheSpectralTest is a device that can't even unpack those that it carries,
// and says so; one that asks for the test; and one that names a network which is not there.
func TestWithoutNetworksScenesAreScreenedByTheSpectralTest(t *testing.T) {
	a := agent(t)
	if err := os.WriteFile(a.networks.carried, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for named, told := range map[string]bool{"": true, Spectral: false} {
		choose, err := a.sceneScreeners(t.Context(), SceneSource{CloudModel: named})
		if err != nil {
			t.Fatal(err)
		}
		s, err := choose(t.Context(), allBands)
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := s.name(); name != Spectral {
			t.Errorf("%q: %s", named, name)
		}
		if why := insteadOfNetwork(s); strings.Contains(why, "cloud_edge_6b can't be loaded") != told || (why != "") != told {
			t.Errorf("%q: %q", named, why)
		}
	}
	if _, err := a.sceneScreeners(t.Context(), SceneSource{CloudModel: "not_there"}); err == nil {
		t.Error("a network that is named and not there is passed over")
	}
}

// wholeScene is a picture that is all of its scene.
func wholeScene(im vision.Image) capture.Picture {
	grid := raster.Grid{Width: im.W, Height: im.H, Size: 256, Group: 1}
	tile, _ := grid.At(0, 0)
	return capture.Picture{Image: im, Scene: &capture.SceneInfo{Grid: grid, Planes: im.Bands}, Tile: &tile}
}

var allBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

// TestADeviceThatWasGivenNoNetworksScreensWithThoseThatItCarries by the bands that a scene has; only the one for
// colours keeps no pixels back.
func TestADeviceThatWasGivenNoNetworksScreensWithThoseThatItCarries(t *testing.T) {
	a := agent(t)
	choose, err := a.sceneScreeners(t.Context(), SceneSource{})
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for want, bands := range map[string][]string{"cloud_edge_6b": allBands, "cloud_edge_rgbn": allBands[:4], "cloud_edge_rgb": allBands[:3]} {
		s, err := choose(t.Context(), bands)
		if err != nil {
			t.Fatal(err)
		}
		if loaded++; len(a.networks.loaded()) != loaded {
			t.Errorf("%v: %d networks are loaded, not only those that scenes needed", bands, len(a.networks.loaded()))
		}
		if name, version := s.name(); name != want || version != "1" || insteadOfNetwork(s) != "" {
			t.Errorf("%v: %s %s %q", bands, name, version, insteadOfNetwork(s))
		}
		im := vision.Image{W: 256, H: 256, Bands: bands}
		for i := range bands {
			plane := make([]float32, im.W*im.H) // thick cloud: bright, a little less so in the short waves
			for p := range plane {
				plane[p] = []float32{0.62, 0.6, 0.59, 0.62, 0.45, 0.33}[i] + 0.02*float32(p%7)/7
			}
			im.Planes = append(im.Planes, plane)
		}
		v, mask, err := s.screen(t.Context(), wholeScene(im))
		if err != nil {
			t.Fatal(err)
		}
		if trusted := want != "cloud_edge_rgb"; v.Score.Cloud > 0.98 && (v.Masked != trusted || v.Keep == trusted) || trusted && v.Score.Cloud < 0.98 || len(mask.Class) != im.W*im.H {
			t.Errorf("%s: %+v", want, v)
		}
	}
}

// TestTheSpectralTestSendsItsMaskOfATileOfCloud where it sees six bands, and of no other tile.
func TestTheSpectralTestSendsItsMaskOfATileOfCloud(t *testing.T) {
	im := vision.Image{W: 4, H: 1, Bands: allBands, Void: []byte{0, 0, 0, 1}}
	for _, v := range []float32{0.62, 0.6, 0.59, 0.62, 0.45, 0.33} {
		im.Planes = append(im.Planes, []float32{v, v, v, v})
	}
	s := spectralScreener{screen.DefaultConfig()}
	v, mask, err := s.screen(t.Context(), wholeScene(im))
	if err != nil || !v.Masked || v.Keep || mask == nil || !slices.Equal(mask.Class, []byte{vision.Cloud, vision.Cloud, vision.Cloud, vision.NoData}) {
		t.Errorf("%+v %v %v", v, mask, err)
	}
	for b := range im.Planes {
		im.Planes[b][0] = 0.02
	}
	if v, mask, _ := s.screen(t.Context(), wholeScene(im)); v.Masked || mask != nil || !v.Keep {
		t.Errorf("with ground in it: %+v", v)
	}
}

func TestSeveralCloudModelsAreNamedWithCommas(t *testing.T) {
	c := Config{Scenes: []SceneSource{{CloudModel: "cloud_edge_6b, cloud_edge_rgb"}, {CloudModel: "cloud_edge_rgb,spectral"}, {}}}
	if got := c.ModelNames(); len(got) != 2 || got[0] != "cloud_edge_6b" || got[1] != "cloud_edge_rgb" {
		t.Errorf("%q", got)
	}
}
