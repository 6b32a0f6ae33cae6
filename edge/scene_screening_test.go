package edge

import (
	"testing"

	"cloudcanvas/shared/model"
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

// TestWithoutNetworksScenesAreScreenedByTheSpectralTest is a device that was given none, and one that
// names a network which is not there.
func TestWithoutNetworksScenesAreScreenedByTheSpectralTest(t *testing.T) {
	a := agent(t)
	for _, named := range []string{"", Spectral} {
		choose, err := a.sceneScreeners(t.Context(), SceneSource{CloudModel: named})
		if err != nil {
			t.Fatal(err)
		}
		if name, _ := choose([]string{"blue", "green", "red", "nir", "swir16", "swir22"}).name(); name != Spectral {
			t.Errorf("%q: %s", named, name)
		}
	}
	if _, err := a.sceneScreeners(t.Context(), SceneSource{CloudModel: "not_there"}); err == nil {
		t.Error("a network that is named and not there is passed over")
	}
}

func TestSeveralCloudModelsAreNamedWithCommas(t *testing.T) {
	c := Config{Scenes: []SceneSource{{CloudModel: "cloud_edge_6b, cloud_edge_rgb"}, {CloudModel: "cloud_edge_rgb,spectral"}, {}}}
	if got := c.ModelNames(); len(got) != 2 || got[0] != "cloud_edge_6b" || got[1] != "cloud_edge_rgb" {
		t.Errorf("%q", got)
	}
}
