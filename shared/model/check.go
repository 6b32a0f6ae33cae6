package model

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

var (
	nameForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$`)
	hashForm = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// ValidName says whether a model may be called that.
func ValidName(name string) bool { return nameForm.MatchString(name) }

// Problems lists every mistake of a manifest whose defaults are filled in. field is the dotted path.
func (m Manifest) Problems(add func(field, message, hint string)) {
	if !ValidName(m.Name) {
		add("name", fmt.Sprintf("%q is not a name", m.Name), "use up to 64 letters, digits, '-', '_' and '.'")
	}
	if m.SHA256 != "" && !hashForm.MatchString(m.SHA256) {
		add("sha256", "is not a sha256", "give the 64 lower-case hex digits that sha256sum prints")
	}
	if strings.ContainsAny(m.Golden, `/\`) {
		add("golden", fmt.Sprintf("%q is not a file name", m.Golden), "put the golden case beside model.yaml")
	}
	m.Fetch.problems(m.SHA256, add)
	switch m.Task {
	case Detect, Segment, Classify, Text:
	default:
		add("task", fmt.Sprintf("%q is not a task", m.Task), "use detect, segment, classify or text")
	}
	switch m.Builtin {
	case "":
		m.Input.problems(add)
	case "opencv-hog-people":
	default:
		add("builtin", fmt.Sprintf("%q is not built in", m.Builtin), "leave it out, or use opencv-hog-people")
	}
	m.Output.problems(m, add)
}

func (f Fetch) problems(sha string, add func(field, message, hint string)) {
	if f.URL != "" && !strings.HasPrefix(f.URL, "https://") {
		add("fetch.url", "is not an https address", "weights are code: fetch them over https")
	}
	if (f.URL != "" || f.Package != "") && sha == "" {
		add("sha256", "is missing", "what is fetched must be checked: give the file's sha256")
	}
	if f.Package != "" && (f.File == "" || !strings.Contains(f.Package, "==")) {
		add("fetch.package", "needs an exact version and a file", "write package: name==1.2.3 and file: folder/model.onnx")
	}
}

func (in Input) problems(add func(field, message, hint string)) {
	if (len(in.Bands) == 0) == (in.Colour == "") {
		add("input", "needs either bands or colour", "name the bands of a multispectral network, or give colour: bgr, rgb or gray")
	}
	if in.Colour != "" && !slices.Contains([]string{"bgr", "rgb", "gray"}, in.Colour) {
		add("input.colour", fmt.Sprintf("%q is not a colour order", in.Colour), "use bgr, rgb or gray")
	}
	for i, b := range in.Bands {
		if b == "" || slices.Contains(in.Bands[:i], b) {
			add("input.bands", fmt.Sprintf("band %q is empty or named twice", b), "give each band one name: blue, green, red, nir, swir16, swir22 …")
		}
	}
	switch {
	case len(in.Size) == 0 && in.MultipleOf == 0:
		add("input.size", "is missing", "give size: [width, height], or multiple_of where the network takes any size")
	case len(in.Size) != 0 && in.MultipleOf != 0 && in.Fit != FitCentre && in.Fit != FitTopLeft:
		add("input.multiple_of", "contradicts size", "give one of the two, or a fit that pads: top-left or centre")
	case len(in.Size) != 0 && (len(in.Size) != 2 || !side(in.Size[0]) || !side(in.Size[1])):
		add("input.size", fmt.Sprintf("%v is not a size", in.Size), "give [width, height], each 1 to 8192")
	case in.MultipleOf < 0 || in.MultipleOf > 1024:
		add("input.multiple_of", "is out of range", "give 1 to 1024, often 32")
	case in.MultipleOf > 0 && len(in.Size) == 2 && (in.Size[0]%in.MultipleOf != 0 || in.Size[1]%in.MultipleOf != 0):
		add("input.multiple_of", fmt.Sprintf("size %v is no multiple of it", in.Size), "give a size that is")
	}
	if !side(in.MaxSide) || in.MaxSide < in.MultipleOf {
		add("input.max_side", fmt.Sprintf("%d is out of range", in.MaxSide), "give 1 to 8192, at least multiple_of")
	}
	if n := in.Channels(); len(in.Mean) != 1 && len(in.Mean) != n || len(in.Std) != 1 && len(in.Std) != n {
		add("input.mean", fmt.Sprintf("mean and std have %d and %d values for %d channels", len(in.Mean), len(in.Std), n), "give one for all, or one for each channel")
	}
	if slices.Contains(in.Std, 0) {
		add("input.std", "is zero", "values are divided by it: leave it out for 1")
	}
	switch in.Fit {
	case FitNone, FitStretch, FitTopLeft, FitCentre, FitCrop:
		if len(in.Bands) > 0 && in.Fit != FitNone {
			add("input.fit", fmt.Sprintf("%q is not for bands", in.Fit), "scenes are cut into windows, never resized: use none")
		}
		if in.Fit == FitCrop && len(in.Size) == 0 {
			add("input.size", "is missing", "with fit: crop give size: [width, height]")
		}
	default:
		add("input.fit", fmt.Sprintf("%q is not a fit", in.Fit), "use none, stretch, top-left, centre or crop")
	}
	if in.Antialias && (len(in.Bands) > 0 || in.Fit == FitNone) {
		add("input.antialias", "is for pictures that are resized", "leave it out")
	}
	if in.Layout != "nchw" && in.Layout != "nhwc" {
		add("input.layout", fmt.Sprintf("%q is not a layout", in.Layout), "use nchw or nhwc")
	}
	if in.Batch < 1 || in.Batch > 256 {
		add("input.batch", fmt.Sprintf("%d is out of range", in.Batch), "give the most images in one pass, 1 to 256")
	}
}

func side(n int) bool { return n >= 1 && n <= 8192 }

// columns says what is wrong with the list of what stands in a row.
func (o Output) columns() error {
	if len(o.Columns) == 0 {
		return nil
	}
	if o.Decoder != "end2end" {
		return fmt.Errorf("is for decoder end2end")
	}
	for i, c := range o.Columns {
		if !slices.Contains([]string{ColumnBox, ColumnScore, ColumnClass, ColumnImage}, c) || slices.Contains(o.Columns[:i], c) {
			return fmt.Errorf("%q stands for nothing, or twice", c)
		}
	}
	for _, c := range []string{ColumnBox, ColumnScore, ColumnClass} {
		if !slices.Contains(o.Columns, c) {
			return fmt.Errorf("has no %s", c)
		}
	}
	return nil
}

// Column is where a part of an end-to-end row begins, and how many values a row has at least; -1: it has none.
func (o Output) Column(name string) (at, row int) {
	columns := o.Columns
	if len(columns) == 0 {
		columns = []string{ColumnBox, ColumnScore, ColumnClass}
	}
	at = -1
	for _, c := range columns {
		if c == name {
			at = row
		}
		if row++; c == ColumnBox {
			row += 3
		}
	}
	return at, row
}

// mostKeypoints bounds the points of one pose.
const mostKeypoints = 1024

// moreProblems lists what is wrong with what stands behind a row's classes.
func (o Output) moreProblems(add func(field, message, hint string)) {
	kinds := 0
	for _, f := range []struct {
		field string
		is    bool
	}{{"angle", o.Angle}, {"keypoints", len(o.Keypoints) > 0}, {"masks", o.Masks}} {
		if !f.is {
			continue
		}
		if kinds++; o.Decoder != "ultralytics" && o.Decoder != "end2end" {
			add("output."+f.field, "is for decoders ultralytics and end2end", "leave it out")
		}
	}
	if kinds > 1 {
		add("output", "has more than one of angle, keypoints and masks", "a network gives one of them: leave the others out")
	}
	if k := o.Keypoints; len(k) > 0 && (len(k) != 2 || k[0] < 1 || k[0] > mostKeypoints || k[1] < 2 || k[1] > 3) {
		add("output.keypoints", fmt.Sprintf("%v is no number of points and of values", k), "give how many points, and 2 (x, y) or 3 (x, y, how likely it is seen): [17, 3]")
	} else if len(k) == 2 && o.Extra != k[0]*k[1] {
		add("output.extra", fmt.Sprintf("is %d, the points have %d values", o.Extra, k[0]*k[1]), "leave it out")
	}
	if o.Angle && (o.Extra != 1 || o.Boxes != BoxCentre) {
		add("output.angle", "needs boxes: centre and one extra value", "leave boxes and extra out")
	}
	if o.Masks && o.Extra < 1 {
		add("output.extra", "is missing", "say how many coefficients a mask has, often 32")
	}
}

func (o Output) problems(m Manifest, add func(field, message, hint string)) {
	task, known := decoders[o.Decoder]
	switch {
	case !known:
		add("output.decoder", fmt.Sprintf("%q is not a decoder", o.Decoder), "use yolox, yolov5, ultralytics, end2end, detr, lists, picodet, nanodet, fastestdet, yunet, anomaly, dense, classes, db or ctc")
	case task != m.Task && m.Task != "" || (o.Decoder == "hog") != (m.Builtin != ""):
		add("output.decoder", fmt.Sprintf("%q does not serve task %s", o.Decoder, m.Task), fmt.Sprintf("%s is for %s", o.Decoder, task))
	}
	for field, v := range map[string]float64{"score_floor": o.ScoreFloor, "report": o.Report, "nms_iou": o.NMSIoU, "threshold": o.Threshold} {
		if !(v > 0 && v <= 1) {
			add("output."+field, fmt.Sprintf("%g is out of range", v), "give a number above 0 and up to 1")
		}
	}
	if !(o.Unclip > 0 && o.Unclip <= 8) {
		add("output.unclip", fmt.Sprintf("%g is out of range", o.Unclip), "give a number above 0 and up to 8, often 1.5 to 2")
	}
	if !slices.Contains([]string{"probabilities", "logits"}, o.Activation) && !(o.Decoder == "detr" && slices.Contains([]string{"sigmoid", "softmax"}, o.Activation)) {
		add("output.activation", fmt.Sprintf("%q is not an activation", o.Activation), "use probabilities or logits; with decoder detr also sigmoid or softmax, where logits are turned into probabilities by that")
	}
	if err := o.columns(); err != nil {
		add("output.columns", err.Error(), "name what stands in a row: [box, score, class], with image where rows of all pictures stand in one list")
	}
	if !slices.Contains([]string{"argmax", "threshold"}, o.Choose) {
		add("output.choose", fmt.Sprintf("%q is not a choice", o.Choose), "use argmax or threshold")
	}
	if !slices.Contains([]string{"", BoxCentre, BoxCorners, BoxCornersYX}, o.Boxes) {
		add("output.boxes", fmt.Sprintf("%q is no way to give a box", o.Boxes), "use centre (x, y, width, height), corners (x1, y1, x2, y2) or corners-yx (y1, x1, y2, x2)")
	}
	if !slices.Contains([]string{"", UnitPixels, UnitShares}, o.Unit) {
		add("output.unit", fmt.Sprintf("%q is no unit", o.Unit), "use pixels (of the network's input) or shares (0 to 1 of it)")
	}
	if o.Extra < 0 || o.Extra > 4096 {
		add("output.extra", fmt.Sprintf("%d is out of range", o.Extra), "give how many values stand behind the classes: 32 for masks, 51 for a pose of 17 points")
	}
	o.moreProblems(add)
	if o.FirstClass < 0 || o.FirstClass > 1 {
		add("output.first_class", fmt.Sprintf("%d is out of range", o.FirstClass), "give 0, or 1 where the network counts from 1")
	}
	for _, s := range o.Strides {
		if s < 1 || s > 1024 {
			add("output.strides", fmt.Sprintf("%d is out of range", s), "leave it out for the decoder's own")
		}
	}
	for _, c := range o.ClassMap {
		if c < 0 || c > 255 {
			add("output.class_map", fmt.Sprintf("%d is not a class", c), "give 0 to 255: 0 clear, 1 shadow, 2 cloud")
		}
	}
	if m.Task == Segment && o.Choose == "threshold" && len(o.ClassMap) != 0 && len(o.ClassMap) != 2 {
		add("output.class_map", "needs two classes with choose: threshold", "give [class below, class above], for a cloud mask [0, 2]")
	}
	if m.Task != Segment && len(o.Labels) == 0 {
		add("output.labels", "is missing", "name the classes in the network's order, or write [coco80]")
	}
}
