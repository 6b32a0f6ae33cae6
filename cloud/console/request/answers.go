// Package request is what the console's handlers share: names and parameters of addresses, and what is
// answered where something can't be.
package request

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/telemetry"
)

// ErrBad marks what is wrong with a request, for its sender to read.
var ErrBad = errors.New("the request can't be answered")

// Problem says why there is no answer (RFC 9457).
type Problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
}

// Refuser says why there is no answer: as a page to people, as JSON to programs.
type Refuser struct {
	Log      *slog.Logger
	Statuses map[error]int // of errors whose text is for the sender, beside ErrBad
	Page     func(w http.ResponseWriter, r *http.Request, p Problem)
}

// Fail answers an error with the status it deserves. What went wrong inside is for the log only.
func (f *Refuser) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if r.Context().Err() != nil {
		return // nobody waits for the answer
	}
	for known, status := range f.Statuses {
		if errors.Is(err, known) {
			f.Refuse(w, r, status, text.Sentence(err))
			return
		}
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		f.Refuse(w, r, http.StatusRequestEntityTooLarge, "The request is too large.")
	case errors.Is(err, ErrBad):
		f.Refuse(w, r, http.StatusBadRequest, text.Sentence(err))
	default:
		f.Log.Warn("the console could not answer a request", "path", r.URL.Path, telemetry.Err, err)
		f.Refuse(w, r, http.StatusServiceUnavailable, "This cannot be shown now. The console's log says why; try again in a moment.")
	}
}

// Refuse says why there is no answer.
func (f *Refuser) Refuse(w http.ResponseWriter, r *http.Request, status int, message string) {
	p := Problem{Title: http.StatusText(status), Status: status, Detail: message}
	if program(r) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(p)
		return
	}
	f.Page(w, r, p)
}

// program says whether no person reads the answer.
func program(r *http.Request) bool {
	for _, prefix := range []string{"/api/", "/stac", "/files/", "/pictures/", "/metrics", "/healthz", "/readyz"} {
		if strings.HasPrefix(r.URL.Path, prefix) {
			return true
		}
	}
	return false
}

// JSON answers with v.
func JSON(w http.ResponseWriter, status int, v any) {
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.Encode(v)
}
