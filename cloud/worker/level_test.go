package worker

import (
	"context"
	"errors"
	"slices"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// levels is a catalogue of models that are never opened.
type levels map[string]Needs

func (l levels) Describe(name string) (Needs, error) {
	if n, ok := l[name]; ok {
		n.Version = "1"
		return n, nil
	}
	return Needs{}, errors.New("it is not there")
}

func (l levels) Open(context.Context, string) (Network, error) {
	return nil, errors.New("it is not there")
}

// TestScenesOfALevelGoToModelsForIt has a six-band model for surface reflectance, and none of four bands.
func TestScenesOfALevelGoToModelsForIt(t *testing.T) {
	bands := map[int][]string{6: {"blue", "green", "red", "nir", "swir16", "swir22"}, 4: {"blue", "green", "red", "nir"}, 3: {"blue", "green", "red"}}
	there := levels{"six": {Bands: bands[6]}, "four": {Bands: bands[4]}, "six_2a": {Bands: bands[6]}}
	registry, err := NewRegistry(Config{Models: []Choice{{Want: "segment", Model: "six"}, {Want: "segment", Model: "four"}, {Want: "segment", Model: SpectralRGB},
		{Want: "segment", Model: "six_2a", Level: "2A", Optional: true}, {Want: "segment", Model: "four_2a", Level: "2A", Optional: true}}}, there)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		level string
		bands int
		asked string
		want  string
	}{
		{"", 6, "", "six"}, {"1C", 6, "", "six"}, {"L2", 6, "", "six"}, {"2A", 6, "", "six_2a"}, {"L2A", 6, "", "six_2a"}, {"Level-2a", 6, "", "six_2a"},
		{"2A", 4, "", "four"}, {"2A", 3, "", SpectralRGB}, {"2A", 6, "six", "six"}, {"1C", 6, "six_2a", "six_2a"},
	} {
		im := vision.Image{W: 1, H: 1, Bands: bands[c.bands]}
		for range im.Bands {
			im.Planes = append(im.Planes, []float32{0})
		}
		r, err := registry.Pick(&event.Item{Kind: event.Tile, Attrs: event.Attrs{Want: "segment", Level: c.level, Model: c.asked}}, &im)
		if err != nil || r.Name != c.want {
			t.Errorf("level %q, %d bands, asked for %q: %v, %v; want %s", c.level, c.bands, c.asked, r, err, c.want)
		}
	}
	// The same of the shipped configuration, with all its models and without those for the level.
	needs := levels{"ukis_csmask_6b_l1c": {Bands: bands[6]}, "ukis_csmask_4b_l1c": {Bands: bands[4]}}
	for _, suffix := range []string{"l1c", "l2a"} {
		needs["ukis_csmask_6b_"+suffix], needs["ukis_csmask_4b_"+suffix] = Needs{Bands: bands[6]}, Needs{Bands: bands[4]}
		shipped, err := NewRegistry(DefaultConfig(), needs)
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range map[string]int{"6b": 6, "4b": 4} {
			im := vision.Image{W: 1, H: 1, Bands: bands[n], Planes: slices.Repeat([][]float32{{0}}, n)}
			r, err := shipped.Pick(&event.Item{Kind: event.Tile, Attrs: event.Attrs{Want: "segment", Level: "Level-2A"}}, &im)
			if want := "ukis_csmask_" + name + "_" + suffix; err != nil || r.Name != want {
				t.Errorf("level 2A, %d bands, with models up to %s: %v, %v", n, suffix, r, err)
			}
		}
	}
	if _, err := NewRegistry(Config{Models: []Choice{{Want: "segment", Model: "four_2a", Level: "2A"}}}, there); err == nil {
		t.Error("a model that is not there, and not optional, is passed over")
	}
}
