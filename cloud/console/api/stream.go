package api

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

const (
	maxStreams = 500              // open at once
	heartbeat  = 15 * time.Second // so that proxies keep the connection
)

// stream sends notices as server-sent events (WHATWG HTML, section 9.2). Last-Event-ID, or ?last=,
// resumes: what was missed comes first; where it is no longer kept, one event `reset` says that
// the page has to be loaded anew.
func (a *API) stream(w http.ResponseWriter, r *http.Request, stopping <-chan struct{}) {
	defer a.streams.Add(-1)
	if a.streams.Add(1) > maxStreams {
		a.o.Refuser.Refuse(w, r, http.StatusServiceUnavailable, fmt.Sprintf("%d pages are open already, which is the limit.", maxStreams))
		return
	}
	last := a.o.Index.Notices.Latest()
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("last")
	}
	if text != "" {
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			a.o.Refuser.Refuse(w, r, http.StatusBadRequest, "Last-Event-ID is no number of an event.")
			return
		}
		last = n
	}
	control := http.NewResponseController(w)
	control.SetReadDeadline(time.Time{}) // the server's own would end the stream
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no")
	fmt.Fprintf(w, "retry: 1000\nid: %d\n: connected\n\n", last)
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		after, newest, missed, more := a.o.Index.Notices.Since(last)
		last = newest
		if missed {
			fmt.Fprintf(w, "id: %d\nevent: reset\ndata: {}\n\n", newest)
			after = nil
		}
		for _, n := range after {
			data, _ := json.Marshal(n) // plain texts and a time
			fmt.Fprintf(w, "id: %d\nevent: change\ndata: %s\n\n", n.Number, data)
		}
		control.SetWriteDeadline(a.o.Now().Add(2 * heartbeat))
		if control.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-beat.C:
			fmt.Fprint(w, ": still here\n\n")
		case <-stopping:
			return
		case <-r.Context().Done():
			return
		}
	}
}

// Streams is how many are open.
func (a *API) Streams() int64 { return min(a.streams.Load(), maxStreams) }
