package console

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// errUnknown says that the index has no such thing.
var errUnknown = errors.New("not known here")

// Scene is what is known of a scene.
type Scene struct {
	Edge        string       `json:"edge"`
	ID          string       `json:"id"`
	Captured    time.Time    `json:"captured"`
	Manifested  time.Time    `json:"manifested,omitzero"`   // its manifest reached Kafka
	FirstResult time.Time    `json:"first_result,omitzero"` // of a heavy model
	LastResult  time.Time    `json:"last_result,omitzero"`
	Published   time.Time    `json:"published,omitzero"` // the latest product
	Results     int          `json:"results"`
	Width       int          `json:"width"`
	Height      int          `json:"height"`
	Tiles       int          `json:"tiles"`
	Sent        int          `json:"sent"`
	Complete    bool         `json:"complete"`
	Cloud       *float64     `json:"cloud"` // share of the judged pixels, 0 … 1
	BBox        []float64    `json:"bbox"`  // west, south, east, north; null without a place
	Outline     [][2]float64 `json:"outline"`
	Product     *Product     `json:"product"`

	grid grid
}

type grid struct{ cols, rows, size, overlap, margin int }

// Path is where the scene's page lies.
func (s Scene) Path() string { return "/scenes/" + segment(s.Edge) + "/" + segment(s.ID) }

// State is how far the scene is, in a word.
func (s Scene) State() string {
	switch {
	case s.Product == nil && s.Manifested.IsZero():
		return "arriving"
	case s.Product == nil:
		return "in work"
	case s.Product != nil && s.Product.Failed != "":
		return "failed"
	case !s.Complete:
		return "incomplete"
	}
	return "complete"
}

const sceneColumns = `edge, id, captured, manifested, first_result, last_result, published, results, width, height, tiles, sent, complete, cloud,
	ring, west, south, east, north, product, cols, rows, size, overlap, margin`

func scanScene(scan func(...any) error) (Scene, error) {
	var s Scene
	var captured, manifested, first, last, published int64
	var ring, product string
	var box [4]sql.NullFloat64
	err := scan(&s.Edge, &s.ID, &captured, &manifested, &first, &last, &published, &s.Results, &s.Width, &s.Height, &s.Tiles, &s.Sent, &s.Complete, &s.Cloud,
		&ring, &box[0], &box[1], &box[2], &box[3], &product, &s.grid.cols, &s.grid.rows, &s.grid.size, &s.grid.overlap, &s.grid.margin)
	if err != nil {
		return s, err
	}
	s.Captured, s.Manifested, s.FirstResult, s.LastResult, s.Published = instant(captured), instant(manifested), instant(first), instant(last), instant(published)
	if box[0].Valid {
		s.BBox = []float64{box[0].Float64, box[1].Float64, box[2].Float64, box[3].Float64}
	}
	if ring != "" {
		if err := json.Unmarshal([]byte(ring), &s.Outline); err != nil {
			return s, fmt.Errorf("the outline of scene %s: %w", s.ID, err)
		}
	}
	if product != "" {
		s.Product = &Product{}
		if err := json.Unmarshal([]byte(product), s.Product); err != nil {
			return s, fmt.Errorf("the product of scene %s: %w", s.ID, err)
		}
	}
	return s, nil
}

// instant is a time of the index; 0 is none.
func instant(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// sceneQuery chooses scenes. Zero fields choose all.
type sceneQuery struct {
	edges    []string
	ids      []string
	from, to time.Time // captured, both inclusive
	bbox     []float64 // west, south, east, north; west > east crosses the 180th meridian
	placed   bool      // only those with a place and a product
	limit    int
	offset   int
}

func (q sceneQuery) where() (string, []any) {
	terms, args := []string{"1"}, []any{}
	add := func(term string, values ...any) { terms, args = append(terms, term), append(args, values...) }
	among := func(column string, values []string) {
		if values == nil {
			return
		}
		marks := strings.TrimSuffix(strings.Repeat("?,", len(values)), ",")
		all := make([]any, len(values))
		for i, v := range values {
			all[i] = v
		}
		add(column+" IN ("+marks+")", all...)
	}
	among("edge", q.edges)
	among("id", q.ids)
	if !q.from.IsZero() {
		add("captured >= ?", q.from.UnixMilli())
	}
	if !q.to.IsZero() {
		add("captured <= ?", q.to.UnixMilli())
	}
	if q.placed {
		add("published > 0 AND west IS NOT NULL")
	}
	if len(q.bbox) == 4 {
		w, s, e, n := q.bbox[0], q.bbox[1], q.bbox[2], q.bbox[3]
		add("north >= ? AND south <= ?", s, n)
		// A scene's own bounds may cross the 180th meridian as well.
		const east = "CASE WHEN east < west THEN east + 360 ELSE east END"
		if e < w {
			e += 360
		}
		var turns []string
		for _, turn := range []string{"0", "360", "-360"} {
			turns = append(turns, "(west + "+turn+" <= ? AND "+east+" + "+turn+" >= ?)")
			args = append(args, e, w)
		}
		add("(" + strings.Join(turns, " OR ") + ")")
	}
	return strings.Join(terms, " AND "), args
}

// scenes lists what q chooses, the latest first.
func (x *index) scenes(ctx context.Context, q sceneQuery) ([]Scene, error) {
	where, args := q.where()
	return x.someScenes(ctx, where+" ORDER BY captured DESC, edge, id LIMIT ? OFFSET ?", append(args, q.limit, q.offset)...)
}

// countScenes is how many q chooses, whatever its limit.
func (x *index) countScenes(ctx context.Context, q sceneQuery) (n int, err error) {
	where, args := q.where()
	err = x.read.QueryRowContext(ctx, "SELECT count(*) FROM scenes WHERE "+where, args...).Scan(&n)
	return n, err
}

// scene gives one, or errUnknown.
func (x *index) scene(ctx context.Context, edge, id string) (Scene, error) {
	s, err := scanScene(x.read.QueryRowContext(ctx, "SELECT "+sceneColumns+" FROM scenes WHERE edge = ? AND id = ?", edge, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return s, fmt.Errorf("scene %.80q of edge %.80q is %w", id, edge, errUnknown)
	}
	return s, err
}

// Picture is a JPEG or PNG as it came.
type Picture struct {
	At    time.Time
	Frame int // its number, -1 where it has none
	Media string
	Data  []byte
}

// picture gives what lies in a slot, or errUnknown.
func (x *index) picture(ctx context.Context, slot string) (Picture, error) {
	var p Picture
	var at int64
	err := x.read.QueryRowContext(ctx, "SELECT at, frame, media, data FROM pictures WHERE slot = ?", slot).Scan(&at, &p.Frame, &p.Media, &p.Data)
	if errors.Is(err, sql.ErrNoRows) {
		return p, fmt.Errorf("the picture is %w, or no longer kept", errUnknown)
	}
	p.At = instant(at)
	return p, err
}

// pictured says when the picture in a slot was taken, and which frame it is; zero where there is none.
func (x *index) pictured(ctx context.Context, slot string) (at time.Time, frame int, err error) {
	var ms int64
	err = x.read.QueryRowContext(ctx, "SELECT at, frame FROM pictures WHERE slot = ?", slot).Scan(&ms, &frame)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, -1, nil
	}
	return instant(ms), frame, err
}
