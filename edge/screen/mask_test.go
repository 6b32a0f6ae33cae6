package screen

import (
	"math/rand/v2"
	"testing"

	"cloudcanvas/shared/vision"
)

func TestTheMaskOfTheSpectralTestHasItsShare(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	const w, h = 40, 30
	for _, bands := range [][]string{{"blue", "green", "red"}, {"blue", "green", "red", "nir"}, {"blue", "green", "red", "nir", "swir16", "swir22"}} {
		im := vision.Image{W: w, H: h, Bands: bands, Void: make([]byte, w*h)}
		for range bands {
			plane := make([]float32, w*h)
			for i := range plane {
				plane[i] = 0.3 + 0.1*r.Float32()
			}
			im.Planes = append(im.Planes, plane)
		}
		for i := range im.Void[:100] {
			im.Void[i] = 1
		}
		im.Planes[0][200] = 0.01
		c := DefaultConfig()
		by, class := c.SpectralMask(im)
		cloud, seen := 0, 0
		for _, k := range class {
			if k != vision.NoData {
				seen++
			}
			if k == vision.Cloud {
				cloud++
			}
		}
		wantBy, want := cloudShare(im, float32(c.Scenes.MinBlue), nil)
		if by != wantBy || seen != w*h-100 || float64(cloud)/float64(seen) != want || cloud == 0 || cloud == seen {
			t.Errorf("%v: %s marks %d of %d, the share is %g by %s", bands, by, cloud, seen, want, wantBy)
		}
	}
}

func TestTheMaskAloneIsSentWhereTheNetworkIsSure(t *testing.T) {
	im := vision.Image{W: 4, H: 1, Bands: []string{"blue"}, Planes: [][]float32{{0.1, 0.1, 0.1, 0.1}}}
	mask := &vision.Mask{W: 4, H: 1, Class: []byte{vision.Clear, vision.Cloud, vision.Clear, vision.NoData},
		Probabilities: [][]byte{{0, 10, 0, 255}, {5, 240, 100, 255}}} // sure, sure, unsure, nothing
	c := DefaultConfig()
	for unsure, masked := range map[float64]bool{0: false, 0.3: false, 0.34: true, 1: true} {
		c.Scenes.Unsure = unsure
		if v := c.Tile(im, mask, "net"); v.Masked != masked || !v.Keep || v.Score.Unsure != 1./3 {
			t.Errorf("below %v: %+v", unsure, v)
		}
	}
	c.Scenes.Unsure = 1
	if v := c.Tile(im, nil, ""); v.Masked {
		t.Error("the spectral test has no mask to send")
	}
	if v := c.Tile(im, &vision.Mask{W: 4, H: 1, Class: mask.Class}, "net"); v.Masked {
		t.Error("a mask without probabilities is sure of nothing")
	}
	c.Scenes.CloudDrop = 0.3
	v := c.Tile(im, mask, "net")
	if !v.Masked || v.Keep || v.Reason != Cloud {
		t.Errorf("nothing but cloud: %+v", v)
	}
	if v = v.Ranked(); v.Masked || !v.Keep || v.Reason != Kept || v.Score.Cloud == 0 {
		t.Errorf("a mask that only ranks: %+v", v)
	}
	c.KeepEverything = true
	if v := c.Tile(im, mask, "net"); v.Masked || !v.Keep {
		t.Errorf("everything is kept, pixels and all: %+v", v)
	}
}
