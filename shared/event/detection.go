package event

import (
	"encoding/json"
	"fmt"
	"time"

	"cloudcanvas/shared/vision"
)

// Detections is the data of an item of kind result from a camera, a video or a set of images: what
// was found in some consecutive frames, at most 64 of them or two seconds.
type Detections struct {
	Camera       string           `json:"camera"`
	Model        string           `json:"model"`
	ModelVersion string           `json:"model_version"`
	Width        int              `json:"width"`  // pixels of the original frames
	Height       int              `json:"height"` // pixels of the original frames
	Frames       []FrameDetection `json:"frames"`
	Zones        []Outline        `json:"zones,omitempty"` // of the camera, each closed
	Lines        []Outline        `json:"lines,omitempty"` // of the camera, each of two points
	First        int              `json:"first"`           // number of the first frame of the batch
	Last         int              `json:"last"`            // number of the last, inclusive
	End          bool             `json:"end"`             // the last batch of a finite source
	Total        int              `json:"total,omitempty"` // with End: frames of the whole source
}

// Outline is a zone or a line of a camera's picture.
type Outline struct {
	Name   string       `json:"name"`
	Points [][2]float64 `json:"points"` // x, y in shares of the picture's width and height
}

// FrameDetection is what was found in one frame.
type FrameDetection struct {
	Frame int       `json:"frame"`          // from 0
	Name  string    `json:"name,omitempty"` // the file's name, of images
	Time  time.Time `json:"time"`
	Boxes []Box     `json:"boxes"`

	Spacing *vision.Spacing `json:"spacing_mm,omitempty"` // of the picture's pixels, where its file says it

	SecondLook *FrameLook `json:"second_look,omitempty"` // that was asked for at the whole picture
}

// FrameLook is a larger model's view of a whole frame: its picture went to the cloud as an item of kind
// frame, of the frame's time, whose subject is camera/frame-<number>.
type FrameLook struct {
	Want string `json:"want"` // detect: what is found takes the place of the device's boxes
}

// Box is a detection in pixels of the original frame.
type Box struct {
	Label      string     `json:"label"`
	CategoryID int        `json:"category_id"` // COCO's, else the label's place from 1
	BBox       [4]float32 `json:"bbox"`        // x, y of the top left corner, width, height
	Score      float32    `json:"score"`       // 0 … 1
	Shape
}

// maxFrames and maxOutlines bound a batch of detections that comes from outside.
const maxFrames, maxOutlines = 4096, 256

// ParseDetections reads and checks the data of a camera's result.
func ParseDetections(i Item) (Detections, error) {
	var d Detections
	if i.Kind != Result {
		return d, fmt.Errorf("%w: a %s is not a batch of detections", ErrMalformed, i.Kind)
	}
	if err := checkJSON(i.Data, MaxListBytes); err != nil {
		return d, err
	}
	if err := json.Unmarshal(i.Data, &d); err != nil {
		return Detections{}, fmt.Errorf("%w: detections: %w", ErrMalformed, err)
	}
	return d, d.Check()
}

// States of a track.
const (
	TrackNew    = "new"
	TrackUpdate = "update"
	TrackEnd    = "end"
)

// TrackEvent is the data of an item of kind track, shaped as Frigate's events are.
type TrackEvent struct {
	Type   string      `json:"type"`   // new, update, end
	Before *TrackState `json:"before"` // null when new
	After  *TrackState `json:"after"`
}

