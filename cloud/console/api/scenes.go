package api

import (
	"net/http"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
)

// scenes answers about scenes and their products.
type scenes struct{ o Options }

func (a scenes) endpoints() []endpoint {
	return []endpoint{
		get("/scenes", "Scenes, the latest first", append([]parameter{{"edge", "string", "", "of one edge"}, {"bbox", "string", "", "west,south,east,north in degrees"},
			{"from", "string", "date-time", "captured from this time on"}, {"to", "string", "date-time", "captured up to this time"}}, paging...), list[index.Scene]{}, a.find),
		get("/scenes/{edge}/{scene}", "One scene", nil, index.Scene{}, a.one),
		get("/scenes/{edge}/{scene}/tiles", "What became of each tile of a scene, and why", nil, list[products.TileFate]{}, a.tiles),
		get("/scenes/{edge}/{scene}/areas", "How much ground each class covers", nil, list[products.Area]{}, a.areas),
	}
}

func (a scenes) find(r *http.Request) (any, error) {
	v := r.URL.Query()
	limit, offset, err := request.Window(v)
	if err != nil {
		return nil, err
	}
	q := index.SceneQuery{Limit: limit + 1, Offset: offset}
	if edge := v.Get("edge"); edge != "" {
		q.Edges = []string{edge}
	}
	if q.From, err = request.Time(v, "from"); err != nil {
		return nil, err
	}
	if q.To, err = request.Time(v, "to"); err != nil {
		return nil, err
	}
	if q.BBox, err = request.Box(v.Get("bbox")); err != nil {
		return nil, err
	}
	all, err := a.o.Index.Scenes.Find(r.Context(), q)
	if err != nil {
		return nil, err
	}
	return page(r, all, limit, offset), nil
}

func (a scenes) one(r *http.Request) (any, error) {
	return a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
}

func (a scenes) tiles(r *http.Request) (any, error) {
	s, err := a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	all, err := a.o.Products.Tiles(s.Product)
	return list[products.TileFate]{Items: all}, err
}

func (a scenes) areas(r *http.Request) (any, error) {
	s, err := a.o.Index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	all, err := a.o.Products.Areas(s.Product)
	return list[products.Area]{Items: all}, err
}
