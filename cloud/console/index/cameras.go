package index

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"cloudcanvas/shared/event"
)

// Cameras are asked for cameras, videos and sets of images.
type Cameras struct {
	db   *sql.DB
	said *statuses
}

// maxCameras bounds what is listed at once.
const maxCameras = 1000

// Camera is what is known of a camera, a video or a set of images.
type Camera struct {
	Edge       string    `json:"edge"`
	Name       string    `json:"name"`
	Model      string    `json:"model"`
	Width      int       `json:"width"`
	Height     int       `json:"height"`
	Frames     int       `json:"frames"` // looked at
	Detections int       `json:"detections"`
	Rate       float64   `json:"rate"`                // frames a second of the source's own time
	LastFrame  time.Time `json:"last_frame,omitzero"` // by the edge's clock
	Heard      time.Time `json:"heard"`               // the latest of it reached Kafka
	Ended      bool      `json:"ended"`
	Online     bool      `json:"online"` // its edge says so
	Word       string    `json:"state"`  // how it is now: State
	Product    *Product  `json:"product"`

	Device *event.CameraState `json:"device,omitempty"` // how its edge says that it is; none of videos and sets of images
}

// Lost says that nothing comes from the camera, in that state.
func Lost(state string) bool {
	switch state {
	case "silent", "unreachable", "stalled", "down":
		return true
	}
	return false
}

// Since is since when nothing comes from a camera that is lost.
func (c Camera) Since() time.Time {
	if c.Device != nil && c.Online {
		return c.Device.Since
	}
	return c.Heard
}

// silence is how long a camera may send nothing before it counts as down. Detections come every two
// seconds, whole frames every five.
const silence = 30 * time.Second

// State is how the camera is doing, in a word: ended, unreachable, silent or up, or where its edge says
// so the edge's: starting, up, stalled, down or ended.
func (c Camera) State(now time.Time) string {
	switch {
	case c.Online && c.Device != nil:
		return c.Device.Phase
	case c.Ended:
		return "ended"
	case !c.Online:
		return "unreachable"
	case now.Sub(c.Heard) > silence:
		return "silent"
	}
	return "up"
}

const cameraQuery = `SELECT c.edge, c.name, model, width, height, frames, detections, rate, last_frame, c.heard, ended, coalesce(e.status, '') <> 'offline', product
	FROM cameras c LEFT JOIN edges e ON e.edge = c.edge`

func (c *Camera) fields() []any {
	return []any{&c.Edge, &c.Name, &c.Model, &c.Width, &c.Height, &c.Frames, &c.Detections, &c.Rate, stamp{&c.LastFrame}, stamp{&c.Heard}, &c.Ended, &c.Online, parsed{&c.Product}}
}

// all lists all by name, at most limit.
func (c Cameras) all(ctx context.Context, limit int) ([]Camera, error) {
	return list(ctx, c.db, "cameras", (*Camera).fields, cameraQuery+" ORDER BY c.edge, c.name LIMIT ?", limit)
}

// one gives one, or ErrUnknown.
func (c Cameras) one(ctx context.Context, edge, name string) (Camera, error) {
	return one(ctx, c.db, fmt.Sprintf("camera %.80q of edge %.80q", name, edge), (*Camera).fields, cameraQuery+" WHERE c.edge = ? AND c.name = ?", edge, name)
}

// Boxes are what was found in a frame; none where it is no longer kept.
func (c Cameras) Boxes(ctx context.Context, edge, camera string, frame int) ([]event.Box, error) {
	batches, err := list(ctx, c.db, "detections", func(d *event.Detections) []any { return []any{parsed{d}} },
		"SELECT data FROM batches WHERE edge = ? AND camera = ? AND first <= ? ORDER BY first DESC LIMIT 1", edge, camera, frame)
	for _, d := range batches {
		for _, f := range d.Frames {
			if f.Frame == frame && f.Boxes != nil {
				return f.Boxes, nil
			}
		}
	}
	return []event.Box{}, err
}

// Shared are the names that more than one edge has, of cameras and sensors.
func (c Cameras) Shared(ctx context.Context) (map[string]bool, error) {
	names, err := list(ctx, c.db, "cameras", itself[string], `SELECT name FROM (SELECT edge, name FROM cameras UNION SELECT edge, name FROM sensors)
		GROUP BY name HAVING count(*) > 1 LIMIT ?`, maxCameras)
	several := map[string]bool{}
	for _, name := range names {
		several[name] = true
	}
	return several, err
}

// Of lists the edges that have a camera of that name, at most limit.
func (c Cameras) Of(ctx context.Context, name string, limit int) ([]string, error) {
	return list(ctx, c.db, "cameras", itself[string], "SELECT edge FROM cameras WHERE name = ? ORDER BY edge LIMIT ?", name, limit)
}
