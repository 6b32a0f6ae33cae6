// Package detect runs a network over a camera's frames and makes of them what is worth sending:
// batches of detections, objects as tracks, one alert for each activity, and the best picture
// of each object.
//
//	frames ─▶ network, several at once ─▶ order restored ─▶ tracker ─▶ alerts, snapshots ─▶ batches ─▶ out
//
// docs/detection.md says what each of these is and how it is tuned.
package detect

import (
	"context"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// Network finds objects in images, one output for each. It is safe for concurrent use, and met by
// *infer.Network.
type Network interface {
	Run(ctx context.Context, in []vision.Image) ([]vision.Output, error)
}

// Model names the network in what is found with it.
type Model struct {
	Name    string
	Version string
	Report  float64 // score from which a detection counts as an object, 0 … 1; 0: 0.3
}

// Frame is a picture to look at.
type Frame struct {
	Number int64
	Name   string // of a picture that was a file
	At     time.Time
	// Spacing of its pixels, where the file says it.
	Spacing vision.Spacing
	Image   vision.Image // interleaved 8-bit

	Trace string // what is found in it belongs to this trace context; may be empty

	// Last closes a finite stream; it has no image, and Number is the number of frames before it.
	Last bool

	Release func() // hands the pixels back; called once they are no longer read. May be nil
	Done    func() // called once all that was made of this and earlier frames was taken by out. May be nil
}

// Draft is an item to be.
type Draft struct {
	Kind     event.Kind
	Stream   string
	Subject  string
	Time     time.Time
	Priority event.Priority
	Value    float64
	Attrs    event.Attrs
	Type     string // media type of Data
	Data     []byte
	Key      string // of a track's event and of a frame for a second look: names it, and no other
	// Supersedes is the key of an earlier draft that this one makes needless; empty: none.
	Supersedes string
}

// Observer is called with what happens as it happens, for the device's own broker. Its methods must not
// block.
type Observer interface {
	Tracked(e event.TrackEvent)
	Counted(camera, label string, objects int)
	CountedIn(camera, zone, label string, objects int)
	Pictured(camera, label string, jpeg []byte)
}
