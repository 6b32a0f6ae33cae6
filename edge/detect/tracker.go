package detect

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/track"
	"cloudcanvas/shared/vision"
)

// Tracker makes events of what happens to a camera's objects. It is pure: what it gives follows from
// the frames alone. Used by one goroutine.
type Tracker struct {
	camera   string
	config   TrackConfig
	follower *track.Follower
	count    int64     // tracks reported so far, part of their ids
	objects  []*object // by the follower's slot
	alive    []*object

	places        Places
	crossed       *crossings
	width, height int // of the pictures

	events []event.TrackEvent
	whose  []*object // of each event
}

// object is one of them with what was reported of it. Its memory is used again for another.
type object struct {
	*track.Object
	id          string // once it is reported
	start, seen time.Time
	reported    *event.TrackState // as it was reported last
	reportedAt  time.Time
	presence    presence

	trace  string // of the frame in which it was seen last, kept by the camera
	view   view   // its best picture, kept by the camera
	update string // key of its latest update, kept by the camera
}

// NewTracker makes the tracker of one camera.
func NewTracker(camera string, c TrackConfig) *Tracker {
	c = Config{Tracks: c}.withDefaults(Model{}).Tracks
	return &Tracker{camera: camera, config: c, follower: track.NewFollower(c.Following()), crossed: &crossings{}}
}

// Watch takes the places that are reported, in pictures of that size.
func (t *Tracker) Watch(p Places, width, height int) { t.places, t.width, t.height = p, width, height }

// Following is what the configuration says to the follower.
func (c TrackConfig) Following() track.Config {
	return track.Config{Begin: float32(c.MinScore), Continue: float32(c.Continue), MinIoU: float32(c.MinIoU),
		Confirm: c.Confirm, MaxGap: int64(c.MaxGap), Most: c.Most}
}

// Update takes a frame's detections and gives what became of the tracks: new when one is confirmed,
// update when its best view got clearly better, it entered or left a zone, crossed a line, or some
// time has passed, end when it is gone. The slice is valid until the next call.
func (t *Tracker) Update(frame int64, at time.Time, boxes []vision.Box) []event.TrackEvent {
	t.events, t.whose, t.alive = t.events[:0], t.whose[:0], t.alive[:0]
	alive, gone := t.follower.Update(frame, boxes)
	for _, o := range alive {
		l := t.object(o, at)
		t.alive = append(t.alive, l)
		t.report(l, at)
	}
	t.end(gone)
	return t.events
}

// object finds what is known of a tracked object, or begins it.
func (t *Tracker) object(o *track.Object, at time.Time) *object {
	for len(t.objects) <= o.Slot {
		t.objects = append(t.objects, &object{})
	}
	l := t.objects[o.Slot]
	if o.Seen && o.Hits == 1 {
		l.presence.clear()
		// The buffers go round.
		*l = object{Object: o, start: at, presence: l.presence, view: view{image: vision.Image{Pix: l.view.image.Pix}}}
	}
	if o.Seen {
		l.seen = at
		t.places.follow(&l.presence, o.Label, o.Box, t.width, t.height, o.Frame, at)
	}
	return l
}

// betterView is the step in score from which a better view is reported at once.
const betterView = 0.1

// report makes the event of a living object, where there is something to report.
func (t *Tracker) report(l *object, at time.Time) {
	switch {
	case !l.Confirmed || !t.places.admits(&l.presence):
	case l.reported == nil:
		t.count++
		l.id = trackID(l.start, t.count)
		t.add(event.TrackNew, l, at, nil)
	case l.Seen && (l.Top >= l.reported.TopScore+betterView || l.presence.changed || at.Sub(l.reportedAt) >= t.config.Update):
		t.add(event.TrackUpdate, l, at, nil)
	}
}

// end reports the end of objects that were reported.
func (t *Tracker) end(gone []*track.Object) {
	for _, o := range gone {
		if l := t.objects[o.Slot]; l.reported != nil {
			end := seconds(l.seen)
			t.add(event.TrackEnd, l, l.seen, &end)
		}
	}
}

func (t *Tracker) add(kind string, l *object, at time.Time, end *float64) {
	after := &event.TrackState{ID: l.id, Camera: t.camera, Label: l.Label, Score: l.Box.Score, TopScore: l.Top,
		Box: bbox(l.Box), StartTime: seconds(l.start), EndTime: end, Frame: int(l.Frame), Frames: l.Hits}
	t.places.report(&l.presence, after, t.crossed)
	t.events = append(t.events, event.TrackEvent{Type: kind, Before: l.reported, After: after})
	t.whose = append(t.whose, l)
	l.reported, l.reportedAt = after, at
}

// Finish ends all tracks, for a stream that is at its end.
func (t *Tracker) Finish() []event.TrackEvent {
	t.events, t.whose, t.alive = t.events[:0], t.whose[:0], t.alive[:0]
	t.end(t.follower.Finish())
	return t.events
}

// trackID is unlike any other of the camera, also after a restart, and the same when the same video
// is read from the same moment again.
func trackID(start time.Time, n int64) string {
	return fmt.Sprintf("%d.%06d-%s", start.Unix(), start.Nanosecond()/1000, strconv.FormatInt(n, 36))
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// bbox is a box as it is reported: hundredths of a pixel.
func bbox(b vision.Box) [4]float32 {
	return [4]float32{hundredths(b.X), hundredths(b.Y), hundredths(b.W), hundredths(b.H)}
}

func hundredths(v float32) float32 { return float32(math.Round(float64(v)*100) / 100) }
