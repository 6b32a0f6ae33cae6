package index

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"
)

// ScenePlace is where a scene stands in the order of a search: the latest first, then by edge and
// name. A page begins behind the place of the last scene before it, so that scenes that arrive between
// two pages move none of the others.
type ScenePlace struct {
	captured int64 // milliseconds
	edge, id string
}

// PlaceOf is a scene's place.
func PlaceOf(s Scene) *ScenePlace {
	p := &ScenePlace{edge: s.Edge, id: s.ID}
	if !s.Captured.IsZero() { // which is 0 in the index
		p.captured = s.Captured.UnixMilli()
	}
	return p
}

// String is the place as a page's token.
func (p *ScenePlace) String() string {
	text, _ := json.Marshal([]any{p.captured, p.edge, p.id}) // of numbers and texts
	return base64.RawURLEncoding.EncodeToString(text)
}

// ParsePlace reads a token.
func ParsePlace(token string) (*ScenePlace, error) {
	var p ScenePlace
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &[]any{&p.captured, &p.edge, &p.id})
	}
	if err != nil || p.id == "" {
		return nil, fmt.Errorf("token %.40q is none of this API's: take it from the link of the page before", token)
	}
	return &p, nil
}

// where is the part of a question's condition that a place makes.
func (p *ScenePlace) where() (string, []any) {
	return "(captured < ? OR captured = ? AND (edge > ? OR edge = ? AND id > ?))", []any{p.captured, p.captured, p.edge, p.edge, p.id}
}

// matchBatch is how many scenes are looked at at a time for those that match.
const matchBatch = 500

// Matching lists up to q.limit scenes of what q chooses that match besides, and says whether there
// are more of them.
func (s Scenes) Matching(ctx context.Context, q SceneQuery, match func(Scene) bool) (found []Scene, more bool, err error) {
	want := q.Limit
	q.Limit = max(want+1, matchBatch)
	for {
		batch, err := s.Find(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, scene := range batch {
			if !match(scene) {
				continue
			}
			if len(found) == want {
				return found, true, nil
			}
			found = append(found, scene)
		}
		if len(batch) < q.Limit {
			return found, false, nil
		}
		q.After = PlaceOf(batch[len(batch)-1])
	}
}

// PlacedEdge is an edge with items, and what they span.
type PlacedEdge struct {
	Edge     string
	BBox     [4]float64
	From, To time.Time
}

// Placed lists the edges that have scenes with a place and a product, at most limit.
func (s Scenes) Placed(ctx context.Context, limit int) ([]PlacedEdge, error) {
	return list(ctx, s.db, "edges with scenes", func(e *PlacedEdge) []any {
		return []any{&e.Edge, &e.BBox[0], &e.BBox[1], &e.BBox[2], &e.BBox[3], stamp{&e.From}, stamp{&e.To}}
	}, `SELECT edge, min(CASE WHEN east < west THEN -180 ELSE west END), min(south), max(CASE WHEN east < west THEN 180 ELSE east END), max(north),
		min(captured), max(captured) FROM scenes WHERE published > 0 AND west IS NOT NULL GROUP BY edge ORDER BY edge LIMIT ?`, limit)
}
