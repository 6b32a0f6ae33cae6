package measure

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// Rules that make masks without a network, by the names that --model takes.
const (
	SpectralScreen = "spectral"     // the edge's test, in the form that a scene's bands allow
	VisibleScreen  = screen.Visible // … and the form of it for colours, whatever else a scene has
)

// maker makes the mask of a window.
type maker struct {
	name  string
	bands []string // what it reads; nil: all that there are
	rule  bool     // it looks at each pixel by itself
	side  int      // of its windows, pixels
	of    func(ctx context.Context, im vision.Image) (vision.Mask, error)
}

var colours = []string{"blue", "green", "red"}

// rules are the makers that a name without a network stands for, the one that sees most first.
func rules(name string) []maker {
	edge := func(_ context.Context, im vision.Image) (vision.Mask, error) {
		by, class := screen.DefaultConfig().SpectralMask(im)
		if by == "" {
			return vision.Mask{}, fmt.Errorf("the spectral test needs blue, green and red, not %v; name the bands with --bands", im.Bands)
		}
		return vision.Mask{W: im.W, H: im.H, Class: class}, nil
	}
	switch name {
	case SpectralScreen:
		return []maker{{name: name, rule: true, of: edge}}
	case VisibleScreen:
		byColour := func(ctx context.Context, im vision.Image) (vision.Mask, error) {
			return edge(ctx, without(im, "swir16", "swir22"))
		}
		return []maker{{name: name, rule: true, bands: append([]string{"nir"}, colours...), of: byColour}, {name: name, rule: true, bands: colours, of: byColour}}
	case worker.SpectralRGB:
		return []maker{{name: name, rule: true, bands: colours, of: worker.SpectralMask}}
	}
	return nil
}

// without is a picture that lacks some bands.
func without(im vision.Image, bands ...string) vision.Image {
	left := im
	left.Bands, left.Planes = nil, nil
	for i, b := range im.Bands {
		if !slices.Contains(bands, b) {
			left.Bands, left.Planes = append(left.Bands, b), append(left.Planes, im.Planes[i])
		}
	}
	return left
}

// choose opens all that --model names: a rule, a network, or several with commas, of which the first
// whose bands a scene has makes its mask, as on devices and in workers.
func (k *Mask) choose(ctx context.Context) (closing func(), err error) {
	var closers []func()
	closing = func() {
		for _, c := range closers {
			c()
		}
	}
	names := strings.FieldsFunc(k.Model, func(r rune) bool { return r == ',' || r == ' ' })
	if len(names) == 0 {
		names = []string{""} // the first network that is there
	}
	var used, engines []string
	for _, name := range names {
		if makers := rules(name); makers != nil {
			for _, m := range makers {
				m.side = tileSide
				k.makers = append(k.makers, m)
			}
			used = append(used, name)
			continue
		}
		net, m, opened, err := k.Open(ctx, name, model.Segment)
		if err != nil {
			closing()
			return nil, err
		}
		closers = append(closers, func() { net.Close() })
		side := tileSide
		if size := m.Input.Size; len(size) == 2 && size[0] == size[1] {
			side = size[0]
		}
		k.makers = append(k.makers, maker{name: m.Name, bands: m.Input.Bands, side: side, of: func(ctx context.Context, im vision.Image) (vision.Mask, error) {
			out, err := net.Run(ctx, []vision.Image{im})
			if err != nil {
				return vision.Mask{}, err
			}
			return out[0].Mask, nil
		}})
		used, engines, k.report.Device = append(used, m.Name), append(engines, opened.Engine), opened.Device
	}
	k.report.Model, k.report.Engine = strings.Join(used, ","), strings.Join(engines, ",")
	return closing, nil
}

// fitting is the first maker whose bands the scene has; where none does the last one, which then says
// what it lacks.
func fitting(makers []maker, scene raster.Info) *maker {
	for i := range makers {
		if scene.Require(makers[i].bands...) == nil {
			return &makers[i]
		}
	}
	return &makers[len(makers)-1]
}
