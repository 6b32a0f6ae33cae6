package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudcanvas/shared/event"
)

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

// Path is where the camera's page lies.
func (c Camera) Path() string { return "/cameras/" + segment(c.Edge) + "/" + segment(c.Name) }

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

func scanCamera(scan func(...any) error) (Camera, error) {
	var c Camera
	var last, heard int64
	var product string
	err := scan(&c.Edge, &c.Name, &c.Model, &c.Width, &c.Height, &c.Frames, &c.Detections, &c.Rate, &last, &heard, &c.Ended, &c.Online, &product)
	if err != nil {
		return c, err
	}
	c.LastFrame, c.Heard = instant(last), instant(heard)
	if product != "" {
		c.Product = &Product{}
		if err := json.Unmarshal([]byte(product), c.Product); err != nil {
			return c, fmt.Errorf("the product of camera %s: %w", c.Name, err)
		}
	}
	return c, nil
}

// cameras lists all by name, at most limit.
func (x *index) cameras(ctx context.Context, limit int) ([]Camera, error) {
	rows, err := x.read.QueryContext(ctx, cameraQuery+" ORDER BY c.edge, c.name LIMIT ?", limit)
	if err != nil {
		return nil, fmt.Errorf("look up cameras: %w", err)
	}
	defer rows.Close()
	all := []Camera{}
	for rows.Next() {
		c, err := scanCamera(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	return all, rows.Err()
}

// camera gives one, or errUnknown.
func (x *index) camera(ctx context.Context, edge, name string) (Camera, error) {
	c, err := scanCamera(x.read.QueryRowContext(ctx, cameraQuery+" WHERE c.edge = ? AND c.name = ?", edge, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return c, fmt.Errorf("camera %.80q of edge %.80q is %w", name, edge, errUnknown)
	}
	return c, err
}

// boxes are what was found in a frame; none where it is no longer kept.
func (x *index) boxes(ctx context.Context, edge, camera string, frame int) ([]event.Box, error) {
	var data []byte
	err := x.read.QueryRowContext(ctx, "SELECT data FROM batches WHERE edge = ? AND camera = ? AND first <= ? ORDER BY first DESC LIMIT 1", edge, camera, frame).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return []event.Box{}, nil
	}
	if err != nil {
		return nil, err
	}
	var d event.Detections
	if err := json.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("detections of camera %s: %w", camera, err)
	}
	for _, f := range d.Frames {
		if f.Frame == frame && f.Boxes != nil {
			return f.Boxes, nil
		}
	}
	return []event.Box{}, nil
}

// Event is an alert, or a track from its first frame to its last.
type Event struct {
	Number  int64      `json:"number"` // grows with the order of arrival
	ID      string     `json:"id"`
	Kind    string     `json:"kind"` // alert or track
	Edge    string     `json:"edge"`
	Stream  string     `json:"stream"` // the camera or sensor
	Label   string     `json:"label"`
	State   string     `json:"state"` // new, update, end
	Score   float64    `json:"score"`
	Time    time.Time  `json:"time"`
	Until   time.Time  `json:"until,omitzero"`
	Heard   time.Time  `json:"heard"`
	Frame   int        `json:"frame"`
	Frames  int        `json:"frames"`
	Box     [4]float32 `json:"box"`
	Picture bool       `json:"picture"` // there is a snapshot

	Source string `json:"-"` // the stream, with its edge where others have one of the name
}

// Lasted is how long a track lived, or nothing while it lives.
func (e Event) Lasted() time.Duration {
	if e.Until.IsZero() {
		return 0
	}
	return e.Until.Sub(e.Time)
}

// Path is where more of its source is to be seen.
func (e Event) Path() string {
	if _, limit := valueOf(e.Label); limit && e.Kind == string(event.Alert) {
		return "/sensors"
	}
	return "/cameras/" + segment(e.Edge) + "/" + segment(e.Stream)
}

// eventQuery chooses events. Zero fields choose all.
type eventQuery struct {
	edge, stream, label, kind string
	from, to                  time.Time
	before                    int64 // only numbers below, for paging
	limit                     int
}

// events lists what q chooses, the latest to arrive first.
func (x *index) events(ctx context.Context, q eventQuery) ([]Event, error) {
	terms, args := []string{"1"}, []any{}
	add := func(term string, value any) { terms, args = append(terms, term), append(args, value) }
	for _, f := range []struct{ column, value string }{{"v.edge", q.edge}, {"v.stream", q.stream}, {"v.label", q.label}, {"v.kind", q.kind}} {
		if f.value != "" {
			add(f.column+" = ?", f.value)
		}
	}
	order := "v.n DESC"
	if !q.from.IsZero() || !q.to.IsZero() || q.edge != "" || q.label != "" || q.kind != "" {
		order = "v.at DESC, v.n DESC" // as the indexes have it
	}
	if !q.from.IsZero() {
		add("v.at >= ?", q.from.UnixMilli())
	}
	if !q.to.IsZero() {
		add("v.at <= ?", q.to.UnixMilli())
	}
	if q.before > 0 {
		if order == "v.n DESC" {
			add("v.n < ?", q.before)
		} else {
			add("(v.at, v.n) < (SELECT at, n FROM events WHERE n = ?)", q.before)
		}
	}
	rows, err := x.read.QueryContext(ctx, `SELECT v.n, v.id, v.kind, v.edge, v.stream, v.label, v.state, v.score, v.at, v.until, v.heard, v.frame, v.frames, v.box,
		p.n IS NOT NULL FROM events v LEFT JOIN pictures p ON p.slot = v.picture WHERE `+strings.Join(terms, " AND ")+" ORDER BY "+order+" LIMIT ?", append(args, q.limit)...)
	if err != nil {
		return nil, fmt.Errorf("look up events: %w", err)
	}
	defer rows.Close()
	all := []Event{}
	for rows.Next() {
		var e Event
		var at, until, heard int64
		var box string
		if err := rows.Scan(&e.Number, &e.ID, &e.Kind, &e.Edge, &e.Stream, &e.Label, &e.State, &e.Score, &at, &until, &heard, &e.Frame, &e.Frames, &box, &e.Picture); err != nil {
			return nil, err
		}
		e.Time, e.Until, e.Heard = instant(at), instant(until), instant(heard)
		if err := json.Unmarshal([]byte(box), &e.Box); err != nil {
			return nil, fmt.Errorf("the box of event %s: %w", e.ID, err)
		}
		all = append(all, e)
	}
	return all, rows.Err()
}

// eventPicture is the slot of an event's snapshot, or errUnknown.
func (x *index) eventPicture(ctx context.Context, number int64) (slot string, err error) {
	err = x.read.QueryRowContext(ctx, "SELECT picture FROM events WHERE n = ?", number).Scan(&slot)
	if errors.Is(err, sql.ErrNoRows) || err == nil && slot == "" {
		return "", fmt.Errorf("the event's snapshot is %w", errUnknown)
	}
	return slot, err
}

// labels are those that events bear, the most frequent first.
func (x *index) labels(ctx context.Context) ([]string, error) {
	return x.names(ctx, "SELECT label FROM labels ORDER BY count DESC, label LIMIT 100")
}

func (x *index) names(ctx context.Context, query string, args ...any) ([]string, error) {
	rows, err := x.read.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		all = append(all, name)
	}
	return all, rows.Err()
}

// frameTimes is when each camera's latest frame was taken, by its slot.
func (x *index) frameTimes(ctx context.Context) (map[string]time.Time, error) {
	rows, err := x.read.QueryContext(ctx, "SELECT slot, at FROM pictures WHERE slot >= 'frame/' AND slot < 'frame0' LIMIT ?", maxRows)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[string]time.Time{}
	for rows.Next() {
		var slot string
		var at int64
		if err := rows.Scan(&slot, &at); err != nil {
			return nil, err
		}
		all[slot] = instant(at)
	}
	return all, rows.Err()
}
