package model

import (
	"fmt"
	"strings"

	"cloudcanvas/shared/onnx"
)

// Layout is a way in which a detector's outputs may be meant.
type Layout struct {
	What   string // for people
	Output Output // decoder, boxes, unit, activation, extra, tensors as far as they say it; no decoder: none reads it
	Labels int    // classes; 0: the shapes do not say
	Image  string // how exporters of this kind prepare pictures: ultralytics, yolox, stretch, imagenet, detr, rtdetr
}

// Words are what a manifest says for it.
func (o Output) Words() string {
	words := []string{"decoder: " + o.Decoder}
	for _, f := range [][2]string{{"boxes", o.Boxes}, {"unit", o.Unit}, {"activation", o.Activation}} {
		if f[1] != "" {
			words = append(words, f[0]+": "+f[1])
		}
	}
	if len(o.Columns) > 0 {
		words = append(words, "columns: ["+strings.Join(o.Columns, ", ")+"]")
	}
	switch {
	case o.Angle:
		words = append(words, "angle: true")
	case len(o.Keypoints) == 2:
		words = append(words, fmt.Sprintf("keypoints: [%d, %d]", o.Keypoints[0], o.Keypoints[1]))
	case o.Masks:
		words = append(words, "masks: true")
	}
	if o.Extra > 0 && !o.Angle && len(o.Keypoints) == 0 {
		words = append(words, fmt.Sprintf("extra: %d", o.Extra))
	}
	if o.FirstClass > 0 {
		words = append(words, fmt.Sprintf("first_class: %d", o.FirstClass))
	}
	return strings.Join(words, ", ")
}

// mostRows bounds the rows of networks that answer with final boxes or queries.
const mostRows = 2000

// LayoutsOf are the ways in which the outputs of a detector may be meant, by their shapes with the batch and
// their names, the likeliest first. labels is how many there are; 0: not known. Shapes that are not known
// are -1.
func LayoutsOf(outputs []onnx.TensorInfo, labels int) []Layout {
	if l := listsOf(outputs, labels); len(l) > 0 {
		return l
	}
	if l := flatOf(outputs); len(l) > 0 {
		return l
	}
	if l := pairOf(outputs, labels); len(l) > 0 {
		return l
	}
	if len(outputs) == 0 || len(outputs[0].Shape) != 3 {
		return nil
	}
	return rowsOf(outputs, labels)
}

// cocoRow is a row of a box, objectness and COCO's classes.
const cocoRow = 85

// coco91 is how many classes a network has that numbers them with COCO's ids, 0 to 90.
const coco91 = 91

// rowsOf are the layouts of one tensor of rows, beside which maps may stand.
func rowsOf(outputs []onnx.TensorInfo, labels int) (all []Layout) {
	n, row := outputs[0].Shape[1], outputs[0].Shape[2]
	across := n > 0 && (row < 0 || n < row) // a row is a column
	if across {
		n, row = row, n
	}
	extra := 0
	if len(outputs) == 2 && len(outputs[1].Shape) == 4 && outputs[1].Shape[1] > 0 {
		extra = outputs[1].Shape[1]
	}
	few, many := n <= mostRows, n < 0 || n > mostRows // -1: either
	fits := func(classes int) bool { return classes > 0 && (labels == 0 || classes == labels) }
	only := func(l Layout) {
		if len(outputs) > 1 || extra > 0 {
			l.Output.Tensors = []string{outputs[0].Name}
			if extra > 0 && l.Output.Decoder == "ultralytics" {
				l.Output.Tensors = append(l.Output.Tensors, outputs[1].Name)
			}
		}
		all = append(all, l)
	}
	if !across && few && row-extra == 6 {
		only(Layout{What: "an end-to-end export: x1, y1, x2, y2, score, class", Output: Output{Decoder: "end2end"}, Image: "ultralytics"})
		only(Layout{What: "final rows of an RT-DETR: centre, size, score, class in shares", Output: Output{Decoder: "end2end", Boxes: BoxCentre, Unit: UnitShares}, Image: "stretch"})
	}
	if !across && (many || labels > 0 || row == cocoRow) && fits(row-5-extra) {
		if extra == 0 {
			only(Layout{What: "a YOLOX without decoding", Output: Output{Decoder: "yolox"}, Labels: row - 5, Image: "yolox"})
		}
		only(Layout{What: "a YOLOv5, with objectness", Output: Output{Decoder: "yolov5", Extra: extra}, Labels: row - 5 - extra, Image: "ultralytics"})
	}
	if !across && few && fits(row-4) {
		only(Layout{What: "an RT-DETR with one value a class, in shares", Output: Output{Decoder: "ultralytics", Unit: UnitShares, NMSIoU: 1}, Labels: row - 4, Image: "stretch"})
	}
	if (across || many) && fits(row-4-extra) {
		only(Layout{What: "a YOLOv8 or YOLO11 as it comes", Output: Output{Decoder: "ultralytics", Extra: extra}, Labels: row - 4 - extra, Image: "ultralytics"})
	}
	if len(all) == 0 && labels > 0 && row > 4 { // no way to read it, but something to say
		switch classes := row - 4 - extra; {
		case across && row-4-labels == 1:
			all = append(all, Layout{What: "one value a box more than there are labels: an oriented (obb) export (decoder: ultralytics, angle: true), or a label that is not named"})
		case across || many:
			all = append(all, Layout{What: fmt.Sprintf("a network of %d classes, or of %d and objectness, where %d labels are named", classes, classes-1, labels)})
		}
	}
	return all
}

