package worker

import (
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/linktile"
	"cloudcanvas/shared/vision"
)

// Found is the data of a result that is no mask, as application/json. Boxes are in pixels of the
// item's own picture.
type Found struct {
	Width   int            `json:"width"`
	Height  int            `json:"height"`
	Boxes   []vision.Box   `json:"boxes,omitempty"`
	Classes []vision.Class `json:"classes,omitempty"`
	LeftOut int            `json:"boxes_left_out,omitempty"` // the weakest, beyond event.MaxBoxes

	Pipeline *PipelineResult `json:"pipeline,omitempty"`

	Late     bool      `json:"late,omitempty"`    // the deadline had passed when its turn came …
	Deadline time.Time `json:"deadline,omitzero"` // … which was this
	Skipped  bool      `json:"skipped,omitempty"` // nothing looked at it, as worker.late has it
}

// PipelineResult is how an item went through a pipeline: what each step did, the first one first, and what
// was found, best or largest first: the boxes that were looked at, and all polygons.
type PipelineResult struct {
	Name     string       `json:"name"`
	Steps    []StepReport `json:"steps"`
	Findings []Finding    `json:"findings,omitempty"`
}

// results makes the items that say what was found. They depend on the input and the models only, so
// that the same work done twice gives the same items. A pipeline gives one, under its own name and the
// versions of all its models; where its first model makes a mask, that comes before it as if the model
// had been alone.
func results(j *job) ([]event.Item, error) {
	in, m := &j.entry.Item, j.model
	var items []event.Item
	add := func(name, version, media string, data []byte) {
		items = append(items, event.Item{
			ID:       event.ResultID(in.ID, name, version),
			Edge:     in.Edge,
			Kind:     event.Result,
			Stream:   in.Stream,
			Subject:  in.Subject,
			Time:     in.Time,
			Priority: in.Priority,
			Attrs: event.Attrs{
				Scene: in.Attrs.Scene, Tile: in.Attrs.Tile, Model: name, ModelVersion: version,
				Want: in.Attrs.Want, Input: inputOf(in), TraceParent: in.Attrs.TraceParent, Late: j.late(),
			},
			Type:   media,
			SHA256: event.Sum(data),
			Data:   data,
		})
	}
	if j.skipped {
		data, err := json.Marshal(j.found())
		add(j.route.Name, j.version(), mediaJSON, data)
		return items, err
	}
	if j.steps == nil || j.output.Mask.Class != nil {
		data, media, err := encode(j)
		if err != nil {
			return nil, fmt.Errorf("writing what %s found in %s %s: %w", m.Name, in.Kind, in.ID, err)
		}
		add(m.Name, m.Needs.Version, media, data)
	}
	if j.steps != nil {
		data, err := json.Marshal(j.found())
		if err != nil {
			return nil, fmt.Errorf("writing what pipeline %s found in %s %s: %w", j.route.Name, in.Kind, in.ID, err)
		}
		add(j.route.Name, j.version(), mediaJSON, data)
		if last := &items[len(items)-1]; j.output.Mask.Class != nil {
			// A result with a scene is that scene's mask to those who put scenes together.
			last.Attrs.Scene = ""
		}
	}
	return items, nil
}

// inputOf says what a result was made of.
func inputOf(in *event.Item) string {
	if in.Type == linktile.RefinementType {
		return event.InputRefinement
	}
	return string(in.Kind)
}

const mediaJSON = "application/json"

// version of a pipeline is those of its models.
func (j *job) version() string {
	versions := []string{j.model.Needs.Version}
	for n, s := range j.route.later {
		if len(j.steps) > 0 {
			versions = append(versions, j.steps[n+1].Version)
		} else { // skipped
			versions = append(versions, s.versions.now().Needs.Version)
		}
	}
	return strings.Join(versions, "+")
}

func (j *job) found() Found {
	boxes := bounded(j.output.Boxes[:min(len(j.output.Boxes), event.MaxBoxes)]) // best first
	f := Found{
		Width: j.image.W, Height: j.image.H, Boxes: boxes, LeftOut: len(j.output.Boxes) - len(boxes), Classes: j.output.Classes,
		Late: j.late(), Deadline: j.due, Skipped: j.skipped,
	}
	if j.steps != nil {
		f.Pipeline = &PipelineResult{Name: j.route.Name, Steps: j.steps}
		for _, g := range j.findings {
			if g.Polygon != nil || len(g.Inspections) > 0 {
				f.Pipeline.Findings = append(f.Pipeline.Findings, g)
			}
		}
	}
	return f
}

func encode(j *job) (data []byte, media string, err error) {
	if in := &j.entry.Item; j.output.Mask.Class != nil || j.steps == nil && in.Attrs.Want == "segment" {
		if j.output.Mask.Class == nil {
			return nil, "", errors.New("no mask came out; is it a model for segmentation?")
		}
		// Most of a mask is one class or another for sure: the fastest compression is within a few percent of the best.
		data, err = vision.EncodeProbabilities(j.output.Mask, png.BestSpeed)
		return data, "image/png", err
	}
	data, err = json.Marshal(j.found())
	return data, mediaJSON, err
}

// bounded are the boxes, those beyond event.MostShapeValues without what stands beside them.
func bounded(boxes []vision.Box) []vision.Box {
	boxes, values := slices.Clone(boxes), 0
	for i, b := range boxes {
		n := event.ShapeOf(b).Values()
		if values+n > event.MostShapeValues {
			boxes[i] = b.Bare()
			continue
		}
		values += n
	}
	return boxes
}
