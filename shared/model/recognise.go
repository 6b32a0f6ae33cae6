package model

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

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
	data, sig, err := ReadONNX(path)
	if err != nil {
		return nil, err
	}
	says, err := allMetadata(data)
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
		return nil, fmt.Errorf("%s: %w: %w; write a model.yaml as docs/models.md shows", place, ErrUnrecognised, err)
	}
	return guesses, nil
}

type recogniser struct {
	path, sum string
	beside    string // the file as a person named it, beside which labels may lie
	sig       Signature
	image     TensorInfo // of its inputs the one that is a picture
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
	case "obb":
		return nil, errors.New("it is an oriented (obb) export, whose turned boxes no decoder reads")
	case "", "detect", "segment", "pose":
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

// usualSize is a detector's input where the file leaves it open and does not say what it was made with.
const usualSize = 640

// input finds size and layout.
func (c *recogniser) input() error {
	image, others, err := inputsOf(c.sig, [2]int{1, 1})
	if err != nil {
		return fmt.Errorf("it %w", err)
	}
	for _, o := range others {
		c.found("input %s, which is given the size of the network's input: boxes come out in its pixels", o.name)
	}
	in, spec := c.sig.Inputs[image], &c.base.Input
	c.image = in
	if len(in.Shape) == 3 {
		in.Shape = append([]int{1}, in.Shape...)
	}
	if len(in.Shape) != 4 {
		return fmt.Errorf("its input %s is %v, not an image", in.Name, in.Shape)
	}
	n, channels, h, w := in.Shape[0], in.Shape[1], in.Shape[2], in.Shape[3]
	if channels != 3 && channels != 1 && (w == 3 || w == 1) {
		channels, h, w, spec.Layout = w, in.Shape[1], in.Shape[2], "nhwc"
	}
	switch channels {
	case 3, -1:
		spec.Colour = "rgb"
	case 1:
		spec.Colour = "gray"
	default:
		return fmt.Errorf("its input %s is %v: of %d channels only you know what they are", in.Name, in.Shape, channels)
	}
	if n > 1 {
		spec.Batch = n
	}
	if h > 0 && w > 0 {
		c.found("input of %d x %d pixels", w, h)
		spec.Size = []int{w, h}
		return nil
	}
	if said := sizes(c.says["imgsz"]); len(said) == 2 {
		spec.Size = []int{said[1], said[0]}
		c.found("input of any size, made with %d x %d pixels (imgsz)", said[1], said[0])
		return nil
	}
	spec.Size = []int{usualSize, usualSize}
	c.guessed("input of %d x %d pixels, for the file takes any size", usualSize, usualSize)
	return nil
}

// sizes reads "[640, 640]" or "640".
func sizes(text string) (list []int) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[](), ", r) }) {
		n, err := strconv.Atoi(word)
		if err != nil || !side(n) {
			return nil
		}
		list = append(list, n)
	}
	if len(list) == 1 {
		list = append(list, list[0])
	}
	return list
}

// named finds the labels.
func (c *recogniser) named() (err error) {
	if len(c.labels) > 0 {
		c.found("%d labels as you name them", len(c.labels))
		return nil
	}
	for _, key := range []string{"names", "labels", "classes"} {
		if text := c.says[key]; text != "" {
			if c.labels, err = ParseNames(text); err != nil {
				return fmt.Errorf("its metadata %q %w; name the labels with --labels FILE", key, err)
			}
			c.found("%d labels from the file's metadata %q: %s", len(c.labels), key, some(c.labels))
			return nil
		}
	}
	var from string
	if c.labels, from = labelsBeside(c.beside); from != "" {
		c.found("%d labels from %s, which lies beside it: %s", len(c.labels), from, some(c.labels))
	}
	return nil
}

// some are the first few.
func some(labels []string) string {
	const few = 5
	if len(labels) <= few {
		return strings.Join(labels, ", ")
	}
	return strings.Join(labels[:few], ", ") + " …"
}