// pairOf are the layouts of two tensors, boxes and scores.
func pairOf(outputs []onnx.TensorInfo, labels int) []Layout {
	if len(outputs) != 2 || len(outputs[0].Shape) != 3 || len(outputs[1].Shape) != 3 {
		return nil
	}
	at, scores := outputs[0], outputs[1]
	if at.Shape[2] != 4 || scores.Shape[2] == 4 && strings.Contains(strings.ToLower(scores.Name), "box") {
		at, scores = scores, at
	}
	if at.Shape[2] != 4 {
		return nil
	}
	o := Output{Decoder: "detr", Tensors: []string{at.Name, scores.Name}}
	logits, probabilities, pixels := o, o, o
	logits.Activation = "logits"
	pixels.Boxes, pixels.Unit, pixels.NMSIoU = BoxCorners, UnitPixels, 0.45
	what, classes, image := "an RT-DETR or D-FINE: boxes in shares, scores as logits, each for itself", scores.Shape[2], "rtdetr"
	if labels > 0 && classes == labels+1 || labels == 0 && classes == coco91+1 { // the last is "nothing"
		what, image = "a DETR: boxes in shares, scores as logits, the last for nothing", "detr"
		classes--
	}
	if at.Name == "dets" && scores.Name == "labels" {
		what, logits.Activation, logits.Clip, image = "an RF-DETR: boxes in shares, scores as logits, each for itself", "sigmoid", true, "imagenet"
	}
	return []Layout{
		{What: what, Output: logits, Labels: max(classes, 0), Image: image},
		{What: "a DETR: boxes in shares, scores as probabilities", Output: probabilities, Labels: max(classes, 0), Image: "stretch"},
		{What: "boxes as corners in pixels, and scores, as YOLO-NAS", Output: pixels, Labels: max(classes, 0), Image: "stretch"},
	}
}

// flatOf are the layouts of rows that are not parted by pictures, and perhaps how many each has.
func flatOf(outputs []onnx.TensorInfo) []Layout {
	if len(outputs) == 0 || len(outputs) > 2 {
		return nil
	}
	s := outputs[0].Shape
	openvino := len(s) == 4 && s[0] == 1 && s[1] == 1 && s[3] == 7
	if len(s) != 2 && !openvino {
		return nil
	}
	end := func(what, unit, image string, columns ...string) Layout {
		return Layout{What: what, Image: image, Output: Output{Decoder: "end2end", Unit: unit, Columns: columns, Tensors: []string{outputs[0].Name}}}
	}
	scoreFirst := end("rows of all pictures in one list: image, x1, y1, x2, y2, score, class, as YOLO-NAS", "", "stretch", ColumnImage, ColumnBox, ColumnScore, ColumnClass)
	classFirst := end("rows of all pictures in one list: image, x1, y1, x2, y2, class, score, as YOLOv7 with its own suppression", "", "ultralytics", ColumnImage, ColumnBox, ColumnClass, ColumnScore)
	switch {
	case openvino:
		return []Layout{end("an SSD's detection output: image, class, score, x1, y1, x2, y2 in shares", UnitShares, "stretch", ColumnImage, ColumnClass, ColumnScore, ColumnBox)}
	case s[1] == 7 && strings.Contains(outputs[0].Name, "flat"):
		return []Layout{scoreFirst}
	case s[1] == 7 && len(outputs) == 1:
		return []Layout{classFirst, scoreFirst}
	case s[1] == 6 && len(outputs) == 2 && len(outputs[1].Shape) == 1: // how many each picture has is of no use with one
		return []Layout{end("PaddleDetection's rows: class, score, x1, y1, x2, y2", "", "imagenet", ColumnClass, ColumnScore, ColumnBox)}
	}
	return nil
}

