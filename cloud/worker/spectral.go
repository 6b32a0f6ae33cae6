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
// A pixel is cloud where blue reflectance is above 0.20 and the haze-optimised transformation
// blue − 0.5 red − 0.08 is above zero (Zhang, Guindon and Cihlar 2002, with the constants of Fmask,
// Zhu and Woodcock 2012). On the labelled Sentinel-2 scene of ukis-csmask its IoU for cloud is
// 0.822, where blue > 0.20 alone gives 0.816.
const SpectralRGB = "spectral_rgb"

const spectralVersion = "1"

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
				blue, red := float32(m.Pix[i*3])/255, float32(m.Pix[i*3+2])/255
				mask.Class[i] = hazy(blue, red)
			}
		} else {
			blue, red := m.Plane("blue"), m.Plane("red")
			if len(blue) != len(mask.Class) || len(red) != len(mask.Class) {
				return nil, fmt.Errorf("%s needs bands blue and red of %d x %d, the image has %v", SpectralRGB, m.W, m.H, m.Bands)
			}
			for i := range mask.Class {
				mask.Class[i] = hazy(blue[i], red[i])
			}
		}
		out[n].Mask = mask
	}
	return out, nil
}

func hazy(blue, red float32) byte {
	if blue > 0.20 && blue-0.5*red-0.08 > 0 {
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
