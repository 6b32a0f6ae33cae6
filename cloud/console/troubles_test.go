package console

import (
	"strings"
	"testing"

	"cloudcanvas/shared/mqtt"
)

func TestTroublesOfAnEdgeAreShownUntilItHasNone(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	say := func(payload string) {
		w.console.takeStatus(t.Context(), mqtt.Message{Topic: "canvas/v1/mast-8/status", Payload: []byte(payload)})
	}
	shown := func() bool {
		_, body := w.get("/link")
		return strings.Contains(body, "another agent &lt;speaks&gt;") && strings.Contains(body, "mast-8 since") && strings.Contains(body, "(9 items, numbers 3 to 11 of epoch e1)")
	}
	say(`{"status":"online","edge":"mast-8","epoch":"e1","troubles":[{"kind":"twin","epoch":"e1","from":3,"to":11,"items":9,"text":"another agent <speaks>","since":"2026-03-01T10:00:00Z"}]}`)
	if !shown() {
		t.Error("they are not shown")
	}
	say(`{"status":"offline","edge":"mast-8","epoch":"e1"}`)
	if !shown() {
		t.Error("they are forgotten when the edge goes")
	}
	if _, edges := w.get("/api/v1/edges"); !strings.Contains(edges, `"kind":"twin"`) {
		t.Errorf("the API does not tell of them: %s", edges)
	}
	say(`{"status":"online","edge":"mast-8","epoch":"e1"}`)
	if shown() {
		t.Error("they are shown when there are none")
	}
}
