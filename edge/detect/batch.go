package detect

import (
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// batch collects the detections of consecutive frames of one size. Its memory is used again.
type batch struct {
	config BatchConfig
	data   event.Detections
	since  time.Time // when the oldest frame came in, by the clock
	next   int64     // number of the frame that is expected
	values int       // numbers of all shapes
	trace  string    // of the newest frame
}

func newBatch(camera string, m Model, c BatchConfig, p Places) *batch {
	return &batch{config: c, data: event.Detections{Camera: camera, Model: m.Name, ModelVersion: m.Version,
		Zones: p.zones(), Lines: p.lines()}}
}

func (b *batch) empty() bool { return len(b.data.Frames) == 0 }

// fits says whether a frame of that size can join.
func (b *batch) fits(w, h int) bool { return b.empty() || b.data.Width == w && b.data.Height == h }

func (b *batch) full() bool {
	return len(b.data.Frames) >= b.config.Frames || b.values > event.MostShapeValues/2
}

// add takes a frame's detections, and what is asked about its whole picture.
func (b *batch) add(f Frame, boxes []vision.Box, asked *event.FrameLook, now time.Time) {
	d := &b.data
	if b.empty() {
		b.since, d.First, d.Width, d.Height = now, int(f.Number), f.Image.W, f.Image.H
	}
	d.Last = int(f.Number)
	b.next, b.trace = f.Number+1, f.Trace
	if len(d.Frames) < cap(d.Frames) {
		d.Frames = d.Frames[:len(d.Frames)+1]
	} else {
		d.Frames = append(d.Frames, event.FrameDetection{})
	}
	to := &d.Frames[len(d.Frames)-1]
	to.Frame, to.Name, to.Time = int(f.Number), f.Name, f.At.UTC().Truncate(time.Millisecond)
	to.SecondLook, to.Spacing = asked, nil
	if f.Spacing != (vision.Spacing{}) {
		to.Spacing = &f.Spacing
	}
	if to.Boxes == nil {
		to.Boxes = make([]event.Box, 0, max(len(boxes), 8)) // an empty list, never null
	}
	to.Boxes = to.Boxes[:0]
	for _, box := range boxes[:min(len(boxes), event.MaxBoxes)] { // best first; the cloud refuses more
		shape := event.ShapeOf(box)
		if n := shape.Values(); b.values+n > event.MostShapeValues {
			shape = event.Shape{}
		} else {
			b.values += n
		}
		to.Boxes = append(to.Boxes, event.Box{Label: box.Label, CategoryID: box.CategoryID(),
			BBox: bbox(box), Score: box.Score, Shape: shape})
	}
}

// take makes the batch's JSON and empties it.
func (b *batch) take() ([]byte, error) {
	data, err := json.Marshal(&b.data)
	b.data.Frames, b.values = b.data.Frames[:0], 0
	if err != nil {
		return nil, fmt.Errorf("detections of frames %d to %d: %w", b.data.First, b.data.Last, err)
	}
	return data, nil
}

// end makes the last batch of a finite stream of so many frames; it may have no frames.
func (b *batch) end(total int64) ([]byte, error) {
	if b.empty() {
		b.data.First, b.data.Last = int(b.next), int(b.next)-1
	}
	if b.data.Frames == nil {
		b.data.Frames = []event.FrameDetection{}
	}
	b.data.End, b.data.Total = true, int(total)
	return b.take()
}
