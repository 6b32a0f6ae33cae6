package mosaic

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// answered is what is known of a second look at an object: a worker's result, or why there is none.
type answered struct {
	id      ulid.ULID // of the result or dead letter that counts
	where   span      // of the result's data
	model   string
	version string
	failed  string // why it is dead; empty: there is a result
}

// look is what a larger model was to see: an object's picture, or a whole frame.
type look struct {
	what string // a track's id, or frame-<number>
	at   int64  // of a frame: its time in ms, for a camera that begins anew counts anew. Of a track 0
}

// lookOf is what an item's picture, or what was found in it, is about.
func lookOf(i *event.Item) look {
	l := look{what: trackOf(i.Subject)}
	if i.Kind == event.Frame || i.Attrs.Input == string(event.Frame) {
		l.at = i.Time.UnixMilli()
	}
	return l
}

// looksAgain says whether an item is a worker's view of an object's picture or of a whole frame.
func looksAgain(i *event.Item) bool {
	return i.Kind == event.Result && i.Attrs.Input == string(event.Crop) || sawFrame(i)
}

// sawFrame says whether an item is a worker's view of a camera's whole frame.
func sawFrame(i *event.Item) bool {
	return i.Kind == event.Result && i.Attrs.Input == string(event.Frame) && wantsBoxes(i)
}

// wantsBoxes says whether boxes were asked of a camera's whole frame. Other pictures that somebody
// sends in have no number in their subject.
func wantsBoxes(i *event.Item) bool {
	return i.Attrs.Want == "detect" && i.Attrs.Scene == "" && frameNumber(i.Subject) >= 0
}

// asksAgain says whether an item is a picture for a second look.
func asksAgain(i *event.Item) bool {
	return i.Kind == event.Crop && i.Attrs.Want != "" || i.Kind == event.Frame && wantsBoxes(i)
}

// addVerdict takes in a worker's result. Of several the least id counts, in whatever order they come.
func (c *Camera) addVerdict(e event.Item) error {
	at := lookOf(&e)
	if old, ok := c.answers[at]; ok && old.failed == "" && old.id.Compare(e.ID) <= 0 {
		return nil
	}
	where, err := c.spool.put(e.Data)
	if err != nil {
		return err
	}
	c.answers[at] = answered{id: e.ID, where: where, model: e.Attrs.Model, version: e.Attrs.ModelVersion}
	return nil
}

// AddDead takes in a picture that no worker could do anything with. A result outweighs it: it was replayed.
func (c *Camera) AddDead(e event.Item, reason string) (changed bool) {
	at := lookOf(&e)
	if old, ok := c.answers[at]; ok && (old.failed == "" || old.id.Compare(e.ID) <= 0) {
		return false
	}
	c.answers[at] = answered{id: e.ID, failed: reason}
	return true
}

// unanswered is what waits for a second look.
func (c *Camera) unanswered() (what []string) {
	for l := range c.asked {
		if _, ok := c.answers[l]; !ok {
			what = append(what, l.what)
		}
	}
	return what
}

// judged is a track's event with the verdict in it, where there is one.
func (c *Camera) judged(data []byte) ([]byte, error) {
	var e event.TrackEvent
	if err := json.Unmarshal(data, &e); err != nil {
		return nil, err
	}
	if e.After == nil || e.After.SecondLook == nil {
		return data, nil
	}
	a, ok := c.answers[look{what: e.After.ID}]
	if !ok {
		return data, nil
	}
	v := event.Verdict{Model: a.model, ModelVersion: a.version, Failed: a.failed}
	if a.failed == "" {
		result, err := c.spool.get(a.where)
		if err != nil {
			return nil, err
		}
		if v.Failed = skipped(result); v.Failed == "" {
			if v.Label, v.Score, err = verdict(result, e.After.SecondLook.Box); err != nil {
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

// verdict is the best label for the object at that place of its picture; none where nothing is there.
func verdict(result []byte, object [4]float32) (label string, score float32, err error) {
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
