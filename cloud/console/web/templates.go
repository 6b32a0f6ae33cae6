package web

import (
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/text"
)

//go:embed pages/*.html
var pageFiles embed.FS

//go:embed assets
var assetFiles embed.FS

// pages are the templates by name.
type pages map[string]*template.Template

// view is what every page is made of.
type view struct {
	Name    string
	Path    string
	Who     auth.Person
	Login   bool // people log in here
	Now     time.Time
	Away    bool // Kafka can't be reached
	Version string
	Last    uint64 // the newest notice that the page has taken in
	Body    any
}

var pageFunctions = template.FuncMap{
	"ago": text.Ago, "size": text.Size, "segment": request.Segment, "scenePath": request.ScenePath, "cameraPath": request.CameraPath, "eventPath": eventPath, "percent": text.Percent, "area": areaText, "number": text.Number, "are": text.Are,
	"clock": func(t time.Time) string {
		if t.IsZero() {
			return "—"
		}
		return t.UTC().Format("2006-01-02 15:04:05")
	},
	"iso":         func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"round":       func(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) },
	"lasts":       func(d time.Duration) string { return d.Round(100 * time.Millisecond).String() },
	"join":        strings.Join,
	"lineagePath": lineagePath,
	"priority":    priorityName,
	"rate":        func(perSecond float64) string { return text.Size(int64(perSecond)) + "/s" },
	"version": func(v string) string {
		if v == "" {
			return "as shipped"
		}
		return "version " + v
	},
	"share":       func(v float64) string { return strconv.FormatFloat(100*v, 'g', 4, 64) + " %" },
	"shareNumber": func(v float64) string { return strconv.FormatFloat(100*v, 'g', 4, 64) },
	"inc":         func(n int) int { return n + 1 },
	"dec":         func(n int) int { return n - 1 },
}

func parsePages() (pages, error) {
	names, err := fs.Glob(pageFiles, "pages/*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	for _, file := range names {
		name := strings.TrimSuffix(strings.TrimPrefix(file, "pages/"), ".html")
		if name == "layout" {
			continue
		}
		t, err := template.New(name).Funcs(pageFunctions).ParseFS(pageFiles, "pages/layout.html", file)
		if err != nil {
			return nil, fmt.Errorf("the page %s: %w", name, err)
		}
		all[name] = t
	}
	return all, nil
}

// assetHandler serves what pages are made of, to be asked for anew with each version only.
func assetHandler() http.Handler {
	files := http.FileServerFS(assetFiles)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Cache-Control", "max-age=300")
		files.ServeHTTP(w, r)
	})
}

// eventPath is where more of an event's source is to be seen.
func eventPath(e index.Event) string {
	if e.Limited() {
		return "/sensors"
	}
	return request.CameraPath(e.Edge, e.Stream)
}

// areaText is square metres for people.
func areaText(m2 float64) string {
	if m2 >= 1e5 {
		return strconv.FormatFloat(m2/1e6, 'f', 2, 64) + " km²"
	}
	return strconv.FormatFloat(m2, 'f', 0, 64) + " m²"
}
