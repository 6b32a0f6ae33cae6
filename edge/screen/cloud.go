package screen

import (
	"slices"

	"cloudcanvas/shared/vision"
)

// Names of the tests that tell cloud from ground, as they stand in decisions and manifests.
const (
	// Fmask is the potential cloud pixels of Fmask without its thermal part: Zhu and Woodcock,
	// Object-based cloud and cloud shadow detection in Landsat imagery, Remote Sensing of
	// Environment 118 (2012), equations 1 to 4 (basic test, whiteness, HOT, NIR/SWIR); Zhu, Wang
	// and Woodcock, Improvement and expansion of the Fmask algorithm, ibid. 159 (2015), for
	// sensors without thermal bands.
	Fmask = "fmask-pcp"
	// Visible is its part that needs no infrared (whiteness and HOT), with NDVI where there is a
	// near infrared, for scenes that lack the short waves; what has the colours of water is none. It
	// takes snow and sun glint for cloud.
	Visible = "visible"
)

// RulesVersion is that of the tests, with which the masks are marked that they make.
const RulesVersion = "1"

const (
	maxWhiteness = 0.7  // sum of each visible band's distance from their mean, over the mean
	hotOffset    = 0.08 // of the haze optimised transformation: blue - 0.5 red - 0.08 > 0
	minSWIR22    = 0.03
	maxNDVI      = 0.8 // above: plants
	minNIRtoRed  = 0.9 // below: water, which swallows near infrared also where it is as bright and white as cloud (docs/benchmarks.md)
	// maxNDSI is where snow begins (Hall, Riggs and Salomonson, Remote Sensing of Environment 54
	// (1995)). Fmask's own 0.8 leaves snow to its thermal part; here a tile that is taken for cloud
	// is not sent, so what may be snow is not cloud: clear snow of L8 Biome has an NDSI of 0.56.
	maxNDSI      = 0.4
	minNIRtoSWIR = 0.75 // below: bright rock
)

// cloudShare is the share of cloud among the pixels with data, and the test that was used; empty
// where the picture has no blue, green and red. Each cloudy pixel is set in mark, unless that is nil.
func cloudShare(im vision.Image, minBlue float32, mark []byte) (by string, share float64) {
	n := im.W * im.H
	blue, green, red := im.Plane("blue"), im.Plane("green"), im.Plane("red")
	nir, swir16, swir22 := im.Plane("nir"), im.Plane("swir16"), im.Plane("swir22")
	var cloud, seen int
	switch {
	case n == 0:
		return "", 0
	case len(im.Pix) == 3*n:
		by = Visible
		cloud, seen = cloud8bit(im, minBlue, mark)
	case len(blue) != n || len(green) != n || len(red) != n:
		return "", 0
	case len(nir) == n && len(swir16) == n && len(swir22) == n:
		by = Fmask
		cloud, seen = cloudFmask(blue, green, red, nir, swir16, swir22, im.Void, minBlue, mark)
	default:
		by = Visible
		if len(nir) != n {
			nir = nil
		}
		cloud, seen = cloudVisible(blue, green, red, nir, im.Void, minBlue, mark)
	}
	if seen == 0 {
		return by, 0
	}
	return by, float64(cloud) / float64(seen)
}

// visible is the part of the test for blue, green and red. A pixel that is not a number is none.
func visible(b, g, r, minBlue float32) bool {
	if !(b > minBlue) || !(b-0.5*r > hotOffset) {
		return false
	}
	mean := (b + g + r) * (1.0 / 3)
	return abs(b-mean)+abs(g-mean)+abs(r-mean) < maxWhiteness*mean
}

// coloured is visible where nothing but colours tells water from cloud.
func coloured(b, g, r, minBlue float32) bool {
	return visible(b, g, r, minBlue) && !vision.WaterColoured(b, g, r)
}

func abs(v float32) float32 { return max(v, -v) }

// cloudFmask counts clouds and pixels with data. Indices are compared without dividing:
// NDSI < 0.4 is green - swir16 < 0.4 (green + swir16) for the positive sums of bright pixels.
func cloudFmask(blue, green, red, nir, swir16, swir22 []float32, void []byte, minBlue float32, mark []byte) (cloud, seen int) {
	n := len(blue)
	green, red, nir, swir16, swir22 = green[:n], red[:n], nir[:n], swir16[:n], swir22[:n]
	if len(void) != n {
		void = nil
	}
	seen = n
	for i, b := range blue {
		if void != nil && void[i] != 0 {
			seen--
			continue
		}
		g, r := green[i], red[i]
		if !visible(b, g, r, minBlue) {
			continue
		}
		ir, s := nir[i], swir16[i]
		if swir22[i] > minSWIR22 && g-s < maxNDSI*(g+s) && ir-r < maxNDVI*(ir+r) && ir > minNIRtoSWIR*s {
			cloud++
			if mark != nil {
				mark[i] = 1
			}
		}
	}
	return cloud, seen
}

func cloudVisible(blue, green, red, nir []float32, void []byte, minBlue float32, mark []byte) (cloud, seen int) {
	n := len(blue)
	green, red = green[:n], red[:n]
	if len(void) != n {
		void = nil
	}
	seen = n
	for i, b := range blue {
		if void != nil && void[i] != 0 {
			seen--
			continue
		}
		r := red[i]
		if coloured(b, green[i], r, minBlue) && (nir == nil || nir[i]-r < maxNDVI*(nir[i]+r) && nir[i] > minNIRtoRed*r) {
			cloud++
			if mark != nil {
				mark[i] = 1
			}
		}
	}
	return cloud, seen
}

// cloud8bit takes 0 … 255 for reflectance 0 … 1, as quicklooks and frames of small satellites have it.
func cloud8bit(im vision.Image, minBlue float32, mark []byte) (cloud, seen int) {
	void := im.Void
	if len(void) != im.W*im.H {
		void = nil
	}
	for i := range im.W * im.H {
		if void != nil && void[i] != 0 {
			continue
		}
		seen++
		p := im.Pix[3*i : 3*i+3]
		if coloured(float32(p[0])/255, float32(p[1])/255, float32(p[2])/255, minBlue) {
			cloud++
			if mark != nil {
				mark[i] = 1
			}
		}
	}
	return cloud, seen
}

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

// Overcast is the mask of a tile that is nothing but cloud, for the tile to be known by: ground only where the
// network is sure that it is. Specks of doubt within a sheet of cloud are mostly its thin places, which the networks
// miss more often than they take ground for cloud (docs/benchmarks.md).
func (c Config) Overcast(m vision.Mask) vision.Mask {
	if len(m.Probabilities) < vision.Cloud {
		return m
	}
	cloud, most := m.Probabilities[vision.Cloud-1], vision.ProbabilityOne-int(c.Scenes.Sure*vision.ProbabilityOne)
	m.Class = slices.Clone(m.Class)
	for i, class := range m.Class {
		if class != vision.NoData && int(cloud[i]) > most {
			m.Class[i] = vision.Cloud
		}
	}
	return m
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
		if certainty(m, i) < least {
			unsure++
		}
	}
	return float64(unsure) / float64(max(seen, 1))
}
