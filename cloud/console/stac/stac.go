// Package stac is the STAC API 1.0.0 over the products: a collection for each edge, an item for each scene that
// has a place on the Earth. Items are the products' own item.json, with links that lead here.
package stac

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
)

const (
	version        = "1.1.0"
	geoJSONMedia   = "application/geo+json"
	schemaJSON     = "application/schema+json"
	pageLimit      = 100 // items of a page where a search does not say
	maxItemFile    = 8 << 20
	maxCollections = 1000
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

// API answers.
type API struct {
	Scenes    index.Scenes
	Products  *products.Folder
	PublicURL string // what links begin with; empty: as the request came
	OpenAPI   string // the media type of the description at /api/v1/openapi.json
	Refuser   *request.Refuser
	Now       func() time.Time
	Log       *slog.Logger
}

type object = map[string]any

// Routes adds the API's paths.
func (a *API) Routes(mux *http.ServeMux) {
	for _, route := range []struct {
		path string
		make func(*http.Request) (any, error)
		kind string
	}{
		{"GET /stac", a.landing, "application/json"},
		{"GET /stac/conformance", func(*http.Request) (any, error) { return object{"conformsTo": conformance}, nil }, "application/json"},
		{"GET /stac/collections", a.collections, "application/json"},
		{"GET /stac/collections/{edge}", a.collection, "application/json"},
		{"GET /stac/collections/{edge}/items", a.items, geoJSONMedia},
		{"GET /stac/collections/{edge}/items/{scene}", a.item, geoJSONMedia},
		{"GET /stac/search", a.search, geoJSONMedia},
		{"POST /stac/search", a.search, geoJSONMedia},
	} {
		mux.HandleFunc(route.path, func(w http.ResponseWriter, r *http.Request) {
			v, err := route.make(r)
			if err != nil {
				a.Refuser.Fail(w, r, err)
				return
			}
			w.Header().Set("Content-Type", route.kind)
			request.JSON(w, http.StatusOK, v)
		})
	}
}

// base is what links begin with: as configured, else as the request came.
func (a *API) base(r *http.Request) string {
	if a.PublicURL != "" {
		return strings.TrimSuffix(a.PublicURL, "/")
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return (&url.URL{Scheme: scheme, Host: r.Host}).String()
}

func (a *API) landing(r *http.Request) (any, error) {
	base := a.base(r)
	links := []link{
		{Rel: "self", Href: base + "/stac", Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"},
		{Rel: "service-desc", Href: base + "/api/v1/openapi.json", Type: a.OpenAPI}, {Rel: "service-doc", Href: base + "/", Type: "text/html"},
		{Rel: "conformance", Href: base + "/stac/conformance", Type: "application/json"},
		{Rel: "data", Href: base + "/stac/collections", Type: "application/json"},
		{Rel: "search", Href: base + "/stac/search", Type: geoJSONMedia, Method: http.MethodGet},
		{Rel: "search", Href: base + "/stac/search", Type: geoJSONMedia, Method: http.MethodPost},
	}
	edges, err := a.Scenes.Placed(r.Context(), maxCollections)
	if err != nil {
		return nil, err
	}
	for _, e := range edges {
		links = append(links, link{Rel: "child", Href: base + collectionPath(e.Edge), Type: "application/json", Title: "Scenes of " + e.Edge})
	}
	return object{"type": "Catalog", "stac_version": version, "id": "cloud-canvas", "title": "Cloud Canvas",
		"description": "Masks of clouds and cloud shadows that this appliance has made.", "conformsTo": conformance, "links": links}, nil
}

func collectionPath(edge string) string { return "/stac/collections/" + request.Segment(edge) }

func (a *API) collections(r *http.Request) (any, error) {
	edges, err := a.Scenes.Placed(r.Context(), maxCollections)
	if err != nil {
		return nil, err
	}
	base, all := a.base(r), []any{}
	for _, e := range edges {
		all = append(all, describe(base, e))
	}
	return object{"collections": all, "links": []link{{Rel: "self", Href: base + "/stac/collections", Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"}}}, nil
}

func (a *API) collection(r *http.Request) (any, error) {
	edges, err := a.Scenes.Placed(r.Context(), maxCollections)
	if err != nil {
		return nil, err
	}
	for _, e := range edges {
		if e.Edge == request.Name(r, "edge") {
			return describe(a.base(r), e), nil
		}
	}
	return nil, fmt.Errorf("collection %.80q is %w", request.Name(r, "edge"), index.ErrUnknown)
}

func describe(base string, e index.PlacedEdge) object {
	at := base + collectionPath(e.Edge)
	return object{
		"type": "Collection", "stac_version": version, "id": e.Edge, "title": "Scenes of " + e.Edge,
		"description": "Masks of clouds and cloud shadows of the scenes that " + e.Edge + " has captured.", "license": "other",
		"extent": object{"spatial": object{"bbox": [][]float64{e.BBox[:]}}, "temporal": object{"interval": [][]string{{e.From.Format(timeFormat), e.To.Format(timeFormat)}}}},
		"links": []link{
			{Rel: "self", Href: at, Type: "application/json"}, {Rel: "root", Href: base + "/stac", Type: "application/json"},
			{Rel: "parent", Href: base + "/stac", Type: "application/json"}, {Rel: "items", Href: at + "/items", Type: geoJSONMedia},
		},
	}
}

const timeFormat = "2006-01-02T15:04:05.000Z"

// item gives one item.
func (a *API) item(r *http.Request) (any, error) {
	s, err := a.Scenes.One(r.Context(), request.Name(r, "edge"), request.Name(r, "scene"))
	if err != nil {
		return nil, err
	}
	if s.Product == nil || s.BBox == nil {
		return nil, fmt.Errorf("item %.80q is %w: it has no product yet, or no place on the Earth", s.ID, index.ErrUnknown)
	}
	return a.itemOf(a.base(r), s)
}

// itemOf is a scene's item.json with links that lead here. What can't be read is an error: a search
// leaves it out.
func (a *API) itemOf(base string, s index.Scene) (object, error) {
	data, err := a.Products.Read(s.Product, products.ItemFile, maxItemFile)
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
		if _, err := a.Products.Path(s.Product, file); !ok || err != nil {
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
