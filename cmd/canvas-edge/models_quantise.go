package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/google/renameio/v2"
	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/calibrate"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/pictures/album"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

func quantiseCommand(folders urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name: "quantise", Usage: "find out which convolutions of a model do in 8 bits, for engines onnxruntime-int8 and openvino-int8", ArgsUsage: "NAME",
		Flags: []urfave.Flag{
			&urfave.StringSliceFlag{Name: "scenes", Usage: "scenes that a model of bands is calibrated on, as it will see them; `FILE|GLOB`, may be given again"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the bands in the scenes' order, where they have none"},
			&urfave.Float64Flag{Name: "reflectance-scale", Usage: "stored number to reflectance, where the scenes do not say"},
			&urfave.StringFlag{Name: "images", Usage: "`DIR` of pictures that a model of pictures is calibrated on"},
			&urfave.IntFlag{Name: "pictures", Value: 64, Usage: "how many pictures or windows are used at most: half give ranges, half compare"},
			&urfave.Float64Flag{Name: "agreement", Value: 0.995, Usage: "how alike 8 bits and float must be on each compared picture, 0 to 1"},
			&urfave.StringFlag{Name: "out", Usage: "`FILE` to write in place of int8.json beside the model"},
			folders,
		},
		Action: quantiseModel,
	}
}

func quantiseModel(c *urfave.Context) error {
	log, err := cli.Logger(c, "info")
	if err != nil {
		return err
	}
	if c.NArg() != 1 {
		return cli.Usagef("quantise takes the name of one model; `canvas-edge models ls` lists those that are here")
	}
	if a := c.Float64("agreement"); !(a > 0 && a <= 1) {
		return cli.Usagef("--agreement %g: give a share above 0 and up to 1", a)
	}
	r, _, err := openModels(c)
	if err != nil {
		return err
	}
	m, err := r.Find(c.Args().First())
	if err != nil {
		return cli.Usage(err)
	}
	if m.Builtin != "" {
		return cli.Usagef("%s is no network: take one with an ONNX file", m.Name)
	}
	pictures, err := calibrationPictures(c, m)
	if err != nil {
		return err
	}
	pictures = thin(pictures, c.Int("pictures"))
	if len(pictures) < calibrate.Least {
		return cli.Usagef("%d pictures or windows: %d are the least, 30 a good start", len(pictures), calibrate.Least)
	}
	result, err := calibrate.Run(c.Context, calibrate.Options{Model: m, Pictures: len(pictures), Agreement: c.Float64("agreement"), Threads: runtime.GOMAXPROCS(0), Log: log,
		Picture: func(n int) (vision.Image, error) { return pictures[n]() }})
	if errors.Is(err, calibrate.ErrDisagrees) {
		return cli.Incompletef("%w; nothing was written", err)
	}
	if err != nil {
		return err
	}
	data, err := result.Plan.Encode()
	if err != nil {
		return err
	}
	path := c.String("out")
	if path == "" {
		path = m.Int8Path()
	}
	if err := renameio.WriteFile(path, data, 0o644); err != nil {
		return err
	}
	tellQuantised(c, result, path)
	return nil
}

func tellQuantised(c *urfave.Context, r calibrate.Result, path string) {
	w, a := c.App.Writer, r.Plan.Agreement
	share := 0.0
	for _, k := range r.Kept {
		share += k.Share
		visible.Fprintf(w, "8 bits  %4.1f %%  %s%s\n", 100*k.Share, k.Output, alone(k))
	}
	for _, k := range r.Float {
		if k.Share >= 0.01 {
			visible.Fprintf(w, "float   %4.1f %%  %s: %s%s\n", 100*k.Share, k.Output, k.Reason, alone(k))
		}
	}
	reasons := map[string]int{}
	for _, s := range r.Skipped {
		reasons[s.Reason]++
	}
	for reason, n := range reasons {
		visible.Fprintf(w, "float   %d convolutions: %s\n", n, reason)
	}
	visible.Fprintf(w, "%s: %d convolutions with %.0f %% of the work of the dense ones; %s %.4f in the mean, %.4f at worst, on %d pictures that did not calibrate it\n",
		path, len(r.Kept), 100*share, a.Measure, a.Mean, a.Worst, a.Pictures)
}

func alone(k calibrate.Choice) string {
	if k.Cost < 0 {
		return ""
	}
	return fmt.Sprintf(" (alone it changes %.3f %%)", 100*k.Cost)
}

// thin takes so many, evenly.
func thin[T any](all []T, most int) []T {
	if most < 1 || len(all) <= most {
		return all
	}
	some := make([]T, 0, most)
	for i := range most {
		some = append(some, all[i*len(all)/most])
	}
	return some
}

// calibrationPictures are the pictures or windows that the flags name, not yet read.
func calibrationPictures(c *urfave.Context, m model.Model) (all []func() (vision.Image, error), err error) {
	scenes, images := c.StringSlice("scenes"), c.String("images")
	switch bands := len(m.Input.Bands) > 0; {
	case bands && (len(scenes) == 0 || images != ""):
		return nil, cli.Usagef("model %s takes bands: give --scenes", m.Name)
	case !bands && (images == "" || len(scenes) > 0):
		return nil, cli.Usagef("model %s takes pictures: give --images", m.Name)
	case !bands:
		entries, err := os.ReadDir(images)
		if err != nil {
			return nil, cli.Usagef("--images: %w", err)
		}
		for _, e := range entries {
			if path := filepath.Join(images, e.Name()); !e.IsDir() && pictures.Meant(path) {
				all = append(all, func() (vision.Image, error) { return readPicture(path) })
			}
		}
		return all, nil
	}
	options := raster.Options{ReflectanceScale: c.Float64("reflectance-scale")}
	if given := c.String("bands"); given != "" {
		options.Bands = strings.Split(given, ",")
	}
	for _, pattern := range scenes {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			return nil, cli.Usagef("--scenes %s: no such file", pattern)
		}
		for _, path := range paths {
			windows, err := windowsOf(path, options, m)
			if err != nil {
				return nil, err
			}
			all = append(all, windows...)
		}
	}
	return all, nil
}

func readPicture(path string) (vision.Image, error) {
	im, err := album.Read(path, maxPicture)
	if err != nil {
		return im, fmt.Errorf("%s: %w", path, err)
	}
	return im, nil
}

// windowsOf cuts a scene as workers do, without overlap.
func windowsOf(path string, options raster.Options, m model.Model) (all []func() (vision.Image, error), err error) {
	s, err := raster.Open(path, options)
	if err != nil {
		return nil, cli.Usage(err)
	}
	info := s.Info()
	s.Close()
	side := 256
	if len(m.Input.Size) == 2 && m.Input.Size[0] == m.Input.Size[1] {
		side = m.Input.Size[0]
	}
	for tile := range (raster.Grid{Width: info.Width, Height: info.Height, Size: side}).Tiles() {
		all = append(all, func() (vision.Image, error) {
			s, err := raster.Open(path, options)
			if err != nil {
				return vision.Image{}, err
			}
			defer s.Close()
			return s.ReadMirrored(tile.Window, m.Input.Bands)
		})
	}
	return all, nil
}
