package model

import (
	"fmt"
	"strings"
)

// layouts are those that the shapes allow, sorted by what the metadata say.
func (c *recogniser) layouts(task string) []Layout {
	out := c.sig.Outputs
	if l := c.ultralytics(task); l != nil {
		return l
	}
	if task == "obb" { // as anything else its angles would be scores
		return []Layout{{What: fmt.Sprintf("an oriented (obb) export, of another number of classes than the %d labels that are named; name them with --labels FILE", len(c.labels))}}
	}
	final := strings.EqualFold(c.says["end2end"], "true")
	if final && len(out) > 0 && len(out[0].Shape) == 3 {
		l := Layout{What: "an end-to-end export (end2end)", Output: Output{Decoder: "end2end"}, Image: "ultralytics"}
		if len(out) > 1 {
			l.Output.Tensors = []string{out[0].Name}
		}
		return []Layout{l}
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
