package measure

import (
	"context"
	"fmt"
	"image/png"
	"path/filepath"
	"slices"

	"cloudcanvas/edge/screen"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// CascadeMask sends a tile as the device's mask where that is sure, as pixels where it is not.
type CascadeMask struct {
	Cascade
	Rules   screen.Config
	Legend  evaluate.Legend
	Reading raster.Options
	Side    int // of a tile, pixels

	small   Mask // the device's
	large   Mask // the cloud's
	pieces  []evaluate.Piece
	bySmall []evaluate.Confusion
	byLarge []evaluate.Confusion
}

// Run measures both models over scenes and the labels of each.
func (k *CascadeMask) Run(ctx context.Context, files, labels []string) error {
	for _, side := range []struct {
		of   *Mask
		name string
	}{{&k.small, k.Edge}, {&k.large, k.Cloud}} {
		side.of.Options = k.of(side.name)
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
	found := Way{Pieces: len(k.pieces), Cascade: evaluate.MeasureCascade(k.pieces, k.quality, cloud, all, k.Budget, k.Steps)}
	if found.Pays {
		found.Setting = map[string]string{"screen.scenes.unsure": fmt.Sprintf("%.4g", found.Chosen.Doubt)}
	}
	report := CascadeReport{EdgeModel: k.Edge, CloudModel: k.Cloud, Figure: "IoU of cloud", Doubt: "share of unsure pixels", AllBytes: all, Budget: k.Budget}
	report.recommend([]Way{found})
	return k.tell(report)
}

// quality is the IoU of cloud where tiles from that doubt on are seen by the cloud's model.
func (k *CascadeMask) quality(doubt float64) float64 {
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
func (k *CascadeMask) scene(ctx context.Context, path, labels string) error {
	in, truth, err := openPair(path, labels, k.Reading)
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
	grid := raster.Grid{Width: in.Info().Width, Height: in.Info().Height, Size: k.Side, Overlap: k.Side / 4}
	if grid.Width <= k.Side && grid.Height <= k.Side {
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
		doubt := k.Rules.Tile(im, &own, k.Edge).Score.Unsure
		k.pieces = append(k.pieces, evaluate.Piece{Doubt: doubt, Small: len(mask), Large: len(pixels)})
		var small, large evaluate.Confusion
		small.Add(&k.Legend, want, coreOf(own, im, tile))
		large.Add(&k.Legend, want, coreOf(heavy, im, tile))
		k.bySmall, k.byLarge = append(k.bySmall, small), append(k.byLarge, large)
	}
	return nil
}
