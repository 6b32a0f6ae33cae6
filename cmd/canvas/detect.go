package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sliced"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

func detectCommand() *urfave.Command {
	d := sliced.DefaultConfig()
	return &urfave.Command{
		Name: "detect", Usage: "find small objects in large scenes and pictures: slice by slice, merged, in pixels and on the map",
		Flags: []urfave.Flag{
			&urfave.StringSliceFlag{Name: "scene", Required: true, Usage: "a raster or picture, a folder of them, or a pattern; `FILE|DIR|GLOB`"},
			&urfave.StringFlag{Name: "out", Required: true, Usage: "`DIR` for <scene>/{detections.json, detections.geojson, quicklook.jpg, looked.json}"},
			&urfave.StringFlag{Name: "detector", Required: true, Usage: "a model's name, or an .onnx `FILE` that says enough of itself"},
			classNamesFlag("--detector"),
			&urfave.StringSliceFlag{Name: "models", Usage: "a model repository, or a folder of .onnx files; `DIR`"},
			&urfave.StringFlag{Name: "engine", Value: infer.Auto, Usage: "auto, onnxruntime-cpu, openvino-cpu, openvino-int8, opencv-cpu, opencv-cuda, …"},
			&urfave.StringFlag{Name: "bands", Usage: "names of the file's bands in their order, where it does not say: blue,green,red"},
			&urfave.Float64Flag{Name: "confidence", Usage: "detections below are left out; default: the model's output.report"},
			&urfave.IntFlag{Name: "slice-height", Value: d.SliceHeight, Usage: "pixels"},
			&urfave.IntFlag{Name: "slice-width", Value: d.SliceWidth, Usage: "pixels"},
			&urfave.Float64Flag{Name: "overlap-height-ratio", Value: d.OverlapHeightRatio, Usage: "of the slice"},
			&urfave.Float64Flag{Name: "overlap-width-ratio", Value: d.OverlapWidthRatio, Usage: "of the slice"},
			&urfave.StringFlag{Name: "postprocess-type", Value: d.Postprocess, Usage: "GREEDYNMM, NMM or NMS"},
			&urfave.StringFlag{Name: "postprocess-match-metric", Value: d.Metric, Usage: "IOS or IOU"},
			&urfave.Float64Flag{Name: "postprocess-match-threshold", Value: d.Threshold, Usage: "from which on two boxes are of one object"},
			&urfave.BoolFlag{Name: "postprocess-class-agnostic", Usage: "boxes of different labels merge too"},
			&urfave.BoolFlag{Name: "no-standard-prediction", Usage: "the detector does not see the whole picture too"},
			&urfave.BoolFlag{Name: "no-sliced-prediction", Usage: "the detector sees the whole picture only"},
		},
		Action: detectScenes,
	}
}

// detector looks at scenes.
type detector struct {
	config sliced.Config
	net    *infer.Network
	model  model.Model
	least  float32
	bands  []string
	out    string
	names  *capture.SceneIDs
}

func detectScenes(c *urfave.Context) error {
	log, err := begin(c)
	if err != nil {
		return err
	}
	d := detector{out: c.String("out"), names: &capture.SceneIDs{}, bands: splitBands(c.String("bands"))}
	if d.config, err = slicing(c); err != nil {
		return err
	}
	d.recall()
	var files []string
	for _, argument := range c.StringSlice("scene") {
		some, err := expandScenes(argument, pictures.Meant)
		if err != nil {
			return cli.Usage(err)
		}
		files = append(files, some...)
	}
	files = unique(files)
	var report infer.Report
	if d.net, d.model, report, err = opener(c, log, "--detector", c.String("labels"))(c.Context, c.String("detector"), model.Detect); err != nil {
		return err
	}
	defer d.net.Close()
	if d.least = float32(c.Float64("confidence")); !c.IsSet("confidence") {
		d.least = float32(d.model.Output.Report)
	}
	visible.Fprintf(c.App.Writer, "%s %s on %s (%s), %d x %d slices, confidence %.2f\n", d.model.Name, d.model.Version, report.Engine, report.Device, d.config.SliceWidth, d.config.SliceHeight, d.least)
	if o := d.model.Output; o.Angle || len(o.Keypoints) > 0 || o.Masks {
		visible.Fprintf(c.App.Writer, "boxes only: corners, key points and masks are not merged across slices\n")
	}
	failed := 0
	for _, file := range files {
		said, whole, err := d.scene(c.Context, file)
		switch {
		case c.Context.Err() != nil:
			return c.Context.Err()
		case err != nil:
			failed++
			visible.Fprintf(os.Stderr, "%s: %v\n", file, err)
			continue
		case !whole:
			failed++
		}
		visible.Fprintf(c.App.Writer, "%s\n", said)
	}
	if failed > 0 {
		return cli.Incompletef("%d of %s could not be used, or not wholly", failed, counted(len(files), "scene"))
	}
	return nil
}

