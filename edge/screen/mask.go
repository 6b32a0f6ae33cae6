package screen

import "cloudcanvas/shared/vision"

// SpectralMask is where the spectral test sees cloud, and the test's name, so that it can be measured
// on labels: each pixel is judged by the very function that counts a tile's share. The name is empty
// where the picture has no bands that a test needs.
func (c Config) SpectralMask(im vision.Image) (by string, class []byte) {
	class = make([]byte, im.W*im.H)
	one := vision.Image{W: 1, H: 1, Bands: im.Bands, Planes: make([][]float32, len(im.Planes))}
	for i := range class {
		if len(im.Void) == len(class) && im.Void[i] != 0 {
			class[i] = vision.NoData
			continue
		}
		if im.Pix != nil {
			one.Pix = im.Pix[3*i : 3*i+3]
		}
		for b, plane := range im.Planes {
			one.Planes[b] = plane[i : i+1]
		}
		var share float64
		if by, share = cloudShare(one, float32(c.Scenes.MinBlue)); share > 0 {
			class[i] = vision.Cloud
		}
	}
	return by, class
}
