package model

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloudcanvas/shared/onnx"
	"cloudcanvas/shared/vision"
)

// ErrUnrecognised says that a file does not say enough for a manifest.
var ErrUnrecognised = errors.New("the file does not say enough to be used without a manifest")

// Guess is a manifest made from a file alone, and what it rests on.
type Guess struct {
	Model
	Found   []string // in the file
	Guessed []string // from what is usual
}

// Recognise makes manifests for a file from its outputs' names and shapes and its metadata, the likeliest
// first. Whether one fits shows only when the network runs (infer.Recognise). labels are those that a person
// gives; without them those of the file are taken, else those that lie beside the file in place, else COCO's
// where there are 80 classes.
func Recognise(path, place string, labels []string) ([]Guess, error) {
	data, sig, err := onnx.Read(path)
	if err != nil {
		return nil, err
	}
	says, err := onnx.Metadata(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", place, err)
	}
	sum, err := Sum(path)
	if err != nil {
		return nil, err
	}
	c := recogniser{path: path, beside: place, sig: sig, says: says, sum: sum, labels: labels}
	guesses, err := c.guesses()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w; a manifest beside the file can say it: docs/models.md", place, ErrUnrecognised, err)
	}
	return guesses, nil
}

type recogniser struct {
	path, sum string
	beside    string // the file as a person named it, beside which labels may lie
	sig       onnx.Signature
	image     onnx.TensorInfo // of its inputs the one that is a picture
	says      map[string]string
	labels    []string
	base      Guess
}

func (c *recogniser) found(format string, args ...any) {
	c.base.Found = append(c.base.Found, fmt.Sprintf(format, args...))
}
func (c *recogniser) guessed(format string, args ...any) {
	c.base.Guessed = append(c.base.Guessed, fmt.Sprintf(format, args...))
}

func (c *recogniser) guesses() ([]Guess, error) {
	c.base.Model = Model{Version: "1", Path: c.path}
	c.base.Name, c.base.SHA256 = NameOf(c.path), c.sum
	c.base.Source, c.base.Licence = c.says["description"], c.says["license"]
	if err := c.input(); err != nil {
		return nil, err
	}
	if err := c.named(); err != nil {
		return nil, err
	}
	switch task := c.says["task"]; task {
	case "classify":
		return c.classifier()
	case "", "detect", "segment", "pose", "obb":
		if out := c.sig.Outputs; len(out) == 1 && len(out[0].Shape) == 2 && task == "" && len(c.labels) > 0 && (out[0].Shape[1] == len(c.labels) || out[0].Shape[1] < 0) {
			return c.classifier()
		}
		return c.detectors(task)
	default:
		return nil, fmt.Errorf("its task is %.40q", task)
	}
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)

// NameOf is a model's name made from its file's.
func NameOf(path string) string {
	base := filepath.Base(path)
	name := strings.Trim(notInNames.ReplaceAllString(strings.TrimSuffix(base, filepath.Ext(base)), "_"), "_.-")
	if len(name) > 64 {
		name = name[:64]
	}
	if !ValidName(name) {
		return "model"
	}
	return name
}

func (c *recogniser) classifier() ([]Guess, error) {
	g := c.base
	g.Task = Classify
	g.Output = Output{Decoder: "classes", Labels: c.labels}
	if len(c.labels) == 0 {
		return nil, errors.New("it classifies and has no names; name them with --labels FILE, a data.yaml or a file with one a line")
	}
	g.Input.Std, g.Input.Fit = []float64{255}, FitStretch
	if c.byUltralytics() {
		g.Input.Fit = FitCrop
		g.Guessed = append(g.Guessed, "the middle of pictures, values from 0 to 1, as Ultralytics does")
	} else {
		g.Guessed = append(g.Guessed, "pictures stretched to its size, values from 0 to 1")
	}
	g.Found = append(g.Found, fmt.Sprintf("outputs %s: a classifier, whose labels are told as boxes around the whole picture (decoder: classes)", onnx.Shapes(c.sig.Outputs)))
	g.Manifest = g.Manifest.withDefaults()
	return []Guess{g}, c.whole(g)
}

