package console

import (
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/shared/mqtt"
)

func TestACameraIsShownAsItsEdgeSaysThatItIs(t *testing.T) {
	w := newWorld(t, nil)
	w.putCamera("gate", time.Now().UTC())
	w.caughtUp()
	say := func(payload string) {
		w.console.takeStatus(t.Context(), mqtt.Message{Topic: "canvas/v1/mast-7/status", Payload: []byte(payload)})
	}
	is := func(when, camera, state string) (c index.Camera) {
		t.Helper()
		if w.json("/api/v1/cameras/mast-7/"+camera, &c); c.Word != state {
			t.Errorf("%s %s is %q, want %q", when, camera, c.Word, state)
		}
		return c
	}
	is("before its edge says anything", "gate", "up")
	say(`{"status":"online","edge":"mast-7","epoch":"e1","cameras":[
		{"name":"gate","phase":"stalled","since":"2026-03-01T10:00:00Z","width":640,"height":480,"problem":"no <picture> came"},
		{"name":"yard","phase":"down","since":"2026-03-01T10:00:00Z","width":0,"height":0,"problem":"the camera refused them","next_try":"2026-03-01T10:01:00Z"}]}`)
	if c := is("stalled,", "gate", "stalled"); c.Device.Problem != "no <picture> came" || c.Frames == 0 {
		t.Errorf("%+v", c)
	}
	is("without a picture ever,", "yard", "down")
	for path, texts := range map[string][]string{
		"/cameras":             {"no &lt;picture&gt; came", "the camera refused them", "stalled"},
		"/cameras/mast-7/yard": {"the camera refused them", "Next try at", "down"},
		"/":                    {"Nothing comes from 2 cameras"},
	} {
		_, body := w.get(path)
		for _, text := range texts {
			if !strings.Contains(body, text) {
				t.Errorf("%s does not say %q", path, text)
			}
		}
	}
	say(`{"status":"offline","edge":"mast-7","epoch":"e1"}`)
	is("when its edge is gone,", "gate", "unreachable")
	is("when its edge is gone,", "yard", "unreachable")
	say(`{"status":"online","edge":"mast-7","epoch":"e1","cameras":[{"name":"gate","phase":"up","since":"2026-03-01T10:00:00Z","width":640,"height":480}]}`)
	is("back,", "gate", "up")
	if status, _ := w.get("/api/v1/cameras/mast-7/yard"); status != 404 {
		t.Errorf("a camera that is no longer there: %d", status)
	}
	var all list[index.Camera]
	if w.json("/api/v1/cameras", &all); len(all.Items) != 1 || all.Items[0].Word != "up" {
		t.Errorf("%+v", all)
	}
}
