package detect

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Tracker joins detections of consecutive frames to objects by the overlap of their boxes. It is
// pure: what it gives follows from the frames alone. Used by one goroutine.
//
// Each track expects its box where its own motion takes it. Detections that may begin a track are
// matched first, best overlap first, then the weaker ones that may only continue one (the idea of
// ByteTrack, Zhang et al., ECCV 2022: an object that is half hidden is seen weakly, not elsewhere).
type Tracker struct {
	camera string
	config TrackConfig
	count  int64 // tracks told so far, part of their ids
	tracks []*track
	spare  []*track

	pairs  []pair
	used   []bool
	events []event.TrackEvent
	whose  []*track // of each event
}

// track is one object. What it was is used again for another.
type track struct {
	label    string
	class    int
	box      vision.Box // where it was seen last
	vx, vy   float32    // of its middle, pixels a frame
	start    time.Time
	seen     time.Time
	frame    int64 // in which it was seen last
	hits     int
	top      float32
	improved bool // its score in this frame is its best so far
	matched  bool

	id     string            // once it is confirmed
	told   *event.TrackState // as it was told last
	toldAt time.Time

	view   view   // its best picture, kept by the camera
	update string // key of its latest update, kept by the camera
}

type pair struct {
	iou      float32
	track, i int
}

// NewTracker makes the tracker of one camera.
func NewTracker(camera string, c TrackConfig) *Tracker {
	return &Tracker{camera: camera, config: Config{Tracks: c}.withDefaults(Model{}).Tracks}
}

// Update takes a frame's detections and gives what became of the tracks: new when one is confirmed,
// update when its best view got clearly better or some time has passed, end when it is gone. The
// slice is valid until the next call.
func (t *Tracker) Update(frame int64, at time.Time, boxes []vision.Box) []event.TrackEvent {
	t.events, t.whose = t.events[:0], t.whose[:0]
	for _, tr := range t.tracks {
		tr.matched, tr.improved = false, false
	}
	t.used = slices.Grow(t.used[:0], len(boxes))[:len(boxes)]
	clear(t.used)
	t.match(frame, at, boxes, float32(t.config.MinScore), 2)
	t.match(frame, at, boxes, float32(t.config.Continue), float32(t.config.MinScore))
	t.begin(frame, at, boxes)
	t.tell(frame, at)
	return t.events
}

// match gives detections with a score in [from, below) to tracks that are not matched yet.
func (t *Tracker) match(frame int64, at time.Time, boxes []vision.Box, from, below float32) {
	t.pairs = t.pairs[:0]
	for k, tr := range t.tracks {
		if tr.matched {
			continue
		}
		ahead := tr.box
		ahead.X += tr.vx * float32(frame-tr.frame)
		ahead.Y += tr.vy * float32(frame-tr.frame)
		for i := range boxes {
			b := &boxes[i]
			if t.used[i] || b.Label != tr.label || b.Class != tr.class || b.Score < from || b.Score >= below {
				continue
			}
			if iou := max(vision.IoU(ahead, *b), vision.IoU(tr.box, *b)); iou >= float32(t.config.MinIoU) {
				t.pairs = append(t.pairs, pair{iou, k, i})
			}
		}
	}
	slices.SortFunc(t.pairs, func(a, b pair) int {
		return cmp.Or(-cmp.Compare(a.iou, b.iou), cmp.Compare(a.track, b.track), cmp.Compare(a.i, b.i))
	})
	for _, p := range t.pairs {
		if tr := t.tracks[p.track]; !tr.matched && !t.used[p.i] {
			t.used[p.i] = true
			tr.see(frame, at, boxes[p.i])
		}
	}
}

