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

// unsureShare is the share of pixels of which no class has the probability sure. A mask that comes
// without probabilities is sure of nothing.
func unsureShare(m *vision.Mask, sure float64) float64 {
	if len(m.Probabilities) == 0 {
		return 1
	}
	least, seen, unsure := int(sure*vision.ProbabilityOne), 0, 0
	for i := range m.Class {
		if m.Class[i] == vision.NoData {
			continue
		}
		seen++
		rest, most := vision.ProbabilityOne, 0
		for _, plane := range m.Probabilities {
			p := int(plane[i])
			rest -= p
			most = max(most, p)
		}
		if max(most, rest) < least {
			unsure++
		}
	}
	return float64(unsure) / float64(max(seen, 1))
}
