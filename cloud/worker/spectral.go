package worker

import (
	"context"
	"fmt"

	"cloudcanvas/shared/vision"
)

// SpectralRGB is the name of a rule that finds clouds where there is nothing but blue, green and
// red. It is no network: it tells bright haze-coloured pixels, and knows neither cloud shadow nor
// how to tell cloud from snow. Results name it, so that nobody takes them for more.
//
// A pixel is cloud where blue reflectance is above 0.20, the haze-optimised transformation
// blue − 0.5 red − 0.08 is above zero (Zhang, Guindon and Cihlar 2002, with the constants of Fmask,
// Zhu and Woodcock 2012), and the colour is none of water's. On the labelled Sentinel-2 scene of
// ukis-csmask its IoU for cloud is 0.819, where blue > 0.20 alone gives 0.816; without the colours of
// water it was 0.822, and bright green sea was all cloud.
const SpectralRGB = "spectral_rgb"

const spectralVersion = "2"

// SpectralMask is the mask that SpectralRGB makes of a picture, so that the rule can be measured.
func SpectralMask(ctx context.Context, im vision.Image) (vision.Mask, error) {
	out, err := spectral{}.Run(ctx, []vision.Image{im})
	if err != nil {
		return vision.Mask{}, err
	}
	return out[0].Mask, nil
}

type spectral struct{}

// Run gives a mask of clear and cloud for each image.
func (spectral) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	out := make([]vision.Output, len(in))
	for n := range in {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		m := &in[n]
		mask := vision.Mask{W: m.W, H: m.H, Class: make([]byte, m.W*m.H)}
		if m.Pix != nil {
			for i := range mask.Class {
				mask.Class[i] = hazy(float32(m.Pix[i*3])/255, float32(m.Pix[i*3+1])/255, float32(m.Pix[i*3+2])/255)
			}
		} else {
			blue, green, red := m.Plane("blue"), m.Plane("green"), m.Plane("red")
			if n := len(mask.Class); len(blue) != n || len(green) != n || len(red) != n {
				return nil, fmt.Errorf("%s needs bands blue, green and red of %d x %d, the image has %v", SpectralRGB, m.W, m.H, m.Bands)
			}
			for i := range mask.Class {
				mask.Class[i] = hazy(blue[i], green[i], red[i])
			}
		}
		out[n].Mask = mask
	}
	return out, nil
}

func hazy(blue, green, red float32) byte {
	if blue > 0.20 && blue-0.5*red-0.08 > 0 && !vision.WaterColoured(blue, green, red) {
		return vision.Cloud
	}
	return vision.Clear
}

// builtin adds the rules that need no file to a catalogue, which may be nil.
type builtin struct{ Catalogue }

func (b builtin) Describe(name string) (Needs, error) {
	if name == SpectralRGB {
		return Needs{Version: spectralVersion, Bands: []string{"blue", "green", "red"}}, nil
	}
	if b.Catalogue == nil {
		return Needs{}, fmt.Errorf("there is no model repository; set one with models.dir")
	}
	return b.Catalogue.Describe(name)
}

func (b builtin) Open(ctx context.Context, name string) (Network, error) {
	if name == SpectralRGB {
		return spectral{}, nil
	}
	return b.Catalogue.Open(ctx, name)
}
