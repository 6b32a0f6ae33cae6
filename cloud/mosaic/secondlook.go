package mosaic

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// secondLook is what is known of a second look at an object: a worker's result, or why there is none.
type secondLook struct {
	id      ulid.ULID // of the result or dead letter that counts
	where   extent    // of the result's data
	model   string
	version string
	failed  string // why it is dead; empty: there is a result
}

// lookKey is what a larger model was to see: an object's picture, or a whole frame.
type lookKey struct {
	what string // a track's id, or frame-<number>
	at   int64  // of a frame: its time in ms, for a camera that begins anew counts anew. Of a track 0
}

// lookKeyOf is what an item's picture, or what was found in it, is about.
func lookKeyOf(i *event.Item) lookKey {
	l := lookKey{what: trackOf(i.Subject)}
	if i.Kind == event.Frame || i.Attrs.Input == string(event.Frame) {
		l.at = i.Time.UnixMilli()
	}
	return l
}

// isSecondLook says whether an item is a worker's view of an object's picture or of a whole frame.
func isSecondLook(i *event.Item) bool {
	return i.Kind == event.Result && i.Attrs.Input == string(event.Crop) || isFrameLook(i)
}

// isFrameLook says whether an item is a worker's view of a camera's whole frame.
func isFrameLook(i *event.Item) bool {
	return i.Kind == event.Result && i.Attrs.Input == string(event.Frame) && wantsBoxes(i)
}

// wantsBoxes says whether boxes were asked of a camera's whole frame. Other pictures that somebody
// sends in have no number in their subject.
func wantsBoxes(i *event.Item) bool {
	return i.Attrs.Want == "detect" && i.Attrs.Scene == "" && frameNumber(i.Subject) >= 0
}

// asksSecondLook says whether an item is a picture for a second look.
func asksSecondLook(i *event.Item) bool {
	return i.Kind == event.Crop && i.Attrs.Want != "" || i.Kind == event.Frame && wantsBoxes(i)
}

// addSecondLook takes in a worker's result. Of several the least id counts, in whatever order they come.
func (c *Camera) addSecondLook(e event.Item) error {
	at := lookKeyOf(&e)
	if old, ok := c.secondLooks[at]; ok && old.failed == "" && old.id.Compare(e.ID) <= 0 {
		return nil
	}
	where, err := c.scratch.put(e.Data)
	if err != nil {
		return err
	}
	c.secondLooks[at] = secondLook{id: e.ID, where: where, model: e.Attrs.Model, version: e.Attrs.ModelVersion}
	return nil
}

// AddDead takes in a picture that no worker could do anything with. A result outweighs it: it was replayed.
func (c *Camera) AddDead(e event.Item, reason string) (changed bool) {
	at := lookKeyOf(&e)
	if old, ok := c.secondLooks[at]; ok && (old.failed == "" || old.id.Compare(e.ID) <= 0) {
		return false
	}
	c.secondLooks[at] = secondLook{id: e.ID, failed: reason}
	return true
}

// pendingLooks is what waits for a second look.
func (c *Camera) pendingLooks() (what []string) {
	for l := range c.requested {
		if _, ok := c.secondLooks[l]; !ok {
			what = append(what, l.what)
		}
	}
	return what
}

// withSecondLook is a track's event with what the second look found, where there is one.
func (c *Camera) withSecondLook(data []byte) ([]byte, error) {
	var e event.TrackEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.After == nil || e.After.SecondLook == nil {
		return data, nil
	}
	a, ok := c.secondLooks[lookKey{what: e.After.ID}]
	if !ok {
		return data, nil
	}
	v := event.Verdict{Model: a.model, ModelVersion: a.version, Failed: a.failed}
	if a.failed == "" {
		result, err := c.scratch.get(a.where)
		if err != nil {
			return nil, err
		}
		if v.Failed = skipped(result); v.Failed == "" {
			if v.Label, v.Score, err = labelAt(result, e.After.SecondLook.Box); err != nil {
				v.Failed = fmt.Sprintf("the result can't be read: %v", err)
			}
		}
	}
	v.Agrees = v.Failed == "" && v.Label == e.After.Label
	e.After.SecondLook.Verdict = &v
	return json.Marshal(e)
}

