package console

import (
	"net/http"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

func TestALinksReportIsShownAlsoAfterItsEdgeHasGone(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	say := func(payload string) {
		w.console.takeStatus(t.Context(), mqtt.Message{Topic: "canvas/v1/mast-8/status", Payload: []byte(payload)})
	}
	if status, _ := w.get("/api/v1/edges/mast-8/link"); status != http.StatusNotFound {
		t.Errorf("before it has said anything: %d", status)
	}
	say(`{"status":"online","edge":"mast-8","link":{"time":"2026-03-01T10:00:00Z","waiting":7,"hold":"no contact window","ladder":[{"priority":2,"rung":4,"items":7,"bytes":9000}],
		"windows_past":[{"from":"2020-01-01T00:00:00Z","to":"2020-01-01T01:00:00Z"}],"next":[{"seq":3,"kind":"tile","subject":"<b>x</b>/0_0","priority":2,"rung":4,"why":"it is the oldest"}]}}`)
	say(`{"status":"offline","edge":"mast-8"}`)
	_, body := w.get("/link")
	for _, text := range []string{"Nothing more is sent just now: no contact window", "2 normal</td><td>tiles</td><td class=\"num\">7", "&lt;b&gt;x", "it is the oldest", "2020-01-01 01:00:00"} {
		if !strings.Contains(body, text) {
			t.Errorf("the page does not say %q", text)
		}
	}
	var r event.LinkReport
	if w.json("/api/v1/edges/mast-8/link", &r); r.Waiting != 7 || len(r.Next) != 1 {
		t.Errorf("%+v", r)
	}
	if w.json("/api/v1/edges/mast-7/link", &r); r.Next[0].Subject != "alpha/1_0" {
		t.Errorf("of the device beside the console: %+v", r)
	}
}
