package worker

import (
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
)

// locate finds out where a tile lies while its bytes are at hand, where somebody keeps views of the ground.
func (w *Worker) locate(j *job, data []byte) {
	places, ok := w.Decoder.(Places)
	item := &j.entry.Item
	if w.Views == nil || !ok || item.Kind != event.Tile || item.Attrs.Scene == "" || item.Attrs.Want != "segment" {
		return
	}
	if at, ok := places.Place(item.Type, data, j.image); ok && at.System.Shared() {
		j.place = at
	}
}

// observe reduces the tiles of a batch to what they show of the ground, where the mask says that it is clear.
// It is done before their pixels are freed.
func (w *Worker) observe(batch []*job) {
	for _, j := range batch {
		m := &j.output.Mask
		if j.place.System == "" || j.poison != nil || j.skipped || len(m.Class) == 0 || len(m.Class) != j.image.W*j.image.H {
			continue
		}
		hidden := ground.Hidden(m)
		for i, wanted := range j.wanted { // of the others there is no picture
			if !wanted && hidden[i] == 0 {
				hidden[i] = ground.NoData
			}
		}
		j.overview = ground.Of(j.image, hidden, j.place)
	}
}

// keepViews hands over what the tiles of a batch showed: their results are durable.
func (w *Worker) keepViews(batch []*job) {
	for _, j := range batch {
		if j.poison == nil && !j.overview.Empty() {
			w.Views.Keep(&j.entry.Item, j.place.System, j.overview)
		}
		j.overview = ground.Overview{}
	}
}
