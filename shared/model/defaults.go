package model

import "cloudcanvas/shared/vision"

// withDefaults fills in what model.yaml may leave out.
func (m Manifest) withDefaults() Manifest {
	in, out := &m.Input, &m.Output
	set(&in.Scale, 1)
	set(&in.MaxSide, 1024)
	set(&in.Layout, "nchw")
	set(&in.Batch, 1)
	if len(in.Mean) == 0 {
		in.Mean = []float64{0}
	}
	if len(in.Std) == 0 {
		in.Std = []float64{1}
	}
	if len(in.Bands) > 0 {
		set(&in.Fit, FitNone)
	}
	set(&in.Fit, FitStretch)
	in.Antialias = in.Antialias || in.Fit == FitCrop
	set(&out.ScoreFloor, 0.05)
	set(&out.Report, 0.3)
	switch {
	case out.Angle:
		set(&out.Extra, 1)
		set(&out.Boxes, BoxCentre)
	case len(out.Keypoints) == 2:
		set(&out.Extra, out.Keypoints[0]*out.Keypoints[1])
	}
	way := rows[out.Decoder]
	set(&out.Boxes, way.boxes)
	set(&out.Unit, way.unit)
	set(&out.NMSIoU, way.nms)
	set(&out.NMSIoU, 0.45)
	set(&out.Top, 5)
	set(&out.Activation, "probabilities")
	set(&out.Choose, "argmax")
	set(&out.Threshold, 0.5)
	set(&out.Unclip, 1.6)
	set(&m.Golden, "golden.json")
	if len(out.Labels) == 1 && out.Labels[0] == "coco80" {
		out.Labels = COCOLabels()
	}
	if len(out.Labels) == 1 && out.Labels[0] == "coco91" {
		out.Labels = vision.COCOByID()
	}
	if out.Decoder == "db" && len(out.Labels) == 0 {
		out.Labels = []string{"text"}
	}
	if len(out.Strides) == 0 {
		out.Strides = strides[out.Decoder]
	}
	return m
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// rows are how decoders read a box where the manifest does not say so, and how much two boxes of one class
// may overlap: networks that answer with final boxes have settled that.
var rows = map[string]struct {
	boxes, unit string
	nms         float64
}{
	"ultralytics": {BoxCentre, UnitPixels, 0.45},
	"yolov5":      {BoxCentre, UnitPixels, 0.45},
	"end2end":     {BoxCorners, UnitPixels, 1},
	"detr":        {BoxCentre, UnitShares, 1},
	"lists":       {BoxCorners, UnitPixels, 1},
}

// strides of the feature maps that a decoder's networks are trained with.
var strides = map[string][]int{
	"yolox":   {8, 16, 32},
	"picodet": {8, 16, 32, 64},
	"yunet":   {8, 16, 32},
	"nanodet": {8, 16, 32, 64},
}

// decoders and the task each serves.
var decoders = map[string]Task{
	"yolox": Detect, "ultralytics": Detect, "yolov5": Detect, "end2end": Detect, "detr": Detect, "lists": Detect, "picodet": Detect, "nanodet": Detect, "fastestdet": Detect, "yunet": Detect,
	"hog": Detect, "anomaly": Detect, "dense": Segment, "classes": Classify, "db": Text, "ctc": Text,
}

// Channels is how many planes the network's input has.
func (in Input) Channels() int {
	switch {
	case len(in.Bands) > 0:
		return len(in.Bands)
	case in.Colour == "gray":
		return 1
	default:
		return 3
	}
}

// Affine is what each channel's values are multiplied with and what is then added: the same as
// (v*Scale - Mean) / Std.
func (in Input) Affine(channel int) (scale, offset float64) {
	mean, std := at(in.Mean, channel, 0), at(in.Std, channel, 1)
	return in.Scale / std, -mean / std
}

func at(v []float64, i int, none float64) float64 {
	switch {
	case len(v) == 0:
		return none
	case len(v) == 1:
		return v[0]
	default:
		return v[i]
	}
}
