package model

import (
	"strconv"
	"strings"
)

// byUltralytics says whether Ultralytics' own exporter wrote the file: it says so, or names task and classes.
func (c *recogniser) byUltralytics() bool {
	return c.says["author"] == "Ultralytics" || c.says["task"] != "" && c.says["names"] != ""
}

// ultralytics is the layout of a file that Ultralytics' exporter made, whose metadata say all of it: the task,
// how many classes, and whether its boxes are final. Nil: the shapes have to tell.
func (c *recogniser) ultralytics(task string) []Layout {
	out := c.sig.Outputs
	if !c.byUltralytics() || strings.Contains(c.says["head"], "RTDETR") || len(out) == 0 || len(out[0].Shape) != 3 || len(c.labels) == 0 {
		return nil
	}
	l := Layout{Labels: len(c.labels), Image: "ultralytics"}
	switch task {
	case "obb":
		l.What, l.Output.Angle, l.Output.Extra, l.Output.Boxes = "with turned boxes", true, 1, BoxCentre
	case "pose":
		l.What = "with key points"
		if shape := numbers(c.says["kpt_shape"]); len(shape) == 2 {
			l.Output.Keypoints, l.Output.Extra = shape, shape[0]*shape[1]
		} else if l.Output.Extra = out[0].Shape[1] - 4 - len(c.labels); l.Output.Extra < 1 {
			return nil
		}
	case "segment":
		if len(out) != 2 || len(out[1].Shape) != 4 || out[1].Shape[1] < 1 {
			return nil
		}
		l.What, l.Output.Masks, l.Output.Extra, l.Output.Tensors = "with masks", true, out[1].Shape[1], []string{out[0].Name, out[1].Name}
	}
	rows, row := out[0].Shape[1], out[0].Shape[2]
	switch {
	case c.final() && row == 6+l.Output.Extra:
		l.What, l.Output.Decoder = strings.TrimSpace("an end-to-end export of Ultralytics "+l.What), "end2end"
	case !c.final() && rows == 4+len(c.labels)+l.Output.Extra:
		l.What, l.Output.Decoder, l.Output.NMSIoU = strings.TrimSpace("a raw export of Ultralytics "+l.What), "ultralytics", 0.7
	default:
		return nil
	}
	return []Layout{l}
}

// final says whether the metadata say that boxes are final.
func (c *recogniser) final() bool {
	return strings.EqualFold(c.says["end2end"], "true") || strings.Contains(c.says["args"], "'nms': True")
}

// numbers reads "[17, 3]".
func numbers(text string) (list []int) {
	for _, word := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune("[](), ", r) }) {
		n, err := strconv.Atoi(word)
		if err != nil {
			return nil
		}
		list = append(list, n)
	}
	return list
}

// asExported fills in what Ultralytics' own inference does with pictures and boxes.
func (c *recogniser) asExported(g *Guess, image string) {
	if image != "ultralytics" {
		return
	}
	g.Output.Clip = !g.Output.Angle
	if g.Output.Decoder == "ultralytics" {
		set(&g.Output.NMSIoU, 0.7)
	}
	stride, err := strconv.Atoi(c.says["stride"])
	open := len(c.image.Shape) == 4 && c.image.Shape[2] < 0 && c.image.Shape[3] < 0
	if err == nil && c.byUltralytics() && open && stride > 0 && stride <= 1024 && len(g.Input.Size) == 2 && g.Input.Size[0]%stride == 0 && g.Input.Size[1]%stride == 0 {
		g.Input.MultipleOf = stride
		g.Found = append(g.Found, "an input of any size: the letterbox is cut to a multiple of "+c.says["stride"]+" pixels")
	}
}