// listsOf are the layouts of separate lists of boxes, scores and classes, which their names tell, or their
// shapes.
func listsOf(outputs []onnx.TensorInfo, labels int) []Layout {
	if len(outputs) < 3 || len(outputs) > 8 {
		return nil
	}
	find := func(words ...string) string {
		for _, o := range outputs {
			name := strings.ToLower(o.Name)
			for _, w := range words {
				if strings.Contains(name, w) && !strings.Contains(name, "raw") && !strings.Contains(name, "anchor") && !strings.Contains(name, "multiclass") {
					return o.Name
				}
			}
		}
		return ""
	}
	at, scores, classes, count := find("box"), find("score"), find("class", "label"), find("num_det", "numdet", "num_pred")
	l := Layout{What: "lists of boxes, scores and classes", Output: Output{Decoder: "lists", Tensors: []string{at, scores, classes}}, Image: "stretch"}
	if at == "" || scores == "" || classes == "" {
		return listsByShape(outputs)
	}
	if count != "" {
		l.Output.Tensors = append(l.Output.Tensors, count)
	}
	if at == "det_boxes" {
		l.What, l.Image = "lists of boxes, scores and classes, as YOLOv7 with its own suppression", "ultralytics"
	}
	shares, fromOne := l, l
	shares.What, shares.Output.Unit = "lists of boxes in shares, scores and classes, as the SSD of ONNX's model zoo", UnitShares
	if strings.HasPrefix(at, "detection_boxes") {
		fromOne.What, fromOne.Output.Boxes, fromOne.Output.Unit = "TensorFlow's detection post-processing", BoxCornersYX, UnitShares
		fromOne.countFromOne(labels)
		return []Layout{fromOne}
	}
	if len(outputs) == 3 && unbatched(outputs, at) {
		fromOne.What = "torchvision's detection: boxes, scores and classes of one picture"
		fromOne.countFromOne(labels)
		return []Layout{fromOne}
	}
	return []Layout{l, shares}
}

// countFromOne is for networks that keep class 0 for what is nothing. COCO's have its 90 ids, with gaps.
func (l *Layout) countFromOne(labels int) {
	if labels == 0 || labels == cocoRow-5 {
		l.Labels = coco91
		return
	}
	l.Output.FirstClass = 1
}

func unbatched(outputs []onnx.TensorInfo, at string) bool {
	for _, o := range outputs {
		if o.Name == at {
			return len(o.Shape) == 2
		}
	}
	return false
}

// listsByShape tells TensorFlow Lite's outputs, which are named after their operator or numbered: boxes,
// classes, scores, how many.
func listsByShape(outputs []onnx.TensorInfo) []Layout {
	if len(outputs) != 4 {
		return nil
	}
	for k, rank := range []int{3, 2, 2, 1} {
		if len(outputs[k].Shape) != rank {
			return nil
		}
	}
	if outputs[0].Shape[2] != 4 {
		return nil
	}
	l := Layout{What: "TensorFlow Lite's detection post-processing", Image: "stretch", Output: Output{Decoder: "lists", Boxes: BoxCornersYX, Unit: UnitShares,
		Tensors: []string{outputs[0].Name, outputs[2].Name, outputs[1].Name, outputs[3].Name}}}
	other := l
	other.Output.Tensors = []string{outputs[0].Name, outputs[1].Name, outputs[2].Name, outputs[3].Name}
	return []Layout{l, other}
}
