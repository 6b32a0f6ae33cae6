package measure

import (
	"context"
	"fmt"
	"path/filepath"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// tileSide is the side of the tiles that decisions are counted in, pixels: of masks that are given, and
// of networks that take any size.
const tileSide = 256

// Mask measures masks, made of scenes or given, on label rasters.
type Mask struct {
	Options
	Legend   evaluate.Legend
	Reading  raster.Options
	MaxCloud float64 // a tile with a larger share is one to drop

	makers []maker // of masks; none: masks are given
	total  evaluate.Confusion
	worst  []tileFaults
	report maskReport
}

// Run compares files with the labels of each: scenes of which masks are made, or masks.
func (k *Mask) Run(ctx context.Context, files, labels []string, scenes bool) error {
	k.report.Tiles.MaxCloud = k.MaxCloud
	if scenes {
		closing, err := k.choose(ctx)
		if err != nil {
			return err
		}
		defer closing()
	}
	for i, path := range files {
		if err := k.scene(ctx, path, labels[i]); err != nil {
			return err
		}
	}
	k.report.All = k.total.Scores()
	if k.Out != "" {
		if err := k.picture(); err != nil {
			return err
		}
	}
	return k.finish(k.report, k.report.table)
}

// scene compares one scene, or its mask, with its labels, tile by tile.
func (k *Mask) scene(ctx context.Context, path, labels string) error {
	in, truth, err := openPair(path, labels, k.Reading)
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
		c.Add(&k.Legend, want, got)
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
		return nil, nil, mistakef("%s has %d x %d pixels and its labels %s %d x %d: they are not of the same scene",
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
