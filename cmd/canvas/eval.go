package main

import (
	"errors"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/lab/measure"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/raster"
)

func evalCommand() *urfave.Command {
	return &urfave.Command{Name: "eval", Usage: "measure models, or results made elsewhere, on labelled data",
		Subcommands: []*urfave.Command{evalDetectCommand(), evalMaskCommand(), evalTrackCommand(), evalCascadeCommand(), evalSARCommand()}}
}

// measureFlags are what every evaluation of a model takes.
func measureFlags(more ...urfave.Flag) []urfave.Flag {
	return reportFlags(append(more,
		&urfave.StringFlag{Name: "model", Usage: "a model's `NAME`, or an .onnx `FILE` that says enough of itself"},
		&urfave.StringFlag{Name: "engine", Value: infer.Auto, Usage: "auto, onnxruntime-cpu, openvino-cpu, openvino-int8, opencv-cpu, opencv-cuda, …"},
		&urfave.StringSliceFlag{Name: "models", Usage: "a model repository, or a folder of .onnx files; `DIR`"})...)
}

// reportFlags are what every evaluation takes.
func reportFlags(more ...urfave.Flag) []urfave.Flag {
	return append(more,
		&urfave.StringFlag{Name: "out", Usage: "`DIR` for report.json and pictures of the worst cases"},
		&urfave.IntFlag{Name: "worst", Value: 8, Usage: "how many of the worst cases are pictured"},
		&urfave.BoolFlag{Name: "json", Usage: "the figures as JSON"})
}

// measuring reads what all evaluations take. named is the flag that gives the model; labels, a file, names the
// classes of a model that is a file.
func measuring(c *urfave.Context, named, labels string) (measure.Options, error) {
	log, err := begin(c)
	return measure.Options{Model: c.String("model"), Out: c.String("out"), Worst: c.Int("worst"), JSON: c.Bool("json"), Say: c.App.Writer,
		Open: opener(c, log, named, labels)}, err
}

// told makes a mistake in what was asked for one of usage.
func told(err error) error {
	if errors.As(err, new(measure.Mistake)) {
		return cli.Usage(err)
	}
	return err
}

func evalDetectCommand() *urfave.Command {
	return &urfave.Command{
		Name: "detect", Usage: "AP, AP50, AP75, AP by size and AR of a detector, as pycocotools counts them",
		Flags: measureFlags(
			&urfave.StringFlag{Name: "images", Usage: "`DIR` of the pictures that the labels name"},
			classNamesFlag("--model"),
			&urfave.StringFlag{Name: "coco", Required: true, Usage: "labels, a COCO `FILE`"},
			&urfave.StringFlag{Name: "detections", Usage: "score these COCO results and run no model; `FILE`"}),
		Action: func(c *urfave.Context) error {
			o, err := measuring(c, "--model", c.String("labels"))
			if err != nil {
				return err
			}
			return told(measure.Detect{Options: o, Images: c.String("images"), Coco: c.String("coco"), Results: c.String("detections")}.Run(c.Context))
		},
	}
}

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
			o, err := measuring(c, "--model", "")
			if err != nil {
				return err
			}
			k := measure.Mask{Options: o, Reading: readingFlags(c), MaxCloud: c.Float64("max-cloud")}
			if k.Legend, err = evaluate.ParseLegend(c.String("legend")); err != nil {
				return cli.Usage(err)
			}
			scenes, masks := c.StringSlice("scene"), c.StringSlice("mask")
			if len(scenes) > 0 == (len(masks) > 0) {
				return cli.Usagef("give either --scene with --model, or --mask with masks made before")
			}
			files, labels, err := pairs(append(scenes, masks...), c.StringSlice("labels"))
			if err != nil {
				return err
			}
			return told(k.Run(c.Context, files, labels, len(scenes) > 0))
		},
	}
}

// readingFlags are how scenes are read whose files do not say enough.
func readingFlags(c *urfave.Context) raster.Options {
	return raster.Options{Bands: splitBands(c.String("bands")), ReflectanceScale: c.Float64("reflectance-scale")}
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

func evalTrackCommand() *urfave.Command {
	crowd, tracks := evaluate.DefaultCrowd(), detect.DefaultConfig().Tracks
	return &urfave.Command{
		Name: "track", Usage: "HOTA, IDF1, MOTA and id switches of tracks, as TrackEval counts them: on a simulated crowd, or on MOTChallenge's files",
		Flags: reportFlags(
			&urfave.StringSliceFlag{Name: "truth", Usage: "labels, MOTChallenge's gt.txt; none: a simulated crowd; may be given again; `FILE`"},
			&urfave.StringSliceFlag{Name: "detections", Usage: "of the same frames, det.txt: the device's own tracking follows them; `FILE`"},
			&urfave.StringSliceFlag{Name: "tracks", Usage: "score these tracks instead, of any tracker; `FILE`"},
			&urfave.IntFlag{Name: "objects", Value: crowd.Objects, Usage: "people of the simulation, at once"},
			&urfave.IntFlag{Name: "frames", Value: crowd.Frames, Usage: "frames of the simulation"},
			&urfave.Uint64Flag{Name: "seed", Value: crowd.Seed, Usage: "the same seed is the same crowd"},
			&urfave.Float64Flag{Name: "noise", Value: crowd.Noise, Usage: "of simulated boxes, in shares of their sides"},
			&urfave.Float64Flag{Name: "miss", Value: crowd.Miss, Usage: "share of people in full view that the simulated detector does not see"},
			&urfave.Float64Flag{Name: "false", Value: crowd.False, Usage: "simulated detections of nothing, a frame"},
			&urfave.Float64Flag{Name: "min-score", Value: 0.3, Usage: "a track begins with such a detection"},
			&urfave.Float64Flag{Name: "continue", Value: 0.15, Usage: "and goes on with such a one"},
			&urfave.Float64Flag{Name: "min-iou", Value: tracks.MinIoU, Usage: "between where an object is expected and where it is seen"},
			&urfave.IntFlag{Name: "confirm", Value: tracks.Confirm, Usage: "frames in which it is seen before it counts"},
			&urfave.IntFlag{Name: "max-gap", Value: tracks.MaxGap, Usage: "frames in which it is not seen before it is gone"}),
		Action: func(c *urfave.Context) error {
			o, err := measuring(c, "", "")
			if err != nil {
				return err
			}
			tracks.MinScore, tracks.Continue, tracks.MinIoU = c.Float64("min-score"), c.Float64("continue"), c.Float64("min-iou")
			tracks.Confirm, tracks.MaxGap = c.Int("confirm"), c.Int("max-gap")
			return told(measure.Track{Options: o, Truth: c.StringSlice("truth"), Detections: c.StringSlice("detections"), Tracks: c.StringSlice("tracks"), Following: tracks,
				Crowd: evaluate.Crowd{Objects: c.Int("objects"), Frames: c.Int("frames"), Width: crowd.Width, Height: crowd.Height,
					Noise: c.Float64("noise"), Miss: c.Float64("miss"), False: c.Float64("false"), Seed: c.Uint64("seed")}}.Run())
		},
	}
}
