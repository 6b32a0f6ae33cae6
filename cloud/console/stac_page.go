package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
)

// scenePlace is where a scene stands in the order of a search: the latest first, then by edge and
// name. A page begins behind the place of the last scene before it, so that scenes that arrive between
// two pages move none of the others.
type scenePlace struct {
	captured int64 // milliseconds
	edge, id string
}

func placeInOrder(s Scene) *scenePlace {
	p := &scenePlace{edge: s.Edge, id: s.ID}
	if !s.Captured.IsZero() { // which is 0 in the index
		p.captured = s.Captured.UnixMilli()
	}
	return p
}

// String is the place as a page's token.
func (p *scenePlace) String() string {
	text, _ := json.Marshal([]any{p.captured, p.edge, p.id}) // of numbers and texts
	return base64.RawURLEncoding.EncodeToString(text)
}

// readPlace reads a token.
func readPlace(token string) (*scenePlace, error) {
	var p scenePlace
	text, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil {
		err = json.Unmarshal(text, &[]any{&p.captured, &p.edge, &p.id})
	}
	if err != nil || p.id == "" {
		return nil, fmt.Errorf("%w: token %.40q is none of this API's: take it from the link of the page before", errRequest, token)
	}
	return &p, nil
}

// matchBatch is how many scenes are looked at at a time for those that match.
const matchBatch = 500

// matching lists up to q.limit scenes of what q chooses that match besides, and says whether there
// are more of them.
func (x *index) matching(ctx context.Context, q sceneQuery, match func(Scene) bool) (found []Scene, more bool, err error) {
	want := q.limit
	q.limit = max(want+1, matchBatch)
	for {
		batch, err := x.scenes(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, s := range batch {
			if !match(s) {
				continue
			}
			if len(found) == want {
				return found, true, nil
			}
			found = append(found, s)
		}
		if len(batch) < q.limit {
			return found, false, nil
		}
		q.after = placeInOrder(batch[len(batch)-1])
	}
}

// where is the part of a question's condition that a place makes.
func (p *scenePlace) where() (string, []any) {
	return "(captured < ? OR captured = ? AND (edge > ? OR edge = ? AND id > ?))", []any{p.captured, p.captured, p.edge, p.edge, p.id}
}
