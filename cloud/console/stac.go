package console

import (
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// The STAC API 1.0.0 over the products: a collection for each edge, an item for each scene that has
// a place on the Earth. Items are the products' own item.json, with links that lead here.
const (
	stacVersion   = "1.1.0"
	geoJSONMedia  = "application/geo+json"
	schemaJSON    = "application/schema+json"
	stacLimit     = 100 // items of a page where a search does not say
	maxItemFile   = 8 << 20
	maxEdgesShown = 1000
)

var conformance = []string{
	"https://api.stacspec.org/v1.0.0/core", "https://api.stacspec.org/v1.0.0/collections", "https://api.stacspec.org/v1.0.0/ogcapi-features",
	"https://api.stacspec.org/v1.0.0/item-search", "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
	"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30", "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
}

// link is a STAC link.
type link struct {
	Rel    string `json:"rel"`
	Href   string `json:"href"`
	Type   string `json:"type,omitempty"`
	Title  string `json:"title,omitempty"`
	Method string `json:"method,omitempty"`
	Body   any    `json:"body,omitempty"`
	Merge  bool   `json:"merge,omitempty"`
}

func (k *Console) stacRoutes(mux *http.ServeMux) {
	for _, route := range []struct {
		path string
		make func(*http.Request) (any, error)
		kind string
	}{
		{"GET /stac", k.stacLanding, "application/json"},
		{"GET /stac/conformance", func(*http.Request) (any, error) { return object{"conformsTo": conformance}, nil }, "application/json"},
		{"GET /stac/collections", k.stacCollections, "application/json"},
		{"GET /stac/collections/{edge}", k.stacCollection, "application/json"},
		{"GET /stac/collections/{edge}/items", k.stacItems, geoJSONMedia},
		{"GET /stac/collections/{edge}/items/{scene}", k.stacItem, geoJSONMedia},
		{"GET /stac/search", k.stacSearch, geoJSONMedia},
		{"POST /stac/search", k.stacSearch, geoJSONMedia},
	} {
		mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			v, err := route.make(r)
			if err != nil {
				k.refuser.Fail(w, r, err)
				return
			}
			w.Header().Set("Content-Type", route.kind)
			request.JSON(w, http.StatusOK, v)
		})
	}
}

// base is what links begin with: as configured, else as the request came.
func (k *Console) base(r *http.Request) string {
	if k.config.PublicURL != "" {
		return strings.TrimSuffix(k.config.PublicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}

func (k *Console) stacLanding(r *http.Request) (any, error) {
	base := k.base(r)
	links := []link{
		{Rel: "self", Href: base + "/stac", Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"},
		{Rel: "service-desc", Href: base + "/api/v1/openapi.json", Type: openAPIMedia}, {Rel: "service-doc", Href: base + "/", Type: "text/html"},
		{Rel: "conformance", Href: base + "/stac/conformance", Type: "application/json"},
		{Rel: "data", Href: base + "/stac/collections", Type: "application/json"},
		{Rel: "search", Href: base + "/stac/search", Type: geoJSONMedia, Method: http.MethodGet},
		{Rel: "search", Href: base + "/stac/search", Type: geoJSONMedia, Method: http.MethodPost},
	}
	edges, err := k.index.Scenes.Placed(r.Context(), maxEdgesShown)
	if err != nil {
		return nil, err
	}
	for _, e := range edges {
		links = append(links, link{Rel: "child", Href: base + collectionPath(e.Edge), Type: "application/json", Title: "Scenes of " + e.Edge})
	}
	return object{"type": "Catalog", "stac_version": stacVersion, "id": "cloud-canvas", "title": "Cloud Canvas",
		"description": "Masks of clouds and cloud shadows that this appliance has made.", "conformsTo": conformance, "links": links}, nil
}

func collectionPath(edge string) string { return "/stac/collections/" + request.Segment(edge) }

func (k *Console) stacCollections(r *http.Request) (any, error) {
	edges, err := k.index.Scenes.Placed(r.Context(), maxEdgesShown)
	if err != nil {
		return nil, err
	}
	base, all := k.base(r), []any{}
	for _, e := range edges {
		all = append(all, collection(base, e))
	}
	return object{"collections": all, "links": []link{{Rel: "self", Href: base + "/stac/collections", Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"}}}, nil
}

func (k *Console) stacCollection(r *http.Request) (any, error) {
	edges, err := k.index.Scenes.Placed(r.Context(), maxEdgesShown)
	if err != nil {
		return nil, err
	}
	for _, e := range edges {
		if e.Edge == request.Name(r, "edge") {
			return collection(k.base(r), e), nil
		}
	}
	return nil, fmt.Errorf("collection %.80q is %w", request.Name(r, "edge"), index.ErrUnknown)
}

func collection(base string, e index.PlacedEdge) object {
	at := base + collectionPath(e.Edge)
	return object{
		"type": "Collection", "stac_version": stacVersion, "id": e.Edge, "title": "Scenes of " + e.Edge,
		"description": "Masks of clouds and cloud shadows of the scenes that " + e.Edge + " has captured.", "license": "other",
		"extent": object{"spatial": object{"bbox": [][]float64{e.BBox[:]}}, "temporal": object{"interval": [][]string{{e.From.Format(stacTime), e.To.Format(stacTime)}}}},
		"links": []link{
			{Rel: "self", Href: at, Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"},
			{Rel: "parent", Href: base + "/stac", Type: "application/json"}, {Rel: "items", Href: at + "/items", Type: geoJSONMedia},
		},
	}
}

const stacTime = "2006-01-02T15:04:05.000Z"

// stacItem gives one item.
func (k *Console) stacItem(r *http.Request) (any, error) {
	s, err := k.index.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	if s.Product == nil || s.BBox == nil {
		return nil, fmt.Errorf("item %.80q is %w: it has no product yet, or no place on the Earth", s.ID, index.ErrUnknown)
	}
	return k.item(k.base(r), s)
}

// item is a scene's item.json with links that lead here. What can't be read is an error: a search
// leaves it out.
func (k *Console) item(base string, s index.Scene) (object, error) {
	data, err := k.products.Read(s.Product, products.ItemFile, maxItemFile)
	if err != nil {
		return nil, err
	}
	var item object
	if err := json.Unmarshal(data, &item); err != nil {
		return nil, fmt.Errorf("the item of scene %s is broken: %w", s.ID, err)
	}
	at := base + collectionPath(s.Edge)
	files := base + "/files/scenes/" + request.Segment(s.Edge) + "/" + request.Segment(s.ID) + "/"
	item["id"], item["collection"] = s.ID, s.Edge
	assets, _ := item["assets"].(object)
	for key, v := range assets {
		asset, ok := v.(object)
		href, _ := asset["href"].(string)
		file := strings.TrimPrefix(href, "./")
		if _, err := k.products.Path(s.Product, file); !ok || err != nil {
			delete(assets, key) // an item's links must resolve
			continue
		}
		asset["href"] = files + file
	}
	item["links"] = []link{
		{Rel: "self", Href: at + "/items/" + request.Segment(s.ID), Type: geoJSONMedia}, {Rel: "root", Href: base + "/stac", Type: "application/json"},
		{Rel: "parent", Href: at, Type: "application/json"}, {Rel: "collection", Href: at, Type: "application/json"},
		{Rel: "alternate", Href: base + request.ScenePath(s.Edge, s.ID), Type: "text/html", Title: "The scene's page"},
	}
	return item, nil
}
