package console

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func TestTwoEdgesWithTheSameNamesAreTwoOnThePages(t *testing.T) {
	w := newWorld(t, nil)
	w.putScene("alpha", w.start)
	w.putCamera("gate", time.Now().UTC())
	w.caughtUp()
	for _, path := range []string{"/scenes/alpha", "/cameras/gate"} { // one edge: the short address leads on
		if status, body := w.get(path); status != http.StatusOK || !strings.Contains(body, "mast-7") {
			t.Errorf("%s: %d", path, status)
		}
	}
	w.edge = "mast-8"
	w.putManifest("alpha", w.start.Add(time.Hour))
	w.putCamera("gate", time.Now().UTC())
	w.writeProduct("@mast-8/alpha", "alpha", w.start.Add(time.Hour))
	w.putProduct("alpha", "@mast-8/alpha", w.start.Add(time.Hour))
	// A key of before is given up, which is no fault.
	if err := w.log.Append(context.Background(), kafka.Record{Topic: event.ProductsTopic, Key: []byte("alpha")}); err != nil {
		t.Fatal(err)
	}
	w.caughtUp()
	for path, says := range map[string][]string{
		"/scenes/alpha":        {`<a href="/scenes/mast-7/alpha">mast-7/alpha</a>`, `<a href="/scenes/mast-8/alpha">mast-8/alpha</a>`},
		"/cameras/gate":        {`<a href="/cameras/mast-7/gate">mast-7/gate</a>`, `<a href="/cameras/mast-8/gate">mast-8/gate</a>`},
		"/scenes/mast-7/alpha": {"mask.tif", "product published"},
		"/scenes/mast-8/alpha": {"mask.tif", "product published"},
		"/cameras/mast-8/gate": {"person 0.91"},
		"/cameras":             {`<a href="/cameras/mast-8/gate">mast-8/gate</a>`, `<a href="/cameras/mast-7/gate">mast-7/gate</a>`},
	} {
		status, body := w.get(path)
		if want := map[bool]int{true: http.StatusMultipleChoices, false: http.StatusOK}[strings.Count(path, "/") == 2]; status != want {
			t.Errorf("%s: %d, want %d", path, status, want)
		}
		for _, text := range says {
			if !strings.Contains(body, text) {
				t.Errorf("%s does not say %q", path, text)
			}
		}
	}
	for _, edge := range []string{"mast-7", "mast-8"} {
		var item struct {
			ID, Collection string
			Assets         map[string]struct{ Href string }
		}
		w.json("/stac/collections/"+edge+"/items/alpha", &item)
		if item.ID != "alpha" || item.Collection != edge || !strings.Contains(item.Assets["mask"].Href, "/files/scenes/"+edge+"/alpha/mask.tif") {
			t.Errorf("%+v", item)
		}
		if status, _ := w.get("/files/scenes/" + edge + "/alpha/mask.tif"); status != http.StatusOK {
			t.Errorf("the mask of %s: %d", edge, status)
		}
	}
	if status, _ := w.get("/scenes/omega"); status != http.StatusNotFound {
		t.Errorf("an unknown name: %d", status)
	}
}
