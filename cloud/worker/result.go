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
// that the same work done twice gives the same item. A mask travels as class probabilities, an 8-bit
// gray PNG of the picture's width with one plane below the other for class 1, 2, … (1 shadow, 2
// cloud; the rest is clear), each of the picture's height, in 1/254; 255 is no data.
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

// certain is the probability 1 in a result's planes.
const certain = 254

// encodeMask writes the probabilities behind a mask: one plane below the other. A model that gives
// none is taken at its word.
func encodeMask(m vision.Mask) ([]byte, error) {
	shares := m.Shares
	if shares == nil {
		shares = sure(m.Class)
	}
	pix := make([]byte, 0, len(shares)*m.W*m.H)
	for _, plane := range shares {
		pix = append(pix, plane...)
	}
	var b bytes.Buffer
	// Most of a mask is one class or another for sure: the fastest compression is within a few percent of the best.
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	err := e.Encode(&b, &image.Gray{Pix: pix, Stride: m.W, Rect: image.Rect(0, 0, m.W, len(shares)*m.H)})
	return b.Bytes(), err
}

// sure are planes for the classes shadow, cloud and any above.
func sure(class []byte) [][]byte {
	most := byte(vision.Cloud)
	for _, c := range class {
		if c != vision.NoData {
			most = max(most, c)
		}
	}
	shares := make([][]byte, most)
	for i := range shares {
		shares[i] = make([]byte, len(class))
		for p, c := range class {
			switch c {
			case vision.NoData:
				shares[i][p] = vision.NoData
			case byte(i + 1):
				shares[i][p] = certain
			}
		}
	}
	return shares
}
