package mosaic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// frameVerdict is what came of a larger model's look at a whole frame, a line of second_looks.json.
type frameVerdict struct {
	ImageID      any    `json:"image_id"` // as in detections.json
	Model        string `json:"model"`
	ModelVersion string `json:"model_version"`
	Detections   int    `json:"detections"`       // that took the place of the device's …
	Instead      int    `json:"instead_of"`       // … which were so many
	Failed       string `json:"failed,omitempty"` // why there are none: the device's stand
}

func lookAtFrame(f event.FrameDetection) look {
	return look{what: fmt.Sprintf("frame-%d", f.Frame), at: f.Time.UnixMilli()}
}

// lookAgain puts what a larger model found in a frame in the place of what the device found, where it
// was asked to and could. nil: it was not asked, or has not answered yet.
func (c *Camera) lookAgain(d *event.Detections, f *event.FrameDetection) (*frameVerdict, error) {
	if f.SecondLook == nil {
		return nil, nil
	}
	a, ok := c.answers[lookAtFrame(*f)]
	if !ok {
		return nil, nil
	}
	v := &frameVerdict{Model: a.model, ModelVersion: a.version, Instead: len(f.Boxes), Failed: a.failed}
	if v.Failed != "" {
		return v, nil
	}
	result, err := c.spool.get(a.where)
	if err != nil {
		return nil, err
	}
	if v.Failed = skipped(result); v.Failed != "" {
		return v, nil
	}
	boxes, err := boxesInFrame(result, d)
	if err != nil {
		v.Failed = fmt.Sprintf("the result can't be used: %v", err)
		return v, nil
	}
	f.Boxes, v.Detections = boxes, len(boxes)
	return v, nil
}

// boxesInFrame reads a worker's result as a device would have told it.
func boxesInFrame(result []byte, d *event.Detections) ([]event.Box, error) {
	var found struct {
		Width  int          `json:"width"`
		Height int          `json:"height"`
		Boxes  []vision.Box `json:"boxes"`
	}
	if err := json.Unmarshal(result, &found); err != nil {
		return nil, err
	}
	if found.Width != d.Width || found.Height != d.Height {
		return nil, fmt.Errorf("it is of %d x %d pixels, the frame of %d x %d", found.Width, found.Height, d.Width, d.Height)
	}
	boxes := make([]event.Box, 0, len(found.Boxes))
	for _, b := range found.Boxes {
		boxes = append(boxes, event.Box{Label: b.Label, CategoryID: b.CategoryID(), BBox: [4]float32{b.X, b.Y, b.W, b.H}, Score: b.Score, Shape: event.ShapeOf(b)})
	}
	return boxes, nil
}

// count adds the look to the record's figures.
func (v *frameVerdict) count(f *CameraFigures) {
	if v.Failed == "" {
		f.LookedAgain++
	} else {
		f.LooksFailed++
	}
}

// took are the names and versions of the models that took part, in order.
func (c *Camera) took(looks []frameVerdict) []string {
	models := maps.Clone(c.models)
	for _, v := range looks {
		if v.Failed == "" {
			models[v.Model+" "+v.ModelVersion] = true
		}
	}
	return append([]string{}, slices.Sorted(maps.Keys(models))...) // a list also where there is none
}

// writeLines makes a list with an element a line.
func writeLines[T any](path string, elements []T) error {
	return list(path, func(add func([]byte) error) error {
		for _, v := range elements {
			line, err := json.Marshal(v)
			if err != nil {
				return err
			}
			if err := add(line); err != nil {
				return err
			}
		}
		return nil
	})
}