// slicing is what the flags say; without slices the one slice is the picture, which Find shows whole.
func slicing(c *urfave.Context) (sliced.Config, error) {
	s := sliced.Config{SliceHeight: c.Int("slice-height"), SliceWidth: c.Int("slice-width"),
		OverlapHeightRatio: c.Float64("overlap-height-ratio"), OverlapWidthRatio: c.Float64("overlap-width-ratio"),
		StandardPrediction: !c.Bool("no-standard-prediction"), Postprocess: c.String("postprocess-type"), Metric: c.String("postprocess-match-metric"),
		Threshold: c.Float64("postprocess-match-threshold"), ClassAgnostic: c.Bool("postprocess-class-agnostic")}
	var mistakes []string
	s.Problems(func(field, message, hint string) {
		mistakes = append(mistakes, fmt.Sprintf("--%s: %s; %s", strings.ReplaceAll(field, "_", "-"), message, hint))
	})
	if confidence := c.Float64("confidence"); !(confidence >= 0 && confidence <= 1) {
		mistakes = append(mistakes, fmt.Sprintf("--confidence: %v is out of range; give 0 to 1", confidence))
	}
	if c.Bool("no-sliced-prediction") && c.Bool("no-standard-prediction") {
		mistakes = append(mistakes, "--no-sliced-prediction and --no-standard-prediction leave nothing to do; give one of them")
	}
	if len(mistakes) > 0 {
		return s, cli.Usagef("%s", strings.Join(mistakes, "\n"))
	}
	s.WholeOnly = c.Bool("no-sliced-prediction")
	return s, nil
}

// scene finds what is in one file; whole says whether all of it could be read.
func (d detector) scene(ctx context.Context, path string) (said string, whole bool, err error) {
	scene, err := raster.Open(path, raster.Options{Bands: d.bands})
	if err != nil {
		return "", false, err
	}
	defer scene.Close()
	display, err := scene.Display()
	if err != nil {
		return "", false, err
	}
	info := scene.Info()
	size := image.Pt(info.Width, info.Height)
	v := &view{scene: scene, display: display}
	found, err := d.config.Find(ctx, size, v, d.net, d.net.Layout().Sessions, d.least)
	if err != nil {
		return "", false, err
	}
	unread := slices.SortedFunc(slices.Values(v.broken), func(a, b raster.Window) int { return cmp.Or(a.Y-b.Y, a.X-b.X) })
	for _, err := range found.Unread {
		visible.Fprintf(os.Stderr, "%s: %v\n", path, err)
	}
	for _, w := range unread[:min(len(unread), mostTold)] {
		visible.Fprintf(os.Stderr, "%s: the window %s could not be read\n", path, w)
	}
	if len(found.Unread) > 0 && len(found.Unread) >= found.Slices-found.Empty && !found.Standard {
		return "", false, errors.New("nothing of it could be read")
	}
	name := d.names.ID(absolute(path)) // two files of one name have a folder each
	dir := filepath.Join(d.out, name)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", false, err
	}
	if err := d.write(dir, v, found, unread); err != nil {
		return "", false, err
	}
	said = fmt.Sprintf("%s: %s (%d before merging) in %d x %d pixels, %s, %d of them without data", name,
		counted(len(found.Boxes), "object"), found.Raw, info.Width, info.Height, counted(found.Slices, "slice"), found.Empty)
	if !info.Georef.Known() {
		said += "; the file does not say where it lies, so there is no detections.geojson"
	}
	if len(unread) > 0 {
		said += fmt.Sprintf("; %s could not be read and not looked at: see unread in looked.json", counted(len(unread), "window"))
	}
	return said, len(found.Unread)+len(unread) == 0, nil
}

// mostTold is how many broken windows of a scene are told one by one; looked.json has them all.
const mostTold = 10

// view is a scene as the detector sees it. One goroutine reads it at a time.
type view struct {
	scene   *raster.Scene
	display raster.Display
	broken  []raster.Window // blocks that could not be read
}

// wholeSide bounds the picture of a whole scene, which the network scales down further.
const wholeSide = 2048

func (v *view) Slice(at image.Rectangle) (vision.Image, error) {
	return v.show(raster.Window{X: at.Min.X, Y: at.Min.Y, W: at.Dx(), H: at.Dy()}, at.Dx(), at.Dy())
}

func (v *view) Whole() (vision.Image, error) {
	info := v.scene.Info()
	w, h := raster.Thinned(info.Width, info.Height, wholeSide)
	return v.show(raster.Window{W: info.Width, H: info.Height}, w, h)
}

// show reads a window as the detector sees it; what is broken in it is black, and remembered.
func (v *view) show(at raster.Window, w, h int) (vision.Image, error) {
	im, broken, err := v.scene.ReadAround(at, w, h, v.display.Bands(), w != at.W || h != at.H)
	for _, b := range broken {
		if !slices.Contains(v.broken, b) {
			v.broken = append(v.broken, b)
		}
	}
	if err != nil || empty(im) {
		return vision.Image{}, err
	}
	return v.display.Show(im), nil
}

// empty says whether a window has no data at all.
func empty(im vision.Image) bool {
	for _, none := range im.Void {
		if none == 0 {
			return false
		}
	}
	return im.Void != nil
}
