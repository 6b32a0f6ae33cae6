package console

import (
	"context"
	"fmt"
	"image/png"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPagesShowWhatKafkaHas(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	for _, p := range []struct {
		path string
		says []string
	}{
		{"/", []string{"1 dead letter waits for a decision", "2 alerts in the last hour", "2 items (4.1 kB) are on their way from mast-7", "alpha"}},
		{"/scenes", []string{"3 scenes", "alpha", "gamma", "in work", `class="land"`}},
		{"/scenes/mast-7/alpha", []string{"1.00 km²", "was not sent: 100 % of it is cloud", "ukis 1", "mask.tif", "5.2 MB", "product published"}},
		{"/scenes/mast-7/gamma", []string{"in work", "There is no product yet"}},
		{"/cameras", []string{"gate", "up", "person", `<a href="/sensors">wind</a>`, `<a href="/cameras/mast-7/gate">gate</a>`}},
		{"/cameras/mast-7/gate", []string{"person 0.91", "yolox_nano", "/pictures/events/"}},
		{"/sensors", []string{"wind", "50 readings of mast-7", `class="curve"`}},
		{"/link", []string{"mast-7", "quota", "38"}},
		{"/cluster", []string{"NVIDIA T4", "onnxruntime-cpu", "match", "worker-1"}},
		{"/letters", []string{"the tile can&#39;t be decoded", "open"}},
		{"/letters/0/0", []string{"not a tile", "Replay"}},
	} {
		status, body := w.get(p.path)
		if status != http.StatusOK {
			t.Errorf("%s: %d", p.path, status)
		}
		for _, text := range p.says {
			if !strings.Contains(body, text) {
				t.Errorf("%s does not say %q", p.path, text)
			}
		}
	}
	if _, body := w.get("/cameras/mast-7/gate"); strings.Contains(body, "dog 0.10") {
		t.Error("an unlikely box is drawn")
	}
}

func TestNamesFromOutsideAreNeitherMarkupNorPaths(t *testing.T) {
	w := newWorld(t, nil)
	secret := filepath.Join(filepath.Dir(w.products), "secret.json")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	hostile := []string{`<img src=x onerror=alert(1)>`, `"><script>alert(1)</script>`, "../../etc/passwd", "..", ".", "a/b", "100%", "日本", `'; DROP TABLE events; --`}
	for _, id := range hostile {
		w.putScene(id, w.start)
		w.putCamera(id, time.Now().UTC())
	}
	w.putProduct("escape", "..", w.start)
	w.caughtUp()
	for _, path := range []string{"/", "/scenes", "/cameras", "/api/v1/scenes"} {
		if status, body := w.get(path); status != http.StatusOK || strings.Contains(body, "<img src=x") || strings.Contains(body, "<script>alert") {
			if path != "/api/v1/scenes" || status != http.StatusOK {
				t.Errorf("%s: %d, or markup of a name", path, status)
			}
		}
	}
	for _, id := range hostile {
		for _, path := range []string{"/scenes/mast-7/", "/cameras/mast-7/", "/api/v1/scenes/mast-7/", "/pictures/scenes/mast-7/", "/pictures/cameras/mast-7/", "/pictures/masks/mast-7/"} {
			if status, _ := w.get(path + request.Segment(id)); status != http.StatusOK {
				t.Errorf("%s of %q: %d", path, id, status)
			}
		}
		if status, _ := w.get("/files/scenes/mast-7/" + request.Segment(id) + "/mask.tif"); status != http.StatusOK {
			t.Errorf("the mask of %q: %d", id, status)
		}
	}
	for _, path := range []string{
		"/files/scenes/mast-7/escape/mask.tif", "/files/scenes/mast-7/alpha/..%2Fsecret.json", "/files/scenes/mast-7/" + request.Segment("a/b") + "/%2e%2e/secret.json",
		"/scenes/mast-7/nobody", "/cameras/x/y", "/pictures/events/999", "/pictures/events/x", "/letters/0/77", "/letters/-1/x", "/api/v1/tiles/mast-7/nobody/1/1/1.png", "/assets/", "/nope",
	} {
		status, body := w.get(path)
		if status != http.StatusNotFound || strings.Contains(body, "secret") && !strings.Contains(path, "secret") || strings.Contains(body, "goroutine") {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
}

func TestWrongRequestsAreToldWhatIsWrong(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	for _, path := range []string{
		"/scenes?page=0", "/cameras?kind=x", "/cameras?from=yesterday", "/cameras?before=x", "/api/v1/scenes?bbox=1,2", "/api/v1/scenes?limit=0", "/api/v1/scenes?limit=9999",
		"/api/v1/tiles/mast-7/alpha/99/1/1.png", "/api/v1/tiles/mast-7/alpha/1/5/1.png", "/api/v1/tiles/mast-7/alpha/1/1/1.jpg", "/api/v1/stream?last=x",
		"/stac/search?bbox=0,0,200,1", "/stac/search?datetime=x", "/stac/search?datetime=1985-04-12T23:20:50,52Z", "/stac/search?limit=0", "/stac/search?token=-1", "/stac/search?intersects=%7B%7D", "/stac/search?bbox=0,9,1,1",
		"/stac/search?datetime=2026-05-02T00:00:00Z/2026-05-01T00:00:00Z",
	} {
		if status, body := w.get(path); status != http.StatusBadRequest || strings.Contains(body, "goroutine") || len(body) < 20 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

func TestABrokenProductSpoilsNothingElse(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	dir := ""
	for _, file := range []string{"mask.tif", "tiles.json", "mask.geojson", "item.json"} {
		found, err := filepath.Glob(filepath.Join(w.products, "*", file))
		if err != nil || len(found) != 2 {
			t.Fatal(found, err)
		}
		dir = filepath.Dir(found[0])
		if err := os.WriteFile(found[0], []byte("{broken"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var s index.Scene
	for _, id := range []string{"alpha", "beta"} {
		w.json("/api/v1/scenes/mast-7/"+id, &s)
		if s.Product.Folder == filepath.Base(dir) {
			break
		}
	}
	status, body := w.get("/scenes/mast-7/" + s.ID)
	if status != http.StatusOK || !strings.Contains(body, "is broken") || !strings.Contains(body, "can&#39;t be read") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := w.get("/pictures/masks/mast-7/" + s.ID); status != http.StatusServiceUnavailable || strings.Contains(body, "goroutine") {
		t.Errorf("the broken mask: %d %s", status, body)
	}
	var found struct{ Features []object }
	w.json("/stac/search", &found)
	if len(found.Features) != 1 {
		t.Errorf("%d items, want the whole one", len(found.Features))
	}
}

func TestPagesStayWhileKafkaIsAwayAndGoOnWhenItIsBack(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	w.log.setAway(true)
	eventually(t, func() bool { _, body := w.get("/"); return strings.Contains(body, "Kafka cannot be reached since") })
	for _, path := range []string{"/", "/scenes", "/scenes/mast-7/alpha", "/cameras", "/cluster", "/letters/0/0"} {
		if status, body := w.get(path); status != http.StatusOK || !strings.Contains(body, "Kafka cannot be reached") {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _ := w.get("/readyz"); status != http.StatusServiceUnavailable {
		t.Errorf("readyz: %d", status)
	}
	if r := w.post("/letters/0/0", url.Values{"action": {"replay"}}, nil); r.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("a replay without Kafka: %d", r.StatusCode)
	}
	w.log.setAway(false)
	w.putScene("later", time.Now().UTC())
	eventually(t, func() bool {
		_, body := w.get("/scenes")
		return strings.Contains(body, "later") && !strings.Contains(body, "Kafka cannot be reached")
	})
}

// eventually waits for what another goroutine does.
func eventually(t *testing.T, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("it does not come to pass")
		}
	}
}

// post sends a form as a page of the console does; it does not follow redirects.
func (w *world) post(path string, form url.Values, change func(*http.Request)) *http.Response {
	w.Helper()
	r, err := http.NewRequest(http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		w.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	if change != nil {
		change(r)
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		w.Fatal(err)
	}
	io.Copy(io.Discard, answer.Body)
	answer.Body.Close()
	return answer
}

func TestUnreadableRecordsArePassedOver(t *testing.T) {
	w := newWorld(t, nil)
	err := w.log.Append(context.Background(), kafka.Record{Topic: event.EventsTopic, Value: []byte("junk")}, kafka.Record{Topic: event.ResultsTopic},
		kafka.Record{Topic: event.DLQTopic, Value: nil})
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range []event.Kind{event.Alert, event.Track, event.Reading, event.Scene, event.Frame, event.Crop, event.Ack, event.Result, event.Product} {
		w.put(kind, "x", "x", w.start, event.Attrs{}, "application/json", []byte("{{{"))
	}
	w.fill()
	if status, body := w.get("/"); status != http.StatusOK || !strings.Contains(body, "alpha") {
		t.Errorf("%d %s", status, body)
	}
}

func TestThereIsOneRowForATrackHoweverOftenItIsTold(t *testing.T) {
	w := newWorld(t, nil)
	for range 3 {
		w.putCamera("gate", w.start)
	}
	w.caughtUp()
	var events list[index.Event]
	w.json("/api/v1/events?kind=track", &events)
	if len(events.Items) != 1 || events.Items[0].State != "end" || !events.Items[0].Picture || events.Items[0].Lasted() != 4*time.Second {
		t.Errorf("%+v", events.Items)
	}
}

func TestEventsAreFilteredAndPaged(t *testing.T) {
	w := newWorld(t, nil)
	for n := range 25 {
		w.putJSON(event.Alert, fmt.Sprintf("cam-%d", n%2), "x", w.start.Add(time.Duration(n)*time.Second), event.Attrs{}, object{"label": []string{"cat", "dog"}[n%2]})
	}
	w.caughtUp()
	for _, c := range []struct {
		query string
		want  int
	}{{"", 25}, {"label=cat", 13}, {"label=horse", 0}, {"edge=mast-7&stream=cam-1", 12}, {"from=" + w.start.Add(20*time.Second).Format(time.RFC3339), 5}, {"kind=track", 0}} {
		seen, path := map[int64]bool{}, "/api/v1/events?limit=4&"+c.query
		for path != "" {
			var page list[index.Event]
			w.json(path, &page)
			for _, e := range page.Items {
				if seen[e.Number] {
					t.Errorf("%s: event %d comes twice", c.query, e.Number)
				}
				seen[e.Number] = true
			}
			path = page.Next
		}
		if len(seen) != c.want {
			t.Errorf("%q: %d events, want %d", c.query, len(seen), c.want)
		}
	}
}

func TestMapTilesShowTheMaskWhereItLies(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	var s index.Scene
	w.json("/api/v1/scenes/mast-7/alpha", &s)
	tiles := 0
	lon, lat := (s.BBox[0]+s.BBox[2])/2, (s.BBox[1]+s.BBox[3])/2
	for _, z := range []int{0, 8, 13, 14} {
		mx, my := onMap(lon, lat)
		x, y := int(mx*float64(int(1)<<z)), int(my*float64(int(1)<<z))
		r, err := http.Get(fmt.Sprintf("%s/api/v1/tiles/mast-7/alpha/%d/%d/%d.png", w.url, z, x, y))
		if err != nil {
			t.Fatal(err)
		}
		picture, err := png.Decode(r.Body)
		r.Body.Close()
		if err != nil || picture.Bounds().Dx() != 256 {
			t.Fatalf("level %d: %v", z, err)
		}
		for i := range 256 * 256 {
			if _, _, _, a := picture.At(i%256, i/256).RGBA(); a > 0 {
				tiles++
				break
			}
		}
	}
	if tiles < 2 {
		t.Errorf("%d of the tiles over the scene show something", tiles)
	}
	if status, _ := w.get("/api/v1/tiles/mast-7/alpha/8/0/0.png"); status != http.StatusOK {
		t.Errorf("a tile far away: %d", status)
	}
}

func TestTheStreamTellsWhatChangesAndResumes(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	listen := func(last string) (*http.Response, func(text string)) {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url+"/api/v1/stream", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Last-Event-ID", last)
		answer, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		return answer, func(text string) {
			t.Helper()
			buffer := make([]byte, 4096)
			for !strings.Contains(got.String(), text) {
				n, err := answer.Body.Read(buffer)
				got.Write(buffer[:n])
				if err != nil {
					t.Fatalf("%q does not come: %v: %s", text, err, got.String())
				}
			}
		}
	}
	now := w.console.index.Notices.Latest()
	live, says := listen("")
	w.putManifest("fresh", w.start)
	says(`"name":"fresh"`)
	live.Body.Close()
	again, says := listen(fmt.Sprint(now))
	says(`"name":"fresh"`)
	again.Body.Close()
	old, says := listen("1")
	says("event: reset")
	old.Body.Close()
}

func TestAStatusShowsWhetherAnEdgeIsThere(t *testing.T) {
	w := newWorld(t, nil)
	w.fill()
	say := func(topic, payload string) {
		w.console.takeStatus(t.Context(), mqtt.Message{Topic: topic, Payload: []byte(payload)})
	}
	say("canvas/v1/mast-7/status", `{"status":"online","edge":"mast-7","version":"1.0"}`)
	say("canvas/v1/mast-8/status", `{"status":"offline","edge":"somebody else"}`)
	say("canvas/v1/mast-9/status", `junk`)
	say("elsewhere", `{"status":"offline"}`)
	_, body := w.get("/")
	if !strings.Contains(body, "1 edge is offline: mast-8") || !strings.Contains(body, "1 edge is online: mast-7") {
		t.Error(body)
	}
	say("canvas/v1/mast-7/status", `{"status":"offline","edge":"mast-7"}`)
	if _, body := w.get("/cameras"); !strings.Contains(body, "unreachable") {
		t.Error("a camera of an edge that is offline is shown as if all were well")
	}
}

func TestAFaultOfAPageIsNoStackTrace(t *testing.T) {
	w := newWorld(t, nil)
	r := httptest.NewRecorder()
	w.console.caught(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("private") })).ServeHTTP(r, httptest.NewRequest(http.MethodGet, "/", nil))
	if r.Code != http.StatusInternalServerError || strings.Contains(r.Body.String(), "private") || !strings.Contains(r.Body.String(), "has a fault") {
		t.Errorf("%d %s", r.Code, r.Body)
	}
}
