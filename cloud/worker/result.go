package worker

import (
	"encoding/json"
	"errors"
	"fmt"
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
// that the same work done twice gives the same item. A mask travels as vision.EncodeShares writes it.
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
			Want: in.Attrs.Want, Input: string(in.Kind), TraceParent: in.Attrs.TraceParent,
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
		// Most of a mask is one class or another for sure: the fastest compression is within a few percent of the best.
		data, err = vision.EncodeShares(j.output.Mask, png.BestSpeed)
		return data, "image/png", err
	}
	data, err = json.Marshal(Found{Width: j.image.W, Height: j.image.H, Boxes: j.output.Boxes, Classes: j.output.Classes})
	return data, "application/json", err
}
