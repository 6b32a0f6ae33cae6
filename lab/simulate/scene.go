// Package simulate makes loads with known truth. Everything that it makes says so.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"cloudcanvas/shared/raster"

	"golang.org/x/sync/errgroup"
)

// SceneOptions say what scene to make.
type SceneOptions struct {
	Out           string // folder for scene.tif and truth.tif, made if it is not there
	Width, Height int    // pixels; 0: 2048
	Base          string // a real scene, repeated as in mirrors; "": a ground made of noise
	BaseBands     []string
	Clouds        float64             // share of the scene under cloud, 0 to 0.9
	Seed          uint64              // the same seed and options make the same scene
	Progress      func(share float64) // called as windows are done, from any goroutine; may be nil
}

const (
	windowWidth  = 2048 // one window's work: a few blocks of the file, 13 MB of six bands
	windowHeight = 512
	reflectance  = 10000 // stored numbers a unit of reflectance
	brightest    = 20000
)

func (o SceneOptions) check() error {
	switch {
	case o.Out == "":
		return errors.New("no folder to write to; give one with --out")
	case o.Width < 16 || o.Height < 16 || o.Width > 200_000 || o.Height > 200_000:
		return fmt.Errorf("%d x %d pixels; use 16 to 200,000 a side", o.Width, o.Height)
	case !(o.Clouds >= 0 && o.Clouds <= 0.9):
		return fmt.Errorf("clouds over %v of the scene; use a share from 0 to 0.9", o.Clouds)
	}
	return nil
}

// Scene writes Out/scene.tif, reflectance x 10,000 as UInt16 with band names, scale, no-data number
// and a place on the Earth, and Out/truth.tif (Byte: 0 clear, 1 cloud shadow, 2 cloud). It works by
// windows: memory does not grow with the scene.
func Scene(ctx context.Context, o SceneOptions) error {
	if o.Width == 0 {
		o.Width = 2048
	}
	if o.Height == 0 {
		o.Height = 2048
	}
	if err := o.check(); err != nil {
		return fmt.Errorf("simulate a scene: %w", err)
	}
	if err := makeScene(ctx, o); err != nil {
		return fmt.Errorf("simulate a scene in %s: %w", o.Out, err)
	}
	return nil
}

func makeScene(ctx context.Context, o SceneOptions) error {
	ground, err := newGround(o)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return err
	}
	sky := newSky(o)
	note := fmt.Sprintf("SIMULATED: clouds and shadows laid over %s, seed %d", ground.what, o.Seed)
	layout := raster.Layout{
		Width: o.Width, Height: o.Height, Bands: ground.bands, DataType: "UInt16", NoData: new(float64), Georef: ground.georef,
		Metadata: map[string]string{"SIMULATED": note, "TIFFTAG_IMAGEDESCRIPTION": note},
		Creation: []string{"TILED=YES", "BLOCKXSIZE=512", "BLOCKYSIZE=512", "INTERLEAVE=BAND", "COMPRESS=ZSTD", "ZSTD_LEVEL=1", "PREDICTOR=2",
			"PHOTOMETRIC=MINISBLACK", "BIGTIFF=IF_SAFER", fmt.Sprintf("NUM_THREADS=%d", runtime.GOMAXPROCS(0))},
	}
	for range ground.bands {
		layout.Scalings = append(layout.Scalings, raster.Scaling{Scale: 1.0 / reflectance})
	}
	scene, err := raster.Create(filepath.Join(o.Out, "scene.tif"), layout)
	if err != nil {
		return err
	}
	defer scene.Close()
	none := 255.0
	layout.Bands, layout.Scalings, layout.DataType, layout.NoData, layout.Creation = []string{"class"}, nil, "Byte", &none, nil
	truth, err := raster.Create(filepath.Join(o.Out, "truth.tif"), layout)
	if err != nil {
		return err
	}
	defer truth.Close()

	windows := windowsOf(o.Width, o.Height)
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	var done atomic.Int64
	for _, w := range windows {
		work.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			clouds := sky.over(w)
			if err := scene.Write(w, ground.under(w, clouds)); err != nil {
				return err
			}
			if err := truth.Write(w, clouds.class); err != nil {
				return err
			}
			if n := done.Add(1); o.Progress != nil {
				o.Progress(float64(n) / float64(len(windows)))
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	return errors.Join(scene.Finish(), truth.Finish())
}

// windowsOf cuts the scene along the file's blocks, so that each is written once.
func windowsOf(width, height int) []raster.Window {
	var all []raster.Window
	for y := 0; y < height; y += windowHeight {
		for x := 0; x < width; x += windowWidth {
			all = append(all, raster.Window{X: x, Y: y, W: min(windowWidth, width-x), H: min(windowHeight, height-y)})
		}
	}
	return all
}
