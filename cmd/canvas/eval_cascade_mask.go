package main

import (
	"context"
	"fmt"
	"image/png"
	"path/filepath"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/evaluate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func cascadeMaskCommand() *urfave.Command {
	return &urfave.Command{
		Name: "mask", Usage: "tiles go as the device's mask where it is sure, as pixels where it is not",
		Flags: cascadeFlags(
			&urfave.StringSliceFlag{Name: "scene", Required: true, Usage: "the scenes, of one sensor; `FILE|GLOB`"},
			&urfave.StringSliceFlag{Name: "labels", Required: true, Usage: "label rasters in the scenes' order, `FILE|GLOB`"},
			&urfave.StringFlag{Name: "legend", Value: "canvas", Usage: "what the labels' numbers mean, as for eval mask"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the scenes' order, where they have none"},
			&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance, where the scenes do not say"},
			&urfave.IntFlag{Name: "tile", Value: 256, Usage: "side of a tile, pixels"},
			&urfave.Float64Flag{Name: "sure", Value: screen.DefaultConfig().Scenes.Sure, Usage: "probability from which on a class is sure"}),
		Action: func(c *urfave.Context) error {
			k, err := newCascade(c)
			if err != nil {
				return err
			}
			rules := screen.DefaultConfig()
			rules.Scenes.Sure = c.Float64("sure")
			m := maskCascade{cascade: k, rules: rules, side: c.Int("tile"),
				options: raster.Options{Bands: splitBands(c.String("bands")), ReflectanceScale: c.Float64("reflectance-scale")}}
			if m.legend, err = evaluate.ParseLegend(c.String("legend")); err != nil {
				return cli.Usage(err)
			}
			if m.side < 32 || m.side > 4096 {
				return cli.Usagef("--tile %d; use 32 to 4096 pixels", m.side)
			}
			return m.run(c.Context, c.StringSlice("scene"), c.StringSlice("labels"))
		},
	}
}

type maskCascade struct {
	cascade
	rules   screen.Config
	legend  evaluate.Legend
	options raster.Options
	side    int
	small   maskMeasure // the device's
	large   maskMeasure // the cloud's
	pieces  []evaluate.Piece
	bySmall []evaluate.Confusion
	byLarge []evaluate.Confusion
}

func (k *maskCascade) run(ctx context.Context, scenes, labelled []string) error {
	files, labels, err := pairs(scenes, labelled)
	if err != nil {
		return err
	}
	for _, side := range []struct {
		of   *maskMeasure
		name string
	}{{&k.small, k.edge}, {&k.large, k.cloud}} {
		side.of.measure = k.of(side.name)
		closing, err := side.of.choose(ctx)
		if err != nil {
			return err
		}
		defer closing()
	}
	for i, path := range files {
		if err := k.scene(ctx, path, labels[i]); err != nil {
			return fmt.Errorf("%s: %w", filepath.Base(path), err)
		}
	}
	all := 0
	for _, p := range k.pieces {
		all += p.Large
	}
	cloud := k.quality(0)
	found := way{Pieces: len(k.pieces), Cascade: evaluate.MeasureCascade(k.pieces, k.quality, cloud, all, k.budget, k.steps)}
	if found.Pays {
		found.Setting = map[string]string{"screen.scenes.unsure": fmt.Sprintf("%.4g", found.Chosen.Doubt)}
	}
	report := cascadeReport{EdgeModel: k.edge, CloudModel: k.cloud, Figure: "IoU of cloud", Doubt: "share of unsure pixels", AllBytes: all, Budget: k.budget}
	report.recommend([]way{found})
	return k.tell(report)
}

// quality is the IoU of cloud where tiles from that doubt on are seen by the cloud's model.
func (k *maskCascade) quality(doubt float64) float64 {
	var total evaluate.Confusion
	for i, p := range k.pieces {
		if p.Doubt >= doubt {
			total.Join(k.byLarge[i])
		} else {
			total.Join(k.bySmall[i])
		}
	}
	return total.Scores().Classes[vision.Cloud].IoU
}

// scene asks both models for every tile.
func (k *maskCascade) scene(ctx context.Context, path, labels string) error {
	in, truth, err := openPair(path, labels, k.options)
	if err != nil {
		return err
	}
	defer in.Close()
	defer truth.Close()
	bands := slices.DeleteFunc(slices.Clone(in.Info().Bands), func(b string) bool { return b == "" })
	coding, err := in.Coding(bands)
	if err != nil {
		return err
	}
	grid := raster.Grid{Width: in.Info().Width, Height: in.Info().Height, Size: k.side, Overlap: k.side / 4}
	if grid.Width <= k.side && grid.Height <= k.side {
		grid.Overlap = 0
	}
	device, cloud := fitting(k.small.makers, in.Info()), fitting(k.large.makers, in.Info())
	for tile := range grid.Tiles() {
		if err := ctx.Err(); err != nil {
			return err
		}
		want, err := truth.ReadClasses(tile.Core)
		if err != nil {
			return err
		}
		im, err := in.ReadMirrored(tile.Window, bands)
		if err != nil {
			return err
		}
		pixels, err := raster.EncodeTile(im, in.Info().Georef.Window(tile.Window), coding)
		if err != nil {
			return err
		}
		own, err := device.of(ctx, im)
		if err != nil {
			return err
		}
		mask, err := vision.EncodeProbabilities(own.Sure(), png.BestCompression)
		if err != nil {
			return err
		}
		heavy, err := cloud.of(ctx, im)
		if err != nil {
			return err
		}
		doubt := k.rules.Tile(im, &own, k.edge).Score.Unsure
		k.pieces = append(k.pieces, evaluate.Piece{Doubt: doubt, Small: len(mask), Large: len(pixels)})
		var small, large evaluate.Confusion
		small.Add(&k.legend, want, coreOf(own, im, tile))
		large.Add(&k.legend, want, coreOf(heavy, im, tile))
		k.bySmall, k.byLarge = append(k.bySmall, small), append(k.byLarge, large)
	}
	return nil
}