// A box of the second look is about the object when it overlaps it by so much, and tells something
// from such a score on, as a model's detections are events from 0.3 on.
const (
	sameObject = 0.3
	leastScore = 0.3
)

// skipped is why no model looked at an item, where its result says that: it was late. Else empty.
func skipped(result []byte) string {
	var s struct {
		Skipped  bool      `json:"skipped"`
		Deadline time.Time `json:"deadline"`
	}
	if json.Unmarshal(result, &s) != nil || !s.Skipped {
		return ""
	}
	return fmt.Sprintf("the workers skip what is late (worker.late), and its deadline was %s", s.Deadline.Format(time.RFC3339))
}

// labelAt is the best label for the object at that place of its picture; none where nothing is there.
func labelAt(result []byte, object [4]float32) (label string, score float32, err error) {
	var found struct {
		Boxes   []vision.Box   `json:"boxes"`
		Classes []vision.Class `json:"classes"`
	}
	if err := json.Unmarshal(result, &found); err != nil {
		return "", 0, err
	}
	if len(found.Classes) > 0 {
		return found.Classes[0].Label, found.Classes[0].Score, nil
	}
	at := vision.Box{X: object[0], Y: object[1], W: object[2], H: object[3]}
	for _, b := range found.Boxes {
		if b.Score >= leastScore && b.Score > score && vision.IoU(at, b) >= sameObject {
			label, score = b.Label, b.Score
		}
	}
	return label, score, nil
}

// frameLook is what came of a larger model's look at a whole frame, a line of second_looks.json.
type frameLook struct {
	ImageID      any    `json:"image_id"` // as in detections.json
	Model        string `json:"model"`
	ModelVersion string `json:"model_version"`
	Detections   int    `json:"detections"`       // that took the place of the device's …
	Instead      int    `json:"instead_of"`       // … which were so many
	Failed       string `json:"failed,omitempty"` // why there are none: the device's stand
}

func lookKeyOfFrame(f event.FrameDetection) lookKey {
	return lookKey{what: fmt.Sprintf("frame-%d", f.Frame), at: f.Time.UnixMilli()}
}

// applySecondLook puts what a larger model found in a frame in the place of what the device found, where it
// was asked to and could. nil: it was not asked, or has not answered yet.
func (c *Camera) applySecondLook(d *event.Detections, f *event.FrameDetection) (*frameLook, error) {
	if f.SecondLook == nil {
		return nil, nil
	}
	a, ok := c.secondLooks[lookKeyOfFrame(*f)]
	if !ok {
		return nil, nil
	}
	v := &frameLook{Model: a.model, ModelVersion: a.version, Instead: len(f.Boxes), Failed: a.failed}
	if v.Failed != "" {
		return v, nil
	}
	result, err := c.scratch.get(a.where)
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

// boxesInFrame reads a worker's result as a device would have sent it.
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
		return nil, fmt.Errorf("the result is of %d x %d pixels, the frame of %d x %d", found.Width, found.Height, d.Width, d.Height)
	}
	boxes := make([]event.Box, 0, len(found.Boxes))
	for _, b := range found.Boxes {
		boxes = append(boxes, event.Box{Label: b.Label, CategoryID: b.CategoryID(), BBox: [4]float32{b.X, b.Y, b.W, b.H}, Score: b.Score, Shape: event.ShapeOf(b)})
	}
	return boxes, nil
}

// count adds the look to the record's statistics.
func (v *frameLook) count(f *CameraStats) {
	if v.Failed == "" {
		f.LookedAgain++
	} else {
		f.LooksFailed++
	}
}

// modelNames are the names and versions of the models that took part, in order.
func (c *Camera) modelNames(looks []frameLook) []string {
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
