package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
)

func newTestQueries(t *testing.T, b *fakeBuffer) *queries {
	t.Helper()
	s, err := openSceneIndex(filepath.Join(t.TempDir(), "scenes.json"))
	if err != nil {
		t.Fatal(err)
	}
	return newQueries(b, s, &captureRequests{}, slog.New(slog.DiscardHandler))
}

// serve asks in words and gives the answer.
func serve(t *testing.T, q *queries, b *fakeBuffer, words string) (a event.QueryAnswer) {
	t.Helper()
	query, err := event.ParseQuery([]byte(words))
	if err != nil {
		t.Fatal(err)
	}
	if err := q.answer(t.Context(), query); err != nil {
		t.Fatal(err)
	}
	for _, answer := range b.of(event.Answer) {
		if answer.Subject == query.ID {
			if err := json.Unmarshal(answer.Data, &a); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a
}

func TestATileThatWasLeftOutCanBeAskedFor(t *testing.T) {
	buf := &fakeBuffer{}
	q := newTestQueries(t, buf)
	path := scene(t, t.TempDir()+"/field.tif", 500_000, 1, 0)
	if err := q.scenes.put(indexedScene{Scene: "field", Path: path, File: fileKey(path), Options: sceneOptions}); err != nil {
		t.Fatal(err)
	}
	again, err := openSceneIndex(q.scenes.path) // also after a restart
	if err != nil {
		t.Fatal(err)
	}
	q.scenes = again
	for range 2 { // the broker may bring a query twice
		if a := serve(t, q, buf, `{"id":"q1","scene":"field","tile":"1_0"}`); a.Answer != event.QuerySent || a.Items != 1 {
			t.Errorf("%+v", a)
		}
	}
	tiles := buf.of(event.Tile)
	if len(tiles) != 1 || len(buf.of(event.Answer)) != 1 {
		t.Fatalf("%d tiles, %d answers", len(tiles), len(buf.of(event.Answer)))
	}
	whole := &fakeBuffer{}
	read(t, path, nil, whole)
	sent := whole.of(event.Tile)
	sent = sent[slices.IndexFunc(sent, func(d draft) bool { return d.Attrs.Tile == "1_0" }):]
	if asked := tiles[0]; asked.Priority != event.High || asked.Subject != "field/1_0" || asked.Attrs.Tile != "1_0" ||
		asked.Attrs.Want != "segment" || string(asked.Data) != string(sent[0].Data) {
		t.Errorf("%+v is not the tile that a scene gives", asked.Subject)
	}
	if a := serve(t, q, buf, `{"id":"q2","scene":"field","tile":"9_9"}`); a.Answer != event.QueryUnknown || !strings.Contains(a.Problem, "no tile \"9_9\"") {
		t.Errorf("outside the grid: %+v", a)
	}
	if err := os.WriteFile(path, []byte("another file"), 0o600); err != nil {
		t.Fatal(err)
	}
	if a := serve(t, q, buf, `{"id":"q3","scene":"field","tile":"1_0"}`); a.Answer != event.QueryUnknown || !strings.Contains(a.Problem, "gone, or has been replaced") {
		t.Errorf("another file: %+v", a)
	}
}

func TestWhatWaitsIsRaisedAndNotReadAgain(t *testing.T) {
	buf := &fakeBuffer{raised: map[string]int{"field/1_0": 1, "gate/17.5-1": 2, "gate/frame-8": 1}}
	q := newTestQueries(t, buf)
	q.readTile = func(string, string, capture.SceneOptions, string) (capture.Picture, error) {
		t.Error("the scene was read")
		return capture.Picture{}, errors.New("no")
	}
	for words, want := range map[string]event.QueryAnswer{
		`{"id":"a","scene":"field","tile":"1_0"}`:     {Answer: event.QueryRaised, Items: 1},
		`{"id":"b","camera":"gate","track":"17.5-1"}`: {Answer: event.QueryRaised, Items: 2},
		`{"id":"c","camera":"gate","frame":8}`:        {Answer: event.QueryRaised, Items: 1},
		`{"id":"d","camera":"gate","frame":9}`:        {Answer: event.QueryUnknown},
		`{"id":"e","scene":"lake","tile":"1_0"}`:      {Answer: event.QueryUnknown},
		`{"id":"f","camera":"gate","frame":"now"}`:    {Answer: event.QueryUnknown},
	} {
		if a := serve(t, q, buf, words); a.Answer != want.Answer || a.Items != want.Items || (a.Problem != "") != (a.Answer == event.QueryUnknown) {
			t.Errorf("%s: %+v", words, a)
		}
	}
}

func TestACameraIsAskedForItsNextPictureOnce(t *testing.T) {
	buf := &fakeBuffer{}
	q := newTestQueries(t, buf)
	q.requests.addSource("gate")
	for range 3 {
		if a := serve(t, q, buf, `{"id":"x","camera":"gate","frame":"now"}`); a.Answer != event.QueryAsked {
			t.Errorf("%+v", a)
		}
	}
	if keys := q.requests.take("gate", time.Now()); len(keys) != 1 || keys[0] != "query/x/frame" {
		t.Errorf("%q", keys)
	}
	if keys := q.requests.take("gate", time.Now()); len(keys) != 0 {
		t.Errorf("a second time: %q", keys)
	}
}

func TestRequestsAreBoundedAndDoNotWaitForEver(t *testing.T) {
	r := &captureRequests{}
	r.addSource("gate")
	now := time.Unix(1e9, 0)
	for i := range 2 * maxRequests {
		if r.add("gate", fmt.Sprint(i), now) != (i < maxRequests) {
			t.Errorf("request %d", i)
		}
	}
	if keys := r.take("gate", now.Add(requestFor)); len(keys) != 0 {
		t.Errorf("after %s: %q", requestFor, keys)
	}
	if r.add("yard", "a", now) {
		t.Error("a source that is not there")
	}
}

func TestQueriesNeverBlockAndAFullBufferLeavesThemUnanswered(t *testing.T) {
	buf := &fakeBuffer{full: errors.New("full")}
	q := newTestQueries(t, buf)
	for i := range 2 * maxWaitingQueries {
		q.receive(fmt.Appendf(nil, `{"id":"%d","scene":"a","tile":"1_1"}`, i))
		q.receive([]byte("{"))
	}
	if len(q.waiting) != maxWaitingQueries {
		t.Errorf("%d wait", len(q.waiting))
	}
	if err := q.answer(t.Context(), <-q.waiting); err == nil {
		t.Error("an answer that could not be committed")
	}
}

func TestABrokenSceneIndexIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "scenes.json")
	for _, text := range []string{"{", `{"a":1}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := openSceneIndex(path)
		if err == nil {
			t.Errorf("%q was taken", text)
		}
		if err := s.put(indexedScene{Scene: "a"}); err != nil {
			t.Error(err)
		}
		if _, ok := s.find("a"); !ok {
			t.Error("it can't be used")
		}
	}
}

func TestTheSceneIndexIsBounded(t *testing.T) {
	s := &sceneIndex{path: filepath.Join(t.TempDir(), "scenes.json"), list: make([]indexedScene, maxIndexedScenes)}
	for _, id := range []string{"a", "b", "a"} {
		if err := s.put(indexedScene{Scene: id}); err != nil {
			t.Fatal(err)
		}
	}
	if len(s.list) != maxIndexedScenes || s.list[maxIndexedScenes-1].Scene != "a" || s.list[maxIndexedScenes-2].Scene != "b" {
		t.Errorf("%d scenes, the last %+v", len(s.list), s.list[maxIndexedScenes-2:])
	}
}

// TestATileOfAnEarlierProgramsSceneIsSentAsThatProgramDid asks for a tile of a scene that was cut before tiles were
// groups of windows: the cloud has its manifest, and takes a window with its mirrored border for the tile.
func TestATileOfAnEarlierProgramsSceneIsSentAsThatProgramDid(t *testing.T) {
	buf := &fakeBuffer{}
	q := newTestQueries(t, buf)
	path := scene(t, t.TempDir()+"/field.tif", 500_000, 1, 0)
	index := fmt.Sprintf(`[{"scene":"field","path":%q,"file":%q,"options":{"TileSize":80,"Overlap":8,"Margin":5,"Need":null,"Want":"","Ahead":0}}]`, path, fileKey(path))
	if err := os.WriteFile(q.scenes.path, []byte(index), 0o600); err != nil {
		t.Fatal(err)
	}
	var err error
	if q.scenes, err = openSceneIndex(q.scenes.path); err != nil {
		t.Fatal(err)
	}
	if a := serve(t, q, buf, `{"id":"q1","scene":"field","tile":"1_0"}`); a.Answer != event.QuerySent {
		t.Fatalf("%+v", a)
	}
	tiles := buf.of(event.Tile)
	if len(tiles) != 1 || !strings.HasPrefix(tiles[0].Type, "image/tiff") {
		t.Fatalf("%d tiles", len(tiles))
	}
	im, err := raster.DecodeTile(tiles[0].Data, 256*256)
	if err != nil {
		t.Fatal(err)
	}
	s, err := raster.Open(path, raster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	want, err := s.ReadMirrored(raster.Window{X: 72 - 5, Y: -5, W: 80, H: 80}, im.Bands)
	if err != nil || im.W != 80 || im.H != 80 || !slices.Equal(im.Planes[0], want.Planes[0]) {
		t.Errorf("%v: %d x %d pixels, not those of the earlier grid", err, im.W, im.H)
	}
}