// see adds a detection to the track.
func (tr *track) see(frame int64, at time.Time, b vision.Box) {
	if gap := float32(frame - tr.frame); gap > 0 && tr.hits > 0 {
		const smooth = 0.4
		vx := (b.X + b.W/2 - tr.box.X - tr.box.W/2) / gap
		vy := (b.Y + b.H/2 - tr.box.Y - tr.box.H/2) / gap
		tr.vx += smooth * (vx - tr.vx)
		tr.vy += smooth * (vy - tr.vy)
	}
	b.Points = nil
	tr.box, tr.seen, tr.frame = b, at, frame
	tr.hits++
	tr.matched = true
	if b.Score > tr.top {
		tr.top, tr.improved = b.Score, true
	}
}

// begin makes tracks of what is left.
func (t *Tracker) begin(frame int64, at time.Time, boxes []vision.Box) {
	for i := range boxes {
		if t.used[i] || boxes[i].Score < float32(t.config.MinScore) || len(t.tracks) >= t.config.Most {
			continue
		}
		tr := &track{}
		if n := len(t.spare); n > 0 {
			tr, t.spare = t.spare[n-1], t.spare[:n-1]
			*tr = track{view: view{image: vision.Image{Pix: tr.view.image.Pix}}} // its buffer goes round
		}
		tr.label, tr.class, tr.start = boxes[i].Label, boxes[i].Class, at
		tr.see(frame, at, boxes[i])
		t.tracks = append(t.tracks, tr)
	}
}

// betterView is the step in score from which a better view is told at once.
const betterView = 0.1

// tell makes the events and ends what is gone.
func (t *Tracker) tell(frame int64, at time.Time) {
	alive := t.tracks[:0]
	for _, tr := range t.tracks {
		gone := frame-tr.frame > int64(t.config.MaxGap) || tr.told == nil && !tr.matched
		switch {
		case gone:
			t.end(tr)
			continue
		case tr.told == nil && tr.hits >= t.config.Confirm:
			t.count++
			tr.id = trackID(tr.start, t.count)
			t.add(event.TrackNew, tr, at, nil)
		case tr.told != nil && tr.matched && (tr.top >= tr.told.TopScore+betterView || at.Sub(tr.toldAt) >= t.config.Update):
			t.add(event.TrackUpdate, tr, at, nil)
		}
		alive = append(alive, tr)
	}
	clear(t.tracks[len(alive):])
	t.tracks = alive
}

// end tells of the end of a track that was told of.
func (t *Tracker) end(tr *track) {
	if tr.told != nil {
		end := seconds(tr.seen)
		t.add(event.TrackEnd, tr, tr.seen, &end)
	}
	if len(t.spare) < 64 {
		t.spare = append(t.spare, tr)
	}
}

func (t *Tracker) add(kind string, tr *track, at time.Time, end *float64) {
	after := &event.TrackState{ID: tr.id, Camera: t.camera, Label: tr.label, Score: tr.box.Score, TopScore: tr.top,
		Box: bbox(tr.box), StartTime: seconds(tr.start), EndTime: end, Frame: int(tr.frame), Frames: tr.hits}
	t.events = append(t.events, event.TrackEvent{Type: kind, Before: tr.told, After: after})
	t.whose = append(t.whose, tr)
	tr.told, tr.toldAt = after, at
}

// Finish ends all tracks, for a stream that is at its end.
func (t *Tracker) Finish() []event.TrackEvent {
	t.events, t.whose = t.events[:0], t.whose[:0]
	for _, tr := range t.tracks {
		t.end(tr)
	}
	t.tracks = t.tracks[:0]
	return t.events
}

// trackID is unlike any other of the camera, also after a restart, and the same when the same video
// is read from the same moment again.
func trackID(start time.Time, n int64) string {
	return fmt.Sprintf("%d.%06d-%s", start.Unix(), start.Nanosecond()/1000, strconv.FormatInt(n, 36))
}

func seconds(t time.Time) float64 { return float64(t.UnixMicro()) / 1e6 }

// bbox is a box as it is told: hundredths of a pixel.
func bbox(b vision.Box) [4]float32 {
	return [4]float32{hundredths(b.X), hundredths(b.Y), hundredths(b.W), hundredths(b.H)}
}

func hundredths(v float32) float32 { return float32(math.Round(float64(v)*100) / 100) }