func (c *recogniser) classifier() ([]Guess, error) {
	g := c.base
	g.Task = Classify
	g.Output = Output{Decoder: "classes", Labels: c.labels}
	if len(c.labels) == 0 {
		return nil, errors.New("it classifies and has no names; name them with --labels FILE, a data.yaml or a file with one a line")
	}
	g.Input.Std, g.Input.Fit = []float64{255}, FitStretch
	g.Guessed = append(g.Guessed, "pictures stretched to its size, values from 0 to 1 (Ultralytics cuts out the middle instead)")
	g.Manifest = g.Manifest.withDefaults()
	return []Guess{g}, c.whole(g)
}

// detectors are the guesses for boxes.
func (c *recogniser) detectors(task string) (all []Guess, err error) {
	if task == "segment" || task == "pose" {
		c.guessed("boxes only: what it says of %s is left aside", map[string]string{"segment": "masks", "pose": "points"}[task])
	}
	layouts := c.layouts(task)
	if len(layouts) == 0 {
		return nil, fmt.Errorf("its outputs %s look like no detector that is known%s", shapes(c.sig.Outputs), c.count())
	}
	nameless, uncounted := []string{}, false
	for _, l := range layouts {
		if l.Output.Decoder == "" {
			return nil, fmt.Errorf("its outputs %s look like %s", shapes(c.sig.Outputs), l.What)
		}
		g, e := c.detector(l)
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

func shapes(outputs []TensorInfo) string {
	var list []string
	for _, o := range outputs {
		list = append(list, fmt.Sprintf("%s %v", o.Name, o.Shape))
	}
	return strings.Join(list, ", ")
}

// layouts are those that the shapes allow, sorted by what the metadata say.
func (c *recogniser) layouts(task string) []Layout {
	out := c.sig.Outputs
	final := strings.EqualFold(c.says["end2end"], "true")
	if final && len(out) > 0 && len(out[0].Shape) == 3 {
		l := Layout{What: "an end-to-end export (end2end)", Output: Output{Decoder: "end2end"}, Image: "ultralytics"}
		if len(out) > 1 {
			l.Output.Tensors = []string{out[0].Name}
		}
		return []Layout{l}
	}
	if task == "pose" && len(out) == 1 && len(out[0].Shape) == 3 && len(c.labels) > 0 {
		if extra := out[0].Shape[1] - 4 - len(c.labels); extra > 0 {
			return []Layout{{What: "a pose export", Output: Output{Decoder: "ultralytics", Extra: extra}, Labels: len(c.labels), Image: "ultralytics"}}
		}
	}
	all := append(c.nanodet(), LayoutsOf(out, len(c.labels))...)
	if strings.Contains(c.says["head"], "RTDETR") { // what is likeliest of others is not of it
		for i, l := range all {
			if l.Output.Unit == UnitShares {
				all[0], all[i] = all[i], all[0]
				break
			}
		}
	}
	if c.says["names"] != "" && c.says["stride"] != "" { // made by Ultralytics, who have no YOLOX
		for i, l := range all {
			if l.Output.Decoder == "yolov5" {
				all[0], all[i] = all[i], all[0]
			}
		}
	}
	return c.byCells(all)
}

// nanodet is the layout of NanoDet's rows, which the number of cells tells: classes, and four sides of 8 bins.
func (c *recogniser) nanodet() []Layout {
	out, size := c.sig.Outputs, c.base.Input.Size
	if len(out) != 1 || len(out[0].Shape) != 3 || len(size) != 2 {
		return nil
	}
	cells, classes := 0, out[0].Shape[2]-4*8
	for i, s := range strides["nanodet"] {
		cells += ((size[0] + s - 1) / s) * ((size[1] + s - 1) / s)
		if i < 2 || cells != out[0].Shape[1] || classes < 1 || len(c.labels) > 0 && classes != len(c.labels) {
			continue
		}
		if i == 2 && len(c.labels) == 0 && classes != cocoRow-5 { // or a YOLO of as many cells
			continue
		}
		return []Layout{{What: "a NanoDet", Output: Output{Decoder: "nanodet", Strides: strides["nanodet"][:i+1], NMSIoU: 0.6}, Labels: classes, Image: "nanodet"}}
	}
	return nil
}

// byCells tells YOLOX from YOLOv5, whose rows are alike: one row for each cell of its maps, or three.
func (c *recogniser) byCells(all []Layout) (left []Layout) {
	cells := 0
	if size := c.base.Input.Size; len(size) == 2 {
		for _, s := range strides["yolox"] {
			cells += (size[0] / s) * (size[1] / s)
		}
	}
	for _, l := range all {
		n := c.sig.Outputs[0].Shape[1]
		switch {
		case l.Output.Decoder == "yolox" && n > 0 && n != cells:
			continue
		case l.Output.Decoder == "yolov5" && n == cells:
			l.What, l.Image = "a YOLOX with decoding (--decode_in_inference)", "yolox"
		}
		left = append(left, l)
	}
	return left
}

func (c *recogniser) detector(l Layout) (Guess, error) {
	g := c.base
	g.Found, g.Guessed = append([]string(nil), g.Found...), append([]string(nil), g.Guessed...)
	g.Task, g.Output = Detect, l.Output
	g.Found = append(g.Found, fmt.Sprintf("outputs %s: %s (%s)", shapes(c.sig.Outputs), l.What, l.Output.Words()))
	g.Output.Labels = c.labels
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
	prepare(&g, l.Image, c.image.Type == TypeUint8)
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
	case "imagenet":
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

// YAML is the guess as a model.yaml, which says what was found and what was guessed.
func (g Guess) YAML() ([]byte, error) {
	var text strings.Builder
	note := func(head string, list []string) {
		for _, l := range list {
			fmt.Fprintf(&text, "# %s: %s\n", head, strings.Map(printable, l))
		}
	}
	note("found", g.Found)
	note("guessed", g.Guessed)
	body, err := yaml.Marshal(g.written())
	if err != nil {
		return nil, fmt.Errorf("model.yaml of %s: %w", g.Name, err)
	}
	text.Write(body)
	return []byte(text.String()), nil
}

// printable keeps a comment on its line.
func printable(r rune) rune {
	if r < ' ' || r == 0x7f || r == 0x85 || r == 0x2028 || r == 0x2029 || r == 0xfeff {
		return ' '
	}
	return r
}

// written is what a person would have written: no defaults that go without saying.
func (g Guess) written() map[string]any {
	in, out := map[string]any{"colour": g.Input.Colour, "size": g.Input.Size, "fit": g.Input.Fit}, map[string]any{"decoder": g.Output.Decoder, "labels": g.Output.Labels}
	put := func(to map[string]any, key string, value any, say bool) {
		if say {
			to[key] = value
		}
	}
	put(in, "pad", g.Input.Pad, g.Input.Pad != 0)
	put(in, "mean", g.Input.Mean, len(g.Input.Mean) > 1 || g.Input.Mean[0] != 0)
	put(in, "std", g.Input.Std, len(g.Input.Std) > 1 || g.Input.Std[0] != 1)
	put(in, "layout", g.Input.Layout, g.Input.Layout != "nchw")
	put(in, "batch", g.Input.Batch, g.Input.Batch != 1)
	usual := rows[g.Output.Decoder]
	put(out, "boxes", g.Output.Boxes, g.Output.Boxes != usual.boxes)
	put(out, "unit", g.Output.Unit, g.Output.Unit != usual.unit)
	put(out, "nms_iou", g.Output.NMSIoU, usual.nms != 0 && g.Output.NMSIoU != usual.nms)
	put(out, "activation", g.Output.Activation, g.Output.Activation != "probabilities")
	put(out, "columns", g.Output.Columns, len(g.Output.Columns) > 0)
	put(out, "strides", g.Output.Strides, !slices.Equal(g.Output.Strides, strides[g.Output.Decoder]))
	put(out, "extra", g.Output.Extra, g.Output.Extra != 0)
	put(out, "first_class", g.Output.FirstClass, g.Output.FirstClass != 0)
	put(out, "tensors", g.Output.Tensors, len(g.Output.Tensors) > 0)
	all := map[string]any{"name": g.Name, "task": g.Task, "sha256": g.SHA256, "input": in, "output": out}
	put(all, "source", g.Source, g.Source != "")
	put(all, "licence", g.Licence, g.Licence != "")
	return all
}