// detectors are the guesses for boxes.
func (c *recogniser) detectors(task string) (all []Guess, err error) {
	layouts := c.layouts(task)
	if len(layouts) == 0 {
		return nil, fmt.Errorf("its outputs %s look like no detector that is known%s", onnx.Shapes(c.sig.Outputs), c.count())
	}
	nameless, uncounted := []string{}, false
	for _, l := range layouts {
		if l.Output.Decoder == "" {
			return nil, fmt.Errorf("its outputs %s look like %s", onnx.Shapes(c.sig.Outputs), l.What)
		}
		g, e := c.detector(l, task)
		switch {
		case errors.Is(e, errNameless):
			uncounted = uncounted || l.Labels == 0
			if n := strconv.Itoa(l.Labels); !slices.Contains(nameless, n) {
				nameless = append(nameless, n)
			}
		case e != nil:
			err = errors.Join(err, e)
		default:
			all = append(all, g)
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	if len(nameless) > 0 {
		count := strings.Join(nameless, " or ")
		if uncounted {
			count = "an unknown number of"
		}
		err = fmt.Errorf("it has %s classes and no names; name them with --labels FILE, a data.yaml or a file with one a line", count)
	}
	return nil, err
}

// errNameless is of classes that nobody has named.
var errNameless = errors.New("it has classes and no names")

func (c *recogniser) count() string {
	if len(c.labels) == 0 {
		return ""
	}
	return fmt.Sprintf(" of %d classes", len(c.labels))
}

func (c *recogniser) detector(l Layout, task string) (Guess, error) {
	g := c.base
	g.Found, g.Guessed = append([]string(nil), g.Found...), append([]string(nil), g.Guessed...)
	g.Task, g.Output = Detect, l.Output
	g.Found = append(g.Found, fmt.Sprintf("outputs %s: %s (%s)", onnx.Shapes(c.sig.Outputs), l.What, l.Output.Words()))
	g.Output.Labels = c.labels
	if o := l.Output; !o.Masks && len(o.Keypoints) == 0 && !o.Angle && (o.Extra > 0 || task == "segment" || task == "pose") {
		g.Guessed = append(g.Guessed, "boxes only: what stands behind the classes, masks or points, is left aside")
	}
	switch {
	case l.Labels == coco91 && (len(c.labels) == 0 || len(c.labels) == cocoRow-5):
		g.Output.Labels = vision.COCOByID()
		g.Guessed = append(g.Guessed, "classes numbered with COCO's ids, 0 to 90")
	case len(c.labels) > 0:
	case l.Labels == 80:
		g.Output.Labels = COCOLabels()
		g.Guessed = append(g.Guessed, "labels: COCO's 80, for the file names none")
	default:
		return g, errNameless
	}
	prepare(&g, l.Image, c.image.Type == onnx.Uint8)
	c.asExported(&g, l.Image)
	g.Manifest = g.Manifest.withDefaults()
	return g, c.whole(g)
}

// prepare fills in how such networks were trained to see pictures.
func prepare(g *Guess, as string, bytes bool) {
	in := &g.Input
	switch as {
	case "ultralytics":
		in.Fit, in.Pad, in.Std = FitCentre, 114, []float64{255}
		g.Guessed = append(g.Guessed, "pictures in red, green, blue, divided by 255, letterboxed on both sides, as Ultralytics does")
	case "yolox":
		in.Colour, in.Fit, in.Pad = "bgr", FitTopLeft, 114
		g.Guessed = append(g.Guessed, "pictures in blue, green, red from 0 to 255, padded right and below, as YOLOX does")
	case "nanodet":
		in.Colour, in.Fit, in.Mean, in.Std = "bgr", FitStretch, []float64{103.53, 116.28, 123.675}, []float64{57.375, 57.12, 58.395}
		g.Guessed = append(g.Guessed, "pictures in blue, green, red, stretched, with NanoDet's mean and standard deviation")
	case "rtdetr":
		in.Fit, in.Std, in.Antialias = FitStretch, []float64{255}, true
		g.Guessed = append(g.Guessed, "pictures in red, green, blue, stretched as torchvision does it, divided by 255, as RT-DETR and D-FINE do")
	case "imagenet", "detr":
		in.Antialias = as == "detr"
		in.Fit, in.Mean, in.Std = FitStretch, []float64{123.675, 116.28, 103.53}, []float64{58.395, 57.12, 57.375}
		g.Guessed = append(g.Guessed, "pictures stretched, with ImageNet's mean and standard deviation, as DETRs are trained")
	default:
		in.Fit, in.Std = FitStretch, []float64{255}
		if g.Output.Boxes == BoxCornersYX { // TensorFlow's scale them inside
			in.Std = []float64{1}
		}
		g.Guessed = append(g.Guessed, fmt.Sprintf("pictures in red, green, blue, stretched to its size, divided by %g", in.Std[0]))
	}
	if in.Colour == "gray" {
		in.Mean, in.Std = nil, []float64{255}
	}
	if bytes {
		in.Mean, in.Std = nil, nil
		g.Found = append(g.Found, "an input that takes pixels as bytes")
	}
}

// whole says what of a guess would be a mistake in a model.yaml.
func (c *recogniser) whole(g Guess) (err error) {
	g.Problems(func(field, message, hint string) {
		err = errors.Join(err, fmt.Errorf("%s %s; %s", field, message, hint))
	})
	return err
}
