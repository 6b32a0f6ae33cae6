// Package api is the REST API for programs, its description (OpenAPI), its stream of notices, and the pictures
// and files that pages show too.
package api

import (
	"net/http"
	"slices"
	"strconv"
	"sync/atomic"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/overview"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/deadletter"
)

// endpoint is one question of the REST API. The OpenAPI document is made of these, so that it can't
// say anything else than what the handlers do.
type endpoint struct {
	Method  string
	Path    string
	Summary string
	Query   []parameter
	Body    any // of the request; nil: none
	Answer  any // of the type of the answer
	Make    func(r *http.Request) (any, error)
}

// parameter is one of the query string.
type parameter struct{ Name, Kind, Format, Text string }

// list is how the API answers with many things.
type list[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next"` // path of the next page; empty on the last
}

var paging = []parameter{
	{"limit", "integer", "", "how many, 1 to 1000; 100 where it is left out"},
	{"offset", "integer", "", "how many to leave out"},
}

// Options are what the API answers from.
type Options struct {
	overview.Overview
	Products *products.Folder
	Models   *live.ModelsView
	Audit    *auth.Audit
	Log      deadletter.Log // dead letters in full, to be shown as pictures
	Refuser  *request.Refuser
}

// API answers. Its endpoints lie in a file for each kind of thing.
type API struct {
	o       Options
	streams atomic.Int64
}

// New answers from these.
func New(o Options) *API { return &API{o: o} }

// Routes adds the API's paths, also those of pictures and files. Streams of notices end with stopping.
func (a *API) Routes(mux *http.ServeMux, stopping <-chan struct{}) {
	for _, e := range a.endpoints() {
		mux.HandleFunc(e.Method+" "+e.Path, a.answer(e))
	}
	mux.HandleFunc("GET /api/v1/openapi.json", a.openAPI)
	mux.HandleFunc("GET /api/v1/stream", func(w http.ResponseWriter, r *http.Request) { a.stream(w, r, stopping) })
	files{a.o}.routes(mux)
}

// endpoints are all of the REST API but streams, pictures and files.
func (a *API) endpoints() []endpoint {
	return slices.Concat(system{a.o}.endpoints(), edges{a.o}.endpoints(), scenes{a.o}.endpoints(), cameras{a.o}.endpoints(), sensors{a.o}.endpoints(),
		deadLetters{a.o}.endpoints())
}

func get(path, summary string, query []parameter, answer any, make func(r *http.Request) (any, error)) endpoint {
	return endpoint{Method: http.MethodGet, Path: "/api/v1" + path, Summary: summary, Query: query, Answer: answer, Make: make}
}

func post(path, summary string, body, answer any, make func(r *http.Request) (any, error)) endpoint {
	return endpoint{Method: http.MethodPost, Path: "/api/v1" + path, Summary: summary, Body: body, Answer: answer, Make: make}
}

// answer serves an endpoint as JSON.
func (a *API) answer(e endpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v, err := e.Make(r)
		if err != nil {
			a.o.Refuser.Fail(w, r, err)
			return
		}
		request.JSON(w, http.StatusOK, v)
	}
}

// nextPage is the path of the page after this one, or nothing where this is the last.
func nextPage(r *http.Request, more bool, key string, value int64) string {
	if !more {
		return ""
	}
	v := r.URL.Query()
	v.Set(key, strconv.FormatInt(value, 10))
	return r.URL.EscapedPath() + "?" + v.Encode()
}

// page cuts a list that was asked for with one more than limit.
func page[T any](r *http.Request, all []T, limit, offset int) list[T] {
	more := len(all) > limit
	return list[T]{Items: all[:min(limit, len(all))], Next: nextPage(r, more, "offset", int64(offset+limit))}
}
