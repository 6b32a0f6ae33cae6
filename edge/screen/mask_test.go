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
