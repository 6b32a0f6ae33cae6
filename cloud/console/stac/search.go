package stac

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/telemetry"
)

// query is what a STAC search asks for, as the POST's body has it.
type query struct {
	Collections []string        `json:"collections"`
	IDs         []string        `json:"ids"`
	BBox        []float64       `json:"bbox"`
	Datetime    string          `json:"datetime"`
	Intersects  json.RawMessage `json:"intersects"`
	Limit       *int            `json:"limit"`
	Token       string          `json:"token"` // of the next page: the last item of this one
}

func (a *API) search(r *http.Request) (any, error) {
	var s query
	var err error
	body := object{}
	if r.Method == http.MethodPost {
		var raw json.RawMessage
		if err := json.NewDecoder(r.Body).Decode(&raw); err != nil {
			return nil, fmt.Errorf("%w: the body is no JSON: %w", request.ErrBad, err)
		}
		if err := json.Unmarshal(raw, &s); err != nil {
			return nil, fmt.Errorf("%w: %w", request.ErrBad, err)
		}
		if string(s.Intersects) == "null" { // a null member is as none
			s.Intersects = nil
		}
		if err := json.Unmarshal(raw, &body); err != nil {
			return nil, fmt.Errorf("%w: %w", request.ErrBad, err)
		}
	} else if s, err = searchOf(r.URL.Query()); err != nil {
		return nil, err
	}
	next := func(token string) link {
		at := a.base(r) + "/stac/search"
		if r.Method == http.MethodPost {
			again := maps.Clone(body)
			again["token"] = token
			return link{Rel: "next", Href: at, Type: geoJSONMedia, Method: http.MethodPost, Body: again}
		}
		v := r.URL.Query()
		v.Set("token", token)
		return link{Rel: "next", Href: at + "?" + v.Encode(), Type: geoJSONMedia, Method: http.MethodGet}
	}
	return a.find(r, s, next, []link{{Rel: "self", Href: a.base(r) + r.URL.RequestURI(), Type: geoJSONMedia}})
}

// items lists a collection's items.
func (a *API) items(r *http.Request) (any, error) {
	collection, err := a.collection(r)
	if err != nil {
		return nil, err
	}
	s, err := searchOf(r.URL.Query())
	if err != nil {
		return nil, err
	}
	s.Collections = []string{request.Name(r, "edge")}
	at := a.base(r) + collectionPath(request.Name(r, "edge"))
	next := func(token string) link {
		v := r.URL.Query()
		v.Set("token", token)
		return link{Rel: "next", Href: at + "/items?" + v.Encode(), Type: geoJSONMedia}
	}
	return a.find(r, s, next, []link{
		{Rel: "self", Href: a.base(r) + r.URL.RequestURI(), Type: geoJSONMedia},
		{Rel: "collection", Href: at, Type: "application/json", Title: fmt.Sprint(collection.(object)["title"])},
	})
}

// searchOf reads a search from a query string.
func searchOf(v url.Values) (s query, err error) {
	split := func(key string) []string {
		if v.Get(key) == "" {
			return nil
		}
		return strings.Split(v.Get(key), ",")
	}
	s.Collections, s.IDs, s.Datetime, s.Token = split("collections"), split("ids"), v.Get("datetime"), v.Get("token")
	if s.BBox, err = request.Box(v.Get("bbox")); err != nil {
		return s, err
	}
	if text := v.Get("intersects"); text != "" {
		s.Intersects = json.RawMessage(text)
	}
	if text := v.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			return s, fmt.Errorf("%w: limit %.20q is no number", request.ErrBad, text)
		}
		s.Limit = &n
	}
	return s, nil
}

// spanAsked reads a datetime: an instant, or from/to where .. or nothing is open.
func spanAsked(text string) (from, to time.Time, err error) {
	if text == "" {
		return from, to, nil
	}
	first, second, span := strings.Cut(text, "/")
	if !span {
		second = first
	}
	read := func(part string) (t time.Time) {
		if (part == ".." || part == "") && span || err != nil {
			return t
		}
		// time.Parse also takes a comma before a second's fraction, which RFC 3339 does not know.
		if t, err = time.Parse(time.RFC3339, strings.ToUpper(part)); err != nil || strings.Contains(part, ",") {
			err = fmt.Errorf("%w: datetime %.80q: write 2026-05-01T12:00:00Z, or two with / between, .. for an open end", request.ErrBad, text)
		}
		return t
	}
	from, to = read(first), read(second)
	switch {
	case err != nil:
	case strings.Contains(second, "/"), span && from.IsZero() && to.IsZero():
		err = fmt.Errorf("%w: datetime %.80q is open at both ends, or has more than two", request.ErrBad, text)
	case !to.IsZero() && from.After(to):
		err = fmt.Errorf("%w: datetime %.80q ends before it begins", request.ErrBad, text)
	}
	return from, to, err
}

// scenes is the search as a question to the index.
func (s query) scenes() (q index.SceneQuery, err error) {
	q = index.SceneQuery{Edges: s.Collections, IDs: s.IDs, Placed: true, Limit: pageLimit}
	if len(s.Collections) > maxCollections || len(s.IDs) > request.MaxRows {
		return q, fmt.Errorf("%w: %d collections and %d ids are too many", request.ErrBad, len(s.Collections), len(s.IDs))
	}
	if s.Limit != nil {
		if *s.Limit < 1 {
			return q, fmt.Errorf("%w: limit %d is no number from 1 on", request.ErrBad, *s.Limit)
		}
		q.Limit = min(*s.Limit, request.MaxRows)
	}
	if s.BBox != nil && s.Intersects != nil {
		return q, fmt.Errorf("%w: a search has either bbox or intersects", request.ErrBad)
	}
	if s.BBox != nil {
		if q.BBox, err = request.CheckBox(s.BBox); err != nil {
			return q, err
		}
	}
	if q.From, q.To, err = spanAsked(s.Datetime); err != nil {
		return q, err
	}
	if s.Token != "" {
		if q.After, err = index.ParsePlace(s.Token); err != nil {
			return q, fmt.Errorf("%w: %w", request.ErrBad, err)
		}
	}
	// Times of the index are whole milliseconds; an instant that has more digits still finds its scene.
	q.From = q.From.Truncate(time.Millisecond)
	return q, nil
}

// find answers a search with a page of items.
func (a *API) find(r *http.Request, s query, next func(token string) link, links []link) (any, error) {
	q, err := s.scenes()
	if err != nil {
		return nil, err
	}
	var within *shapeSet
	if s.Intersects != nil {
		shape, err := parseShape(s.Intersects)
		if err != nil {
			return nil, err
		}
		within, q.BBox = &shape, shape.bounds()
	}
	scenes, more, err := a.Scenes.Matching(r.Context(), q, func(s index.Scene) bool { return within == nil || within.touches(s.Outline) })
	if err != nil {
		return nil, err
	}
	if more {
		links = append(links, next(index.PlaceOf(scenes[len(scenes)-1]).String()))
	}
	base, features := a.base(r), []any{}
	for _, scene := range scenes {
		item, err := a.itemOf(base, scene)
		if err != nil {
			a.Log.Warn("a STAC search leaves out an item that can't be read", telemetry.Scene, scene.ID, telemetry.Err, err)
			continue
		}
		features = append(features, item)
	}
	links = append(links, link{Rel: "root", Href: base + "/stac", Type: "application/json"})
	return object{"type": "FeatureCollection", "features": features, "links": links, "numberReturned": len(features), "timeStamp": a.Now().UTC().Format(time.RFC3339)}, nil
}
