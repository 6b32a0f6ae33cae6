package console

import (
	"bytes"
	"net/http"
	"runtime/debug"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// Handler is everything that the console serves.
func (k *Console) Handler() http.Handler {
	mux := http.NewServeMux()
	page := func(path, name string, make func(*http.Request) (any, error)) {
		mux.HandleFunc("GET "+path, k.page(name, make))
	}
	page("/{$}", "overview", k.overviewPage)
	page("/scenes", "scenes", k.scenesPage)
	page("/scenes/{edge}/{scene}", "scene", k.scenePage)
	page("/cameras", "cameras", k.camerasPage)
	page("/cameras/{edge}/{camera}", "camera", k.cameraPage)
	mux.HandleFunc("GET /scenes/{scene}", k.sceneNamed)
	mux.HandleFunc("GET /cameras/{camera}", k.cameraNamed)
	page("/sensors", "sensors", k.sensorsPage)
	page("/link", "link", k.linkPage)
	page("/cluster", "cluster", k.clusterPage)
	page("/story", "story", k.storyPage)
	page("/letters", "letters", k.lettersPage)
	page("/letters/{partition}/{offset}", "letter", k.letterPage)
	mux.HandleFunc("POST /letters/{partition}/{offset}", k.decide)
	mux.HandleFunc("POST /edges/{edge}/blocked", k.blockForm)
	mux.HandleFunc("POST /cluster/models/{model}", k.changeModel)
	k.guard.Routes(mux)
	mux.Handle("GET /assets/", assetHandler())

	mux.HandleFunc("GET /pictures/scenes/{edge}/{scene}", k.lookPicture)
	mux.HandleFunc("GET /pictures/masks/{edge}/{scene}", k.maskPicture)
	mux.HandleFunc("GET /pictures/cameras/{edge}/{camera}", k.framePicture)
	mux.HandleFunc("GET /pictures/events/{number}", k.eventPicture)
	mux.HandleFunc("GET /pictures/letters/{partition}/{offset}", k.letterPicture)
	mux.HandleFunc("GET /files/scenes/{edge}/{scene}/{file...}", k.sceneFile)
	mux.HandleFunc("GET /files/cameras/{edge}/{camera}/{file...}", k.cameraFile)

	for _, e := range k.endpoints() {
		mux.HandleFunc(e.Method+" "+e.Path, k.answer(e))
	}
	mux.HandleFunc("GET /api/v1/stream", k.stream)
	mux.HandleFunc("GET /api/v1/openapi.json", k.openAPI)
	mux.HandleFunc("GET /api/v1/tiles/{edge}/{scene}/{z}/{x}/{y}", k.mapTile)
	k.stacRoutes(mux)

	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		request.JSON(w, http.StatusOK, map[string]bool{"ok": true})
	})
	mux.HandleFunc("GET /readyz", k.readyz)
	if k.Gatherer != nil {
		mux.Handle("GET /metrics", promhttp.HandlerFor(k.Gatherer, promhttp.HandlerOpts{}))
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		k.refuser.Refuse(w, r, http.StatusNotFound, "There is no such page here.")
	})
	return k.caught(k.stats.timed(k.guard.Around(mux)))
}

// caught turns a panic of a handler into a page without a stack trace; the log has it.
func (k *Console) caught(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			fault := recover()
			if fault == nil {
				return
			}
			if fault == http.ErrAbortHandler {
				panic(fault)
			}
			k.Logger.Error("a page has failed", "path", r.URL.Path, "fault", fault, "stack", string(debug.Stack()))
			k.refuser.Refuse(w, r, http.StatusInternalServerError, "This page has a fault. The log says more; the rest of the console goes on.")
		}()
		next.ServeHTTP(w, r)
	})
}

func (k *Console) readyz(w http.ResponseWriter, _ *http.Request) {
	if _, err := k.index.Kafka(); err != nil {
		request.JSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "reason": "Kafka cannot be reached: " + err.Error()})
		return
	}
	if err := k.Disk.Err(); err != nil {
		request.JSON(w, http.StatusServiceUnavailable, map[string]any{"ok": false, "reason": err.Error()})
		return
	}
	request.JSON(w, http.StatusOK, map[string]any{"ok": true})
}

// page serves a template with what make gives.
func (k *Console) page(name string, make func(*http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := make(r)
		if err != nil {
			k.refuser.Fail(w, r, err)
			return
		}
		k.show(w, r, http.StatusOK, name, body)
	}
}

// show renders into memory first, so that a fault never leaves half a page.
func (k *Console) show(w http.ResponseWriter, r *http.Request, status int, name string, body any) {
	_, kafka := k.index.Kafka()
	var out bytes.Buffer
	err := k.pages[name].ExecuteTemplate(&out, "layout", view{
		Name: name, Path: r.URL.Path, Who: auth.Who(r), Login: k.guard.Login(), Now: k.now(), Away: kafka != nil, Version: k.Version, Last: k.index.Notices.Latest(), Body: body,
	})
	if err != nil {
		k.Logger.Error("a page can't be made", "page", name, telemetry.Err, err)
		http.Error(w, "This page has a fault. The log says more.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	w.Write(visible.Page(out.Bytes()))
}
