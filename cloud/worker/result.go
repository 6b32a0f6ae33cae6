package worker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Found is the data of a result that is no mask, as application/json. Boxes are in pixels of the
// item's own picture.
type Found struct {
	Width   int            `json:"width"`
	Height  int            `json:"height"`
	Boxes   []vision.Box   `json:"boxes,omitempty"`
	Classes []vision.Class `json:"classes,omitempty"`
}

// result makes the item that says what was found. It depends on the input and the model only, so
// that the same work done twice gives the same item. A mask is an 8-bit gray PNG of the item's
// picture, its values vision's classes.
func result(j *job) (event.Item, error) {
	in, m := &j.entry.Item, j.model
	data, media, err := encode(j)
	if err != nil {
		return event.Item{}, fmt.Errorf("writing what %s found in %s %s: %w", m.Name, in.Kind, in.ID, err)
	}
	return event.Item{
		ID:       event.ResultID(in.ID, m.Name, m.Needs.Version),
		Edge:     in.Edge,
		Kind:     event.Result,
		Stream:   in.Stream,
		Subject:  in.Subject,
		Time:     in.Time,
		Priority: in.Priority,
		Attrs: event.Attrs{
			Scene: in.Attrs.Scene, Tile: in.Attrs.Tile, Model: m.Name, ModelVersion: m.Needs.Version,
			Want: in.Attrs.Want, TraceParent: in.Attrs.TraceParent,
		},
		Type:   media,
		SHA256: event.Sum(data),
		Data:   data,
	}, nil
}

func encode(j *job) (data []byte, media string, err error) {
	if in := &j.entry.Item; in.Attrs.Want == "segment" || j.output.Mask.Class != nil {
		if j.output.Mask.Class == nil {
			return nil, "", errors.New("no mask came out; is it a model for segmentation?")
		}
		data, err = encodeMask(j.output.Mask)
		return data, "image/png", err
	}
	data, err = json.Marshal(Found{Width: j.image.W, Height: j.image.H, Boxes: j.output.Boxes, Classes: j.output.Classes})
	return data, "application/json", err
}

func encodeMask(m vision.Mask) ([]byte, error) {
	var b bytes.Buffer
	// Masks are made of large even areas: the fastest compression is within a few percent of the best.
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	err := e.Encode(&b, &image.Gray{Pix: m.Class, Stride: m.W, Rect: image.Rect(0, 0, m.W, m.H)})
	return b.Bytes(), err
}
