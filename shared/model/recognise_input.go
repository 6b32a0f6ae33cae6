package model

import (
	"fmt"
	"slices"
	"strings"

	"cloudcanvas/shared/onnx"
)

// usualSize is a detector's input where the file leaves it open and does not say what it was made with.
const usualSize = 640

// input finds size and layout.
func (c *recogniser) input() error {
	image, others, err := onnx.InputsOf(c.sig, [2]int{1, 1})
	if err != nil {
		return fmt.Errorf("it %w", err)
	}
	for _, o := range others {
		c.found("input %s, which is given the size of the network's input: boxes come out in its pixels", o.Name)
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
	list = numbers(text)
	if slices.ContainsFunc(list, func(n int) bool { return !side(n) }) {
		return nil
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
