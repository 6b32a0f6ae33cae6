// Package web is what people see: pages made on the server, which work without scripts, and their assets.
package web

import (
	"bytes"
	"log/slog"
	"net/http"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/overview"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// Options are what pages are made of.
type Options struct {
	overview.Overview
	Products *products.Folder
	Models   *live.ModelsView
	Lineage  Lineage // nil: what became of single items can't be shown
	Audit    *auth.Audit
	Refuser  *request.Refuser
	Login    func() bool // people log in here
	Version  string
	Log      *slog.Logger
}

// Site serves pages. They lie in a file for each entry of the menu.
type Site struct {
	o     Options
	pages pages
}

// New reads the pages' templates.
func New(o Options) (*Site, error) {
	all, err := parsePages()
	return &Site{o, all}, err
}

// Routes adds the pages' paths, and those of the forms on them.
func (s *Site) Routes(mux *http.ServeMux) {
	page := func(path, name string, make func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, s.page(name, make))
	}
	page("/{$}", "overview", s.overview)
	scenes, cameras, dead, cluster := scenePages{s}, cameraPages{s}, deadLetterPages{s}, clusterPage{s}
	page("/scenes", "scenes", scenes.all)
	page("/scenes/{edge}/{scene}", "scene", scenes.one)
	mux.HandleFunc("GET /scenes/{scene}", scenes.named)
	page("/cameras", "cameras", cameras.all)
	page("/cameras/{edge}/{camera}", "camera", cameras.one)
	mux.HandleFunc("GET /cameras/{camera}", cameras.named)
	page("/sensors", "sensors", s.sensors)
	page("/link", "link", s.link)
	page("/cluster", "cluster", cluster.show)
	mux.HandleFunc("POST /cluster/models/{model}", cluster.changeModel)
	// The addresses of the next ones are as in the first version of the console.
	page("/story", "lineage", newLineagePage(s.o.Lineage).show)
	page("/letters", "deadletters", dead.all)
	page("/letters/{partition}/{offset}", "deadletter", dead.one)
	mux.HandleFunc("POST /letters/{partition}/{offset}", dead.decide)
	mux.HandleFunc("POST /edges/{edge}/blocked", dead.block)
	mux.Handle("GET /assets/", assetHandler())
}

// page serves a template with what make gives.
func (s *Site) page(name string, make func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := make(r)
		if err != nil {
			s.o.Refuser.Fail(w, r, err)
			return
		}
		s.Show(w, r, http.StatusOK, name, body)
	}
}

// Show serves a page. It renders into memory first, so that a fault never leaves half a page.
func (s *Site) Show(w http.ResponseWriter, r *http.Request, status int, name string, body any) {
	_, kafka := s.o.Index.Kafka()
	var out bytes.Buffer
	err := s.pages[name].ExecuteTemplate(&out, "layout", view{
		Name: name, Path: r.URL.Path, Who: auth.Who(r), Login: s.o.Login(), Now: s.o.Now(), Away: kafka != nil, Version: s.o.Version, Last: s.o.Index.Notices.Latest(), Body: body,
	})
	if err != nil {
		s.o.Log.Error("the console can't render a page", "page", name, telemetry.Err, err)
		http.Error(w, "This page has a fault. The log says more.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(visible.Page(out.Bytes()))
}
