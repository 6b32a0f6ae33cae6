package web

import (
	"net/http"
	"slices"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/windows"
)

// scenePages are the map, and one scene.
type scenePages struct{ *Site }

type scenesBody struct {
	Scenes      []index.Scene
	Total, Page int
	More        bool
	Map         mapView
}

func (s scenePages) all(r *http.Request) (any, error) {
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	q := index.SceneQuery{Limit: pageRows + 1, Offset: (page - 1) * pageRows}
	body := scenesBody{Page: page}
	if body.Scenes, err = s.o.Index.Scenes.Find(r.Context(), q); err != nil {
		return nil, err
	}
	if len(body.Scenes) > pageRows {
		body.Scenes, body.More = body.Scenes[:pageRows], true
	}
	if body.Total, err = s.o.Index.Scenes.Count(r.Context(), index.SceneQuery{}); err != nil {
		return nil, err
	}
	body.Map = drawMap(body.Scenes)
	return body, nil
}

type sceneBody struct {
	index.Scene
	HasLook bool
	Masked  bool // the product has a mask; one of objects alone has none
	Areas   []products.Area
	AreaWhy string // the areas are not known
	Tiles   []products.TileFate
	TileWhy string
	Page    int
	More    bool
	Grid    []gridCell // for the picture; none where there are too many
	Steps   []step
	Saved   int64 // bytes of the scene that did not go over the link
	Traced  bool  // a tile's lineage can be shown
}

// step is a point of the way from capture to product.
type step struct {
	What  string
	Time  time.Time
	After time.Duration // since the step before
}

// gridCell is a tile's core in the picture, in pixels of the scene.
type gridCell struct {
	X, Y, W, H int
	Class      string
	Title      string
}

// maxGrid is how many tiles are drawn one by one.
const maxGrid = 2500

func (s scenePages) one(r *http.Request) (any, error) {
	ctx := r.Context()
	page, err := request.Page(r)
	if err != nil {
		return nil, err
	}
	scene, err := s.o.Index.Scenes.One(ctx, request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	body := sceneBody{Scene: scene, Page: page, Steps: timeline(scene), Traced: s.o.Lineage != nil}
	at, _, err := s.o.Index.Pictures.Taken(ctx, index.QuicklookSlot(scene.Edge, scene.ID))
	if err != nil {
		return nil, err
	}
	body.HasLook = !at.IsZero()
	if scene.Product == nil {
		return body, nil
	}
	if f := scene.Product.Scene; f != nil {
		body.Saved = f.SceneBytes - f.UplinkedBytes
	}
	if body.Masked = slices.Contains(scene.Product.Files, products.MaskFile); body.Masked {
		if body.Areas, err = s.o.Products.Areas(scene.Product); err != nil {
			body.AreaWhy = text.Sentence(err)
		}
	}
	tiles, err := s.o.Products.Tiles(scene.Product)
	if err != nil {
		body.TileWhy = text.Sentence(err)
		return body, nil
	}
	if len(tiles) <= maxGrid && scene.Product.Radar == nil {
		body.Grid = cells(scene, tiles)
	}
	from := min((page-1)*pageRows, len(tiles))
	to := min(from+pageRows, len(tiles))
	body.Tiles, body.More = tiles[from:to], to < len(tiles)
	return body, nil
}

// cells lays the tiles over the picture. A tile's core is what no neighbour shares.
func cells(s index.Scene, tiles []products.TileFate) []gridCell {
	g := s.Grid
	grid, ok := windows.Grid{Width: s.Width, Height: s.Height, Size: g.Size, Overlap: g.Overlap, Margin: g.Margin}.Grouped(g.Cols, g.Rows)
	if !ok {
		return nil
	}
	all := make([]gridCell, 0, len(tiles))
	for _, t := range tiles {
		if at, ok := grid.Find(t.Tile); ok {
			all = append(all, gridCell{X: at.Core.X, Y: at.Core.Y, W: at.Core.W, H: at.Core.H, Class: "tile-" + tileClass(t), Title: "Tile " + t.Tile + " " + t.Because()})
		}
	}
	return all
}

// tileClass is one of the style sheet's names, whatever the file says.
func tileClass(t products.TileFate) string {
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
		{What: "manifest in Kafka", Time: s.Manifested}, {What: "first result of a tile", Time: s.FirstResult},
		{What: "last result of a tile", Time: s.LastResult}, {What: "product published", Time: s.Published},
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