// TrackState is an object's life so far.
type TrackState struct {
	ID        string     `json:"id"`
	Camera    string     `json:"camera"`
	Label     string     `json:"label"`
	Score     float32    `json:"score"`      // of the latest frame, 0 … 1
	TopScore  float32    `json:"top_score"`  // the best so far
	Box       [4]float32 `json:"box"`        // x, y, width, height in pixels of the original frame
	StartTime float64    `json:"start_time"` // Unix seconds
	EndTime   *float64   `json:"end_time"`   // null while it lives
	Frame     int        `json:"frame"`      // number of the latest frame
	Frames    int        `json:"frames"`     // in so many frames it was seen

	// Where it is and has been, of cameras with zones and lines.
	Zones        []string   `json:"zones,omitempty"`         // now
	EnteredZones []string   `json:"entered_zones,omitempty"` // ever, in the order of entering
	Crossings    []Crossing `json:"crossings,omitempty"`     // of lines, the latest 16

	SecondLook *SecondLook `json:"second_look,omitempty"` // that was asked for when it ended
}

// SecondLook is a larger model's view of an object that the device was not sure of: its picture went
// to the cloud as an item of kind crop, whose subject is camera/track.
type SecondLook struct {
	Want    string     `json:"want"`    // detect, classify
	Box     [4]float32 `json:"box"`     // the object in that picture: x, y, width, height in its pixels
	Verdict *Verdict   `json:"verdict"` // null until it came: the device never knows it
}

// Verdict is what the larger model says.
type Verdict struct {
	Model        string  `json:"model"`
	ModelVersion string  `json:"model_version"`
	Label        string  `json:"label"`            // empty: nothing is there
	Score        float32 `json:"score"`            // of the label, 0 … 1
	Agrees       bool    `json:"agrees"`           // it is the label that the device gave
	Failed       string  `json:"failed,omitempty"` // why there is none
}

// Directions of a crossing, as one sees them who looks from the line's from to its to.
const (
	LeftToRight = "left_to_right"
	RightToLeft = "right_to_left"
)

// Crossing says that an object has crossed a line.
type Crossing struct {
	Line      string  `json:"line"`
	Direction string  `json:"direction"`
	Frame     int     `json:"frame"`
	Time      float64 `json:"time"`  // Unix seconds
	Count     int64   `json:"count"` // of the line in this direction by objects of the label, this one included, since the device began
}

// ParseTrack reads and checks the data of an item of kind track.
func ParseTrack(i Item) (TrackEvent, error) {
	var t TrackEvent
	if i.Kind != Track {
		return t, fmt.Errorf("%w: a %s is not a track", ErrMalformed, i.Kind)
	}
	if err := checkJSON(i.Data, MaxWordsBytes); err != nil {
		return t, err
	}
	if err := json.Unmarshal(i.Data, &t); err != nil {
		return TrackEvent{}, fmt.Errorf("%w: track: %w", ErrMalformed, err)
	}
	if err := t.check(); err != nil {
		return t, err
	}
	if t.After == nil || t.Type != TrackNew && t.Type != TrackUpdate && t.Type != TrackEnd {
		return t, fmt.Errorf("%w: track of type %.40q", ErrMalformed, t.Type)
	}
	return t, nil
}

// maxPlaces bounds the zones and crossings of one track.
const maxPlaces = 4096

// check bounds what a track says of where it is and has been.
func (t *TrackEvent) check() error {
	for _, s := range []*TrackState{t.Before, t.After} {
		if s == nil {
			continue
		}
		switch {
		case len(s.Zones) > maxPlaces || len(s.EnteredZones) > maxPlaces || len(s.Crossings) > maxPlaces:
			return fmt.Errorf("%w: a track with %d zones, %d entered zones and %d crossings, %d is the limit",
				ErrTooLarge, len(s.Zones), len(s.EnteredZones), len(s.Crossings), maxPlaces)
		case !WithinPicture(s.Box[:]...):
			return fmt.Errorf("%w: a track with a box at %v", ErrMalformed, s.Box)
		case s.Frame < 0 || s.Frame > MaxFrameNumber:
			return fmt.Errorf("%w: a track in frame number %d", ErrMalformed, s.Frame)
		}
		if err := checkNames(s.ID, s.Camera, s.Label); err != nil {
			return err
		}
	}
	return nil
}
