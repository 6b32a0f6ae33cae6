// Package track joins detections of consecutive frames to objects. It is pure: what it gives follows
// from the boxes alone.
//
// docs/detection.md says how it is tuned, docs/evaluation.md how good it is.
package track

import (
	"math"

	"cloudcanvas/shared/vision"
)

// Config says when detections are the same object. All of it is needed: nothing is filled in.
type Config struct {
	Begin    float32 // score from which a detection begins a track
	Continue float32 // and from which it continues one
	MinIoU   float32 // between where an object is expected and where it is seen
	Confirm  int     // frames one after another in which it is seen before it counts
	MaxGap   int64   // frames in which it is not seen before it is gone
	Most     int     // objects at once
}

// Object is one thing that is followed.
type Object struct {
	ID        int64 // counted from 1, each once
	Slot      int   // a place of its own among those that live at once, from 0
	Label     string
	Class     int
	Box       vision.Box // as it was seen last
	Top       float32    // its best score
	First     int64      // frame in which it was seen first
	Frame     int64      // and last
	Hits      int        // frames in which it was seen
	Seen      bool       // in this frame
	Improved  bool       // its score in this frame is its best so far
	Confirmed bool
	Gone      bool // given once, then the object is used for another

	motion   Motion
	expected vision.Box
}

// weakIoU is what a weak detection must at least overlap with where an object is expected: more than
// a strong one, for many weak ones are nothing (ByteTrack's value).
const weakIoU = 0.5

// highest is above every score: some detectors count beyond 1.
const highest = math.MaxFloat32

// Follower follows all objects of one camera. Used by one goroutine; it makes nothing new while no
// object begins.
//
// The order is that of ByteTrack (Zhang et al., ECCV 2022): strong detections go to the objects that
// are known, also to those that were lost for a while; weak ones go to what is left of those, for an
// object that is half hidden is seen weakly and not elsewhere; strong ones that are left go to objects
// that are not confirmed yet, and then begin new ones. Each step is the assignment with the greatest
// overlap in all, and never joins what has different labels. Other than there, weak detections also go
// to objects that are lost, which is worth 0.023 of HOTA in a simulated crowd (docs/evaluation.md).
type Follower struct {
	config Config
	last   int64 // frame
	count  int64 // objects so far
	alive  []*Object
	gone   []*Object
	spare  []*Object

	used   []bool // of each box of the frame
	rows   []*Object
	edges  []Edge
	assign Assigner
}

// NewFollower makes a follower.
func NewFollower(c Config) *Follower { return &Follower{config: c} }

// Update takes a frame's boxes and gives the objects that live, and those that are gone with this
// frame. Numbers of frames grow; frames may be left out, and move objects on without losing any before
// the next look. Both slices are valid until the next call.
func (f *Follower) Update(frame int64, boxes []vision.Box) (alive, gone []*Object) {
	f.spare, f.gone = append(f.spare, f.gone...), f.gone[:0]
	steps := min(max(frame-f.last, 0), f.config.MaxGap) // further ahead is not known anyway
	f.last = frame
	for _, o := range f.alive {
		o.motion.Ahead(steps, o.Seen)
		o.expected = o.motion.Box()
		o.Seen, o.Improved = false, false
	}
	f.used = sized(f.used, len(boxes))
	c := f.config
	f.match(frame, boxes, c.Begin, highest, c.MinIoU, (*Object).known)
	f.match(frame, boxes, c.Continue, c.Begin, max(c.MinIoU, weakIoU), (*Object).known)
	f.match(frame, boxes, c.Begin, highest, c.MinIoU, (*Object).fresh)
	f.begin(frame, boxes)
	f.settle(frame)
	return f.alive, f.gone
}

func (o *Object) known() bool { return o.Confirmed && !o.Seen }
func (o *Object) fresh() bool { return !o.Confirmed && !o.Seen }

// match gives boxes with a score in [from, below) to the objects that are asked for.
func (f *Follower) match(frame int64, boxes []vision.Box, from, below, least float32, asked func(*Object) bool) {
	f.rows, f.edges = f.rows[:0], f.edges[:0]
	for _, o := range f.alive {
		if !asked(o) {
			continue
		}
		for i := range boxes {
			b := &boxes[i]
			if f.used[i] || b.Score < from || b.Score >= below || b.Class != o.Class || b.Label != o.Label {
				continue
			}
			if iou := vision.IoU(o.expected, *b); iou > 0 && iou >= least {
				f.edges = append(f.edges, Edge{len(f.rows), i, float64(iou)})
			}
		}
		f.rows = append(f.rows, o)
	}
	for row, i := range f.assign.Solve(len(f.rows), len(boxes), f.edges) {
		if i >= 0 {
			f.used[i] = true
			f.rows[row].motion.See(boxes[i])
			f.rows[row].see(frame, boxes[i])
		}
	}
}

// see takes what is seen of an object.
func (o *Object) see(frame int64, b vision.Box) {
	o.Box, o.Frame, o.Seen = b.Bare(), frame, true
	o.Hits++
	if b.Score > o.Top {
		o.Top, o.Improved = b.Score, true
	}
}

// begin makes objects of what is left.
func (f *Follower) begin(frame int64, boxes []vision.Box) {
	for i := range boxes {
		if f.used[i] || boxes[i].Score < f.config.Begin || len(f.alive) >= f.config.Most {
			continue
		}
		o := &Object{Slot: len(f.alive) + len(f.spare) + len(f.gone)}
		if n := len(f.spare); n > 0 {
			o, f.spare = f.spare[n-1], f.spare[:n-1]
			*o = Object{Slot: o.Slot}
		}
		f.count++
		o.ID, o.Label, o.Class, o.First = f.count, boxes[i].Label, boxes[i].Class, frame
		o.motion.Begin(boxes[i])
		o.see(frame, boxes[i])
		f.alive = append(f.alive, o)
	}
}

// settle confirms objects and parts with those that are gone.
func (f *Follower) settle(frame int64) {
	still := f.alive[:0]
	for _, o := range f.alive {
		o.Confirmed = o.Confirmed || o.Hits >= f.config.Confirm
		o.Gone = frame-o.Frame > f.config.MaxGap || !o.Confirmed && !o.Seen
		if o.Gone {
			f.gone = append(f.gone, o)
		} else {
			still = append(still, o)
		}
	}
	clear(f.alive[len(still):])
	f.alive = still
}

// Finish parts with all objects, for a stream that is at its end.
func (f *Follower) Finish() (gone []*Object) {
	f.spare, f.gone = append(f.spare, f.gone...), f.gone[:0]
	for _, o := range f.alive {
		o.Gone = true
		f.gone = append(f.gone, o)
	}
	clear(f.alive)
	f.alive = f.alive[:0]
	return f.gone
}
