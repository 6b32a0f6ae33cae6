package screen

import "cloudcanvas/shared/vision"

// SpectralMask is where the spectral test sees cloud, and the test's name, so that it can be measured
// on labels: by the very function that counts a tile's share. The name is empty where the picture has
// no bands that a test needs.
func (c Config) SpectralMask(im vision.Image) (by string, class []byte) {
	class = make([]byte, im.W*im.H)
	mark := make([]byte, len(class))
	by, _ = cloudShare(im, float32(c.Scenes.MinBlue), mark)
	for i := range class {
		switch {
		case len(im.Void) == len(class) && im.Void[i] != 0:
			class[i] = vision.NoData
		case mark[i] != 0:
			class[i] = vision.Cloud
		}
	}
	return by, class
}
