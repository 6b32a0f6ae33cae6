package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

type scenesBody struct {
	Scenes      []index.Scene
	Total, Page int
	More        bool
	Map         mapView
}

func (k *Console) scenesPage(r *http.Request) (any, error) {
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	q := index.SceneQuery{Limit: pageRows + 1, Offset: (page - 1) * pageRows}
	body := scenesBody{Page: page}
	if body.Scenes, err = k.index.Scenes.Find(r.Context(), q); err != nil {
		return nil, err
	}
	if len(body.Scenes) > pageRows {
		body.Scenes, body.More = body.Scenes[:pageRows], true
	}
	if body.Total, err = k.index.Scenes.Count(r.Context(), index.SceneQuery{}); err != nil {
		return nil, err
	}
	body.Map = drawMap(body.Scenes)
	return body, nil
}

type sceneBody struct {
	index.Scene
	HasLook bool
	Masked  bool // the product has a mask; one of objects alone has none
	Areas   []Area
	AreaWhy string // the areas can't be told
	Tiles   []TileFate
	TileWhy string
	Page    int
	More    bool
	Grid    []gridCell // for the picture; none where there are too many
	Steps   []step
	Saved   int64 // bytes of the scene that did not go over the link
	Traced  bool  // a tile's story can be told
}

// step is a point of the way from capture to product.
type step struct {
	What  string
	Time  time.Time
	After time.Duration // since the step before
}

// TileFate is the edge's decision about a tile and what became of it: a line of tiles.json.
type TileFate struct {
	Tile     string   `json:"tile"`
	Decision string   `json:"decision"`
	Reason   string   `json:"reason"`
	Score    float64  `json:"score"`
	Cloud    float64  `json:"cloud"`
	NoData   float64  `json:"nodata"`
	Bytes    int      `json:"bytes"`
	State    string   `json:"state"` // result, dead, missing or dropped
	Model    string   `json:"model"`
	Found    *float64 `json:"found"`
	Why      string   `json:"why"`
}

// Because says in words what became of the tile and why.
func (t TileFate) Because() string {
	switch {
	case t.State == "dead":
		return "could not be worked on: " + t.Why
	case t.State == "missing":
		return "was sent, its result has not come yet"
	case t.Reason == event.SentMask:
		return fmt.Sprintf("only its mask was sent: %s on the device was sure of it, and found %s", t.Model, percent(t.Found))
	case t.Decision == event.TileSent:
		return fmt.Sprintf("was sent: worth %.2f to the edge, which saw %.0f %% cloud; %s found %s", t.Score, 100*t.Cloud, t.Model, percent(t.Found))
	case t.Reason == event.DroppedNoData:
		return fmt.Sprintf("was not sent: %.0f %% of it has no data", 100*t.NoData)
	case t.Reason == event.DroppedCloud:
		return fmt.Sprintf("was not sent: %.0f %% of it is cloud", 100*t.Cloud)
	case t.Reason == event.DroppedUnchanged:
		return "was not sent: nothing in it has changed"
	}
	return "was not sent: " + t.Reason
}

// gridCell is a tile's core in the picture, in pixels of the scene.
type gridCell struct {
	X, Y, W, H int
	Class      string
	Title      string
}

// maxGrid is how many tiles are drawn one by one, maxTilesFile what is read of tiles.json.
const (
	maxGrid      = 2500
	maxTilesFile = 64 << 20
)

func (k *Console) scenePage(r *http.Request) (any, error) {
	ctx := r.Context()
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	s, err := k.index.Scenes.One(ctx, request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	body := sceneBody{Scene: s, Page: page, Steps: timeline(s), Traced: k.Stories != nil}
	at, _, err := k.index.Pictures.Taken(ctx, index.QuicklookSlot(s.Edge, s.ID))
	if err != nil {
		return nil, err
	}
	body.HasLook = !at.IsZero()
	if s.Product == nil {
		return body, nil
	}
	if f := s.Product.Scene; f != nil {
		body.Saved = f.SceneBytes - f.UplinkedBytes
	}
	if body.Masked = slices.Contains(s.Product.Files, maskFile); body.Masked {
		if body.Areas, err = k.products.areas(s.Product); err != nil {
			body.AreaWhy = text.Sentence(err)
		}
	}
	tiles, err := k.tiles(s.Product)
	if err != nil {
		body.TileWhy = text.Sentence(err)
		return body, nil
	}
	if len(tiles) <= maxGrid {
		body.Grid = cells(s, tiles)
	}
	from := min((page-1)*pageRows, len(tiles))
	to := min(from+pageRows, len(tiles))
	body.Tiles, body.More = tiles[from:to], to < len(tiles)
	return body, nil
}

// tiles reads what became of each of a scene's tiles.
func (k *Console) tiles(p *index.Product) ([]TileFate, error) {
	data, err := k.products.read(p, tilesFile, maxTilesFile)
	if err != nil {
		return nil, err
	}
	var tiles []TileFate
	if err := json.Unmarshal(data, &tiles); err != nil {
		return nil, errors.New("the list of tiles is broken: tiles.json is not as it should be")
	}
	return tiles, nil
}

// cells lays the tiles over the picture. A tile's core is what no neighbour shares.
func cells(s index.Scene, tiles []TileFate) []gridCell {
	g := s.Grid
	step := g.Size - g.Overlap
	if step < 1 || g.Cols < 1 || g.Rows < 1 {
		return nil
	}
	all := make([]gridCell, 0, len(tiles))
	for _, t := range tiles {
		col, row, ok := event.ParseTile(t.Tile, event.SceneGrid{Cols: g.Cols, Rows: g.Rows})
		if !ok {
			continue
		}
		x, y := max(col*step-g.Margin+g.Overlap/2, 0), max(row*step-g.Margin+g.Overlap/2, 0)
		all = append(all, gridCell{
			X: x, Y: y, W: max(min((col+1)*step-g.Margin+g.Overlap/2, s.Width)-x, 0), H: max(min((row+1)*step-g.Margin+g.Overlap/2, s.Height)-y, 0),
			Class: "tile-" + tileClass(t), Title: "Tile " + t.Tile + " " + t.Because(),
		})
	}
	return all
}

// tileClass is one of the style sheet's names, whatever the file says.
func tileClass(t TileFate) string {
	switch t.State {
	case "result", "dead", "missing", "dropped":
		return t.State
	}
	return "missing"
}

// timeline is the way from capture to product, in the order of its times: a worker may have seen a
// tile before the manifest, which goes last, has come. The capture has the edge's clock, all else
// Kafka's.
func timeline(s index.Scene) []step {
	var all []step
	for _, st := range []step{
		{What: "manifest in Kafka", Time: s.Manifested}, {What: "first tile looked at again", Time: s.FirstResult},
		{What: "last tile looked at again", Time: s.LastResult}, {What: "product published", Time: s.Published},
	} {
		if !st.Time.IsZero() {
			all = append(all, st)
		}
	}
	slices.SortStableFunc(all, func(a, b step) int { return a.Time.Compare(b.Time) })
	all = slices.Insert(all, 0, step{What: "captured, by the edge's clock", Time: s.Captured})
	for i := range all[1:] {
		all[i+1].After = max(all[i+1].Time.Sub(all[i].Time), 0)
	}
	return all
}
