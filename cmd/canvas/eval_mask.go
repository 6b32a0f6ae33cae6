package main

import (
	"context"
	"fmt"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// tileSide is the side of the tiles that decisions are counted in, pixels: of masks that are given, and
// of networks that take any size.
const tileSide = 256

func evalMaskCommand() *urfave.Command {
	return &urfave.Command{
		Name: "mask", Usage: "IoU, F1, accuracy and tile decisions of segmentation models, of the rules for clouds (spectral, visible, spectral_rgb), or of given masks",
		Flags: measureFlags(
			&urfave.StringSliceFlag{Name: "labels", Required: true, Usage: "label rasters, `FILE|GLOB`; may be given again"},
			&urfave.StringFlag{Name: "legend", Value: "canvas", Usage: "what the labels' numbers mean: canvas, l8biome, ukis, or 0=clear,1=shadow,2=cloud,3=thin,4=snow,255=none"},
			&urfave.StringSliceFlag{Name: "scene", Usage: "the scenes, in the labels' order: a --model, a rule, or the first of NAME,NAME whose bands a scene has, makes masks of them; `FILE|GLOB`"},
			&urfave.StringSliceFlag{Name: "mask", Usage: "masks made before (mask.tif), in the labels' order; `FILE|GLOB`"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the scenes' order, where they have none"},
			&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance, where the scenes do not say"},
			&urfave.Float64Flag{Name: "max-cloud", Value: 0.98, Usage: "a tile with a larger share is one to drop"}),
		Action: func(c *urfave.Context) error {
			m, err := newMeasure(c)
			if err != nil {
				return err
			}
			k := maskMeasure{measure: m, options: raster.Options{Bands: splitBands(c.String("bands")), ReflectanceScale: c.Float64("reflectance-scale")}}
			k.report.Tiles.MaxCloud = c.Float64("max-cloud")
			if k.legend, err = evaluate.ParseLegend(c.String("legend")); err != nil {
				return cli.Usage(err)
			}
			return k.run(c.Context, c.StringSlice("labels"), c.StringSlice("scene"), c.StringSlice("mask"))
		},
	}
}

type maskMeasure struct {
	measure
	legend  evaluate.Legend
	options raster.Options
	makers  []maker // of masks; none: masks are given
	total   evaluate.Confusion
	worst   []tileFaults
	report  maskReport
}

func (k *maskMeasure) run(ctx context.Context, labelled, scenes, masks []string) error {
	if len(scenes) > 0 == (len(masks) > 0) {
		return cli.Usagef("give either --scene with --model, or --mask with masks made before")
	}
	inputs, labels, err := pairs(append(scenes, masks...), labelled)
	if err != nil {
		return err
	}
	if len(scenes) > 0 {
		closing, err := k.choose(ctx)
		if err != nil {
			return err
		}
		defer closing()
	}
	for i, path := range inputs {
		if err := k.scene(ctx, path, labels[i]); err != nil {
			return err
		}
	}
	k.report.All = k.total.Scores()
	if k.out != "" {
		if err := k.picture(); err != nil {
			return err
		}
	}
	return k.finish(k.report, k.report.table)
}

// pairs are files and the labels of each.
func pairs(given, labelled []string) (files, labels []string, err error) {
	if labels, err = (job{}).expandAll(labelled, rasterEndings); err != nil {
		return nil, nil, err
	}
	if files, err = (job{}).expandAll(given, rasterEndings); err != nil {
		return nil, nil, err
	}
	if len(files) != len(labels) {
		return nil, nil, cli.Usagef("%d labels and %d scenes or masks: give one for each, in the same order", len(labels), len(files))
	}
	return files, labels, nil
}

// scene compares one scene, or its mask, with its labels, tile by tile.
func (k *maskMeasure) scene(ctx context.Context, path, labels string) error {
	in, truth, err := openPair(path, labels, k.options)
	if err != nil {
		return err
	}
	defer in.Close()
	defer truth.Close()
	s := in.Info()
	var by *maker
	side, overlap, name := tileSide, 0, ""
	if len(k.makers) > 0 {
		by = fitting(k.makers, s)
		side, name = by.side, by.name
		if !by.rule && (s.Width > side || s.Height > side) {
			overlap = side / 4 // networks see less at their borders
		}
	}
	var counts evaluate.Confusion
	for tile := range (raster.Grid{Width: s.Width, Height: s.Height, Size: side, Overlap: overlap}).Tiles() {
		if err := ctx.Err(); err != nil {
			return err
		}
		want, err := truth.ReadClasses(tile.Core)
		if err != nil {
			return err
		}
		got, err := by.mask(ctx, in, tile)
		if err != nil {
			return fmt.Errorf("%s, tile %s: %w", filepath.Base(path), tile.Name(), err)
		}
		var c evaluate.Confusion
		c.Add(&k.legend, want, got)
		k.report.Tiles.Add(c)
		counts.Join(c)
		k.remember(tileFaults{shortName(path) + " " + tile.Name(), c.Errors(), tile.Core.W, tile.Core.H, want, got})
	}
	k.total.Join(counts)
	k.report.Scenes = append(k.report.Scenes, sceneScores{shortName(path), name, counts.Scores()})
	return nil
}

// openPair opens a scene, or a mask, and its labels.
func openPair(path, labels string, options raster.Options) (in, truth *raster.Scene, err error) {
	if truth, err = raster.Open(labels, raster.Options{}); err != nil {
		return nil, nil, err
	}
	if in, err = raster.Open(path, options); err != nil {
		truth.Close()
		return nil, nil, err
	}
	if t, s := truth.Info(), in.Info(); t.Width != s.Width || t.Height != s.Height {
		in.Close()
		truth.Close()
		return nil, nil, cli.Usagef("%s has %d x %d pixels and its labels %s %d x %d: they are not of the same scene",
			path, s.Width, s.Height, labels, t.Width, t.Height)
	}
	return in, truth, nil
}

// shortName tells products apart: each is a mask.tif in its scene's folder.
func shortName(path string) string {
	return filepath.Join(filepath.Base(filepath.Dir(path)), filepath.Base(path))
}

// mask is the mask of a tile's core: made, or without a maker the scene itself.
func (m *maker) mask(ctx context.Context, in *raster.Scene, tile raster.Tile) ([]byte, error) {
	if m == nil {
		return in.ReadClasses(tile.Core)
	}
	im, err := in.ReadMirrored(tile.Window, m.bands)
	if err != nil {
		return nil, err
	}
	mask, err := m.of(ctx, im)
	if err != nil {
		return nil, err
	}
	return coreOf(mask, im, tile), nil
}

// coreOf cuts a tile's core out of the mask of its window; pixels without data are marked.
func coreOf(mask vision.Mask, im vision.Image, tile raster.Tile) []byte {
	core := make([]byte, 0, tile.Core.W*tile.Core.H)
	at := tile.Core.Sub(tile.Window)
	for y := at.Y; y < at.Y+at.H; y++ {
		row := y*im.W + at.X
		core = append(core, mask.Class[row:row+at.W]...)
		if im.Void != nil {
			for i, void := range im.Void[row : row+at.W] {
				if void != 0 {
					core[len(core)-at.W+i] = vision.NoData
				}
			}
		}
	}
	return core
}
