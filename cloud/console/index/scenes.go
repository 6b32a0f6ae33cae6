package index

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// Scenes are asked for scenes.
type Scenes struct{ db *sql.DB }

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
	Cloud       *float64     `json:"cloud"` // share of the classified pixels, 0 … 1
	BBox        []float64    `json:"bbox"`  // west, south, east, north; null without a place
	Outline     [][2]float64 `json:"outline"`
	Product     *Product     `json:"product"`

	Grid Grid `json:"-"`
}

// Grid is how a scene is cut: windows of Size pixels a side, in Cols x Rows tiles.
type Grid struct{ Cols, Rows, Size, Overlap, Margin int }

// RadarImage says that the scene's product is an image of raw radar echoes.
func (s Scene) RadarImage() bool { return s.Product != nil && s.Product.Radar != nil }

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

func (s *Scene) fields() []any {
	return []any{&s.Edge, &s.ID, stamp{&s.Captured}, stamp{&s.Manifested}, stamp{&s.FirstResult}, stamp{&s.LastResult}, stamp{&s.Published}, &s.Results, &s.Width, &s.Height, &s.Tiles, &s.Sent, &s.Complete, &s.Cloud,
		parsed{&s.Outline}, appended{&s.BBox}, appended{&s.BBox}, appended{&s.BBox}, appended{&s.BBox}, parsed{&s.Product}, &s.Grid.Cols, &s.Grid.Rows, &s.Grid.Size, &s.Grid.Overlap, &s.Grid.Margin}
}

// SceneQuery chooses scenes. Zero fields choose all.
type SceneQuery struct {
	Edges    []string
	IDs      []string
	From, To time.Time // captured, both inclusive
	BBox     []float64 // west, south, east, north; west > east crosses the 180th meridian
	Placed   bool      // only those with a place and a product
	Limit    int
	Offset   int
	After    *ScenePlace // only those behind it; nil: from the first on
}

func (q SceneQuery) where() (string, []any) {
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
	among("edge", q.Edges)
	among("id", q.IDs)
	if !q.From.IsZero() {
		add("captured >= ?", q.From.UnixMilli())
	}
	if !q.To.IsZero() {
		add("captured <= ?", q.To.UnixMilli())
	}
	if q.Placed {
		add("published > 0 AND west IS NOT NULL")
	}
	if q.After != nil {
		term, values := q.After.where()
		add(term, values...)
	}
	if len(q.BBox) == 4 {
		w, s, e, n := q.BBox[0], q.BBox[1], q.BBox[2], q.BBox[3]
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

// Find lists what q chooses, the latest first.
func (s Scenes) Find(ctx context.Context, q SceneQuery) ([]Scene, error) {
	where, args := q.where()
	return s.some(ctx, where+" ORDER BY captured DESC, edge, id LIMIT ? OFFSET ?", append(args, q.Limit, q.Offset)...)
}

// Count is how many q chooses, whatever its limit.
func (s Scenes) Count(ctx context.Context, q SceneQuery) (n int, err error) {
	where, args := q.where()
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM scenes WHERE "+where, args...).Scan(&n)
	return n, err
}

// One gives a scene, or ErrUnknown.
func (s Scenes) One(ctx context.Context, edge, id string) (Scene, error) {
	return one(ctx, s.db, fmt.Sprintf("scene %.80q of edge %.80q", id, edge), (*Scene).fields, "SELECT "+sceneColumns+" FROM scenes WHERE edge = ? AND id = ?", edge, id)
}

// Published lists the latest products of scenes.
func (s Scenes) Published(ctx context.Context, limit int) ([]Scene, error) {
	return s.some(ctx, "published > 0 ORDER BY published DESC LIMIT ?", limit)
}

// Incomplete lists scenes whose product lacks something.
func (s Scenes) Incomplete(ctx context.Context, limit int) ([]Scene, error) {
	return s.some(ctx, "published > 0 AND complete = 0 ORDER BY published DESC LIMIT ?", limit)
}

func (s Scenes) some(ctx context.Context, rest string, args ...any) ([]Scene, error) {
	return list(ctx, s.db, "scenes", (*Scene).fields, "SELECT "+sceneColumns+" FROM scenes WHERE "+rest, args...)
}

// InWork counts the scenes that have no product yet.
func (s Scenes) InWork(ctx context.Context) (n int, err error) {
	err = s.db.QueryRowContext(ctx, "SELECT count(*) FROM scenes WHERE published = 0").Scan(&n)
	return n, err
}
