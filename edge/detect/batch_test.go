package detect

import (
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

func TestABatchOfLargeShapesStaysBelowWhatIsRead(t *testing.T) {
	b := newBatch("gate", Model{Name: "pose"}, BatchConfig{Frames: 64}, Places{})
	boxes := make([]vision.Box, 400)
	for i := range boxes {
		boxes[i] = vision.Box{W: 1, H: 1, Score: 0.5, Label: "person", Keypoints: make([][3]float32, 500)}
	}
	b.add(Frame{Image: vision.Image{W: 9, H: 9}}, boxes, nil, time.Now())
	told := 0
	for _, box := range b.data.Frames[0].Boxes {
		told += box.Shape.Values()
	}
	if len(b.data.Frames[0].Boxes) != len(boxes) || told > event.MostShapeValues || told < event.MostShapeValues/2 || !b.full() {
		t.Errorf("%d numbers of %d boxes, full %t", told, len(b.data.Frames[0].Boxes), b.full())
	}
	if data, err := b.take(); err != nil || len(data) > event.MaxListBytes || b.full() {
		t.Errorf("%d bytes, %v, full %t", len(data), err, b.full())
	}
}
