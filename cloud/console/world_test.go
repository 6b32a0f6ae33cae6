package console

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/web"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/raster"
)

var errAway = errors.New("dial tcp: connection refused")

// world is a console over a Kafka in memory.
type world struct {
	testing.TB
	log      *fakeLog
	console  *Console
	url      string
	products string
	config   Config
	stop     func() // the console; run starts another
	seq      uint64
	edge     string // whose items are put; mast-7 at first
	start    time.Time
	models   *cluster
	space    *local.Space
	lineage  web.Lineage
}

// lenient are checks that let through what can be read.
type lenient struct{}

func (lenient) Message(_ string, payload []byte) (event.Item, error) {
	i, err := event.UnmarshalMQTT(payload)
	if err == nil {
		err = i.Verify()
	}
	return i, err
}
func (lenient) Item(i event.Item) error { return i.Verify() }

// command is what canvas-cloud dlq does, over the same log and coordinator.
func (w *world) command(who string) deadletter.Actions {
	return deadletter.Actions{Log: w.log, Group: w.space.Coordinator(who), Checks: lenient{}, By: who}
}

// newWorld runs a console until the test ends. adjust may change its settings; nil leaves them.
func newWorld(t testing.TB, adjust func(*Config)) *world {
	t.Helper()
	w := &world{TB: t, edge: "mast-7", log: newFakeLog(), products: t.TempDir(), config: DefaultConfig(), start: time.Now().Add(-10 * time.Minute).UTC().Truncate(time.Millisecond)}
	w.config.Listen, w.config.Data, w.config.RequestsPerSecond = "127.0.0.1:0", t.TempDir(), 5000
	if adjust != nil {
		adjust(&w.config)
	}
	w.models, w.space = newCluster(t), local.NewSpace()
	w.run()
	return w
}

// run starts the console; it stops when the test ends, or by w.stop.
func (w *world) run() {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	console, err := New(ctx, w.config, Parts{Log: w.log, Products: w.products, Group: fakeGroup{}, Device: fakeDevice{}, Models: w.models, Version: "test",
		Dead: w.command("console"), Lineage: w.lineage, lookEvery: 100 * time.Millisecond})
	if err != nil {
		cancel()
		w.Fatal(err)
	}
	w.console = console
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() { done <- console.Run(ctx, func(url string) { ready <- url }) }()
	select {
	case url := <-ready:
		w.url = strings.TrimSuffix(url, "/")
	case err := <-done:
		cancel()
		w.Fatal(err)
	}
	w.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			w.Error(err)
		}
		console.Close()
		http.DefaultClient.CloseIdleConnections()
	})
	w.Cleanup(w.stop)
}

// put appends an item of the edge to its topic.
func (w *world) put(kind event.Kind, stream, subject string, at time.Time, attrs event.Attrs, media string, data []byte) event.Item {
	w.Helper()
	w.seq++
	i := event.Item{ID: event.NewID(at), Edge: w.edge, Epoch: "00ff00ff00ff00ff", Seq: w.seq, Kind: kind, Stream: stream, Subject: subject, Time: at,
		Attrs: attrs, Type: media, SHA256: event.Sum(data), Data: data}
	if err := w.log.Append(context.Background(), kafka.RecordOf(i)); err != nil {
		w.Fatal(err)
	}
	return i
}

func (w *world) putJSON(kind event.Kind, stream, subject string, at time.Time, attrs event.Attrs, v any) event.Item {
	w.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	return w.put(kind, stream, subject, at, attrs, "application/json", data)
}

// Where the test's scenes lie: west of Freiburg, in UTM 32.
const sceneSide = 400

func placeOf(t testing.TB) raster.Georef {
	t.Helper()
	g, err := raster.UTM(32, true, 390000, 5340000, 10)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// putScene sends a scene's manifest, quicklook and product, whose files it makes.
func (w *world) putScene(id string, captured time.Time) {
	w.Helper()
	w.putManifest(id, captured)
	folder := fmt.Sprintf("scene-%x", event.Sum([]byte(id)))[:24]
	w.writeProduct(folder, id, captured)
	w.putProduct(id, folder, captured)
}

func (w *world) putManifest(id string, captured time.Time) {
	w.Helper()
	g := placeOf(w)
	m := event.Manifest{ID: id, Width: sceneSide, Height: sceneSide, Bands: []string{"blue"}, DataType: "uint16", Georef: event.Georef(g),
		Grid: event.SceneGrid{Size: 200, Cols: 2, Rows: 2}, FileBytes: 5 << 20, Captured: captured, Screening: "spectral", Tiles: []event.TileDecision{
			{Tile: "0_0", Decision: "sent", Cloud: 0.2, Value: 0.9, Bytes: 4000}, {Tile: "1_0", Decision: "sent", Value: 0.5, Bytes: 3000},
			{Tile: "0_1", Decision: "dropped", Reason: "cloud", Cloud: 1}, {Tile: "1_1", Decision: "dropped", Reason: "nodata", NoData: 1}}}
	w.put(event.Frame, id, id+"/quicklook", captured, event.Attrs{Scene: id}, "image/jpeg", jpegOf(w, 300, 300))
	w.putJSON(event.Scene, id, id, captured, event.Attrs{Scene: id}, m)
}

func (w *world) putProduct(id, folder string, captured time.Time) {
	cloud := 0.31
	w.putJSON(event.Product, id, id, captured, event.Attrs{Scene: id}, index.Product{Kind: "scene", Name: id, Edge: w.edge, Folder: folder, Complete: true,
		Files: []string{"item.json", "mask.geojson", "mask.tif", "quicklook.png", "tiles.json"}, Missing: []string{}, Models: []string{"ukis 1"},
		Scene: &index.Figures{Width: sceneSide, Height: sceneSide, Tiles: 4, Sent: 2, Results: 2, Dropped: map[string]int{"cloud": 1, "nodata": 1},
			SceneBytes: 5 << 20, UplinkedBytes: 7000, CloudFraction: &cloud}})
}

func (w *world) writeProduct(folder, id string, captured time.Time) {
	w.Helper()
	dir := filepath.Join(w.products, folder)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		w.Fatal(err)
	}
	g := placeOf(w)
	mask, err := raster.CreateMask(filepath.Join(w.TempDir(), "work.tif"), sceneSide, sceneSide, g)
	if err != nil {
		w.Fatal(err)
	}
	defer mask.Close()
	class := make([]byte, sceneSide*sceneSide)
	for i := range class {
		switch x, y := i%sceneSide, i/sceneSide; {
		case x > 200 && y > 200:
			class[i] = 255
		case x > 50 && x < 150 && y > 50 && y < 150:
			class[i] = 2
		case x > 160 && x < 190 && y > 50 && y < 150:
			class[i] = 1
		}
	}
	if err := mask.Write(raster.Window{W: sceneSide, H: sceneSide}, class); err != nil {
		w.Fatal(err)
	}
	if err := mask.Finish(filepath.Join(dir, "mask.tif")); err != nil {
		w.Fatal(err)
	}
	ring, err := raster.Footprint(g, raster.Window{W: sceneSide, H: sceneSide})
	if err != nil {
		w.Fatal(err)
	}
	box := raster.Bounds(ring)
	w.file(dir, "item.json", object{"type": "Feature", "stac_version": "1.1.0", "stac_extensions": []string{}, "id": id, "bbox": box[:],
		"geometry":   object{"type": "Polygon", "coordinates": [][][2]float64{ring}},
		"properties": object{"datetime": captured.Format(time.RFC3339Nano)},
		"links":      []object{{"rel": "alternate", "href": "./mask.geojson"}},
		"assets":     object{"mask": object{"href": "./mask.tif", "type": "image/tiff"}, "gone": object{"href": "./gone.tif"}}})
	w.file(dir, "tiles.json", []products.TileFate{
		{Tile: "0_0", Decision: "sent", Score: 0.9, Cloud: 0.2, Bytes: 4000, State: "result", Model: "ukis 1"}, {Tile: "1_0", Decision: "sent", State: "missing"},
		{Tile: "0_1", Decision: "dropped", Reason: "cloud", Cloud: 1, State: "dropped"}, {Tile: "1_1", Decision: "dropped", Reason: "nodata", NoData: 1, State: "dropped"}})
	w.file(dir, "mask.geojson", object{"type": "FeatureCollection", "features": []object{
		{"type": "Feature", "properties": object{"class": "cloud", "area_m2": 980100.0}, "geometry": nil},
		{"type": "Feature", "properties": object{"class": "cloud", "area_m2": 19900.0}, "geometry": nil},
		{"type": "Feature", "properties": object{"class": "shadow", "area_m2": 287100.0}, "geometry": nil}}})
	w.file(dir, "quicklook.png", object{})
}

func (w *world) file(dir, name string, v any) {
	w.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		w.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
		w.Fatal(err)
	}
}

// putCamera sends a camera's frame, boxes, a track with its snapshot, and an alert.
func (w *world) putCamera(camera string, at time.Time) {
	w.Helper()
	w.putJSON(event.Result, camera, camera, at, event.Attrs{}, event.Detections{Camera: camera, Model: "yolox_nano", Width: 640, Height: 480, First: 0, Last: 1,
		Frames: []event.FrameDetection{{Frame: 0, Time: at}, {Frame: 1, Time: at.Add(100 * time.Millisecond),
			Boxes: []event.Box{{Label: "person", CategoryID: 1, BBox: [4]float32{100, 120, 60, 160}, Score: 0.91}, {Label: "dog", BBox: [4]float32{1, 1, 9, 9}, Score: 0.1}}}}})
	w.put(event.Frame, camera, camera+"/frame-1", at, event.Attrs{}, "image/jpeg", jpegOf(w, 640, 480))
	end := float64(at.Add(4*time.Second).UnixMilli()) / 1000
	state := event.TrackState{ID: "t1", Camera: camera, Label: "person", Score: 0.9, TopScore: 0.93, Box: [4]float32{100, 120, 60, 160}, StartTime: float64(at.UnixMilli()) / 1000, Frame: 1, Frames: 2}
	w.putJSON(event.Track, camera, camera+"/t1", at, event.Attrs{}, event.TrackEvent{Type: event.TrackNew, After: &state})
	ended := state
	ended.EndTime = &end
	w.putJSON(event.Track, camera, camera+"/t1", at, event.Attrs{}, event.TrackEvent{Type: event.TrackEnd, Before: &state, After: &ended})
	w.put(event.Crop, camera, camera+"/t1", at, event.Attrs{}, "image/jpeg", jpegOf(w, 60, 160))
	w.putJSON(event.Alert, camera, camera+"/t1", at, event.Attrs{}, object{"camera": camera, "label": "person", "track": "t1", "score": 0.9})
}

// putDeadLetter writes a dead letter as a worker does.
func (w *world) putDeadLetter(topic string, value []byte, reason string) {
	w.Helper()
	err := w.log.Append(context.Background(), kafka.Record{Topic: event.DLQTopic, Key: []byte("k"), Value: value, Headers: []event.Header{
		{Key: "kept", Value: []byte("yes")}, {Key: "__connect.errors.topic", Value: []byte(topic)}, {Key: "__connect.errors.stage", Value: []byte("TRANSFORMATION")},
		{Key: "__connect.errors.connector.name", Value: []byte("canvas-worker")}, {Key: "__connect.errors.exception.message", Value: []byte(reason)}}})
	if err != nil {
		w.Fatal(err)
	}
}

// freeAddress is one that a console can be started at again.
func freeAddress(t testing.TB) string {
	t.Helper()
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer probe.Close()
	return probe.Addr().String()
}

func jpegOf(t testing.TB, width, height int) []byte {
	t.Helper()
	picture := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range width * height {
		picture.Set(i%width, i/width, color.RGBA{uint8(i % width), uint8(i / width), 120, 255})
	}
	var out bytes.Buffer
	if err := jpeg.Encode(&out, picture, nil); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// caughtUp waits until the index has all that Kafka has.
func (w *world) caughtUp() {
	w.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		_, _, _, more := w.console.index.Notices.Since(w.console.index.Notices.Latest())
		if n, err := w.console.index.Behind(context.Background()); err == nil && n == 0 {
			return
		}
		select {
		case <-more:
		case <-time.After(5 * time.Millisecond): // records that make no notice
		}
		if time.Now().After(deadline) {
			w.Fatal("the index does not catch up with Kafka")
		}
	}
}

// get asks for a page and gives its status and body.
func (w *world) get(path string) (int, string) {
	w.Helper()
	r, err := http.Get(w.url + path)
	if err != nil {
		w.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.Fatal(err)
	}
	return r.StatusCode, string(body)
}

// json asks for a path and decodes the answer, which must be a good one.
func (w *world) json(path string, into any) {
	w.Helper()
	status, body := w.get(path)
	if status != http.StatusOK {
		w.Fatalf("%s: %d %s", path, status, body)
	}
	if err := json.Unmarshal([]byte(body), into); err != nil {
		w.Fatalf("%s: %v: %s", path, err, body)
	}
}

// fill puts some of everything.
func (w *world) fill() {
	w.Helper()
	w.putScene("alpha", w.start)
	w.putScene("beta", w.start.Add(time.Minute))
	w.putManifest("gamma", w.start.Add(2*time.Minute))
	w.putCamera("gate", time.Now().UTC())
	for i := range 50 {
		w.putJSON(event.Reading, "wind", "wind", w.start.Add(time.Duration(i)*time.Second), event.Attrs{},
			event.ReadingData{Sensor: "wind", Values: map[string]float64{"value": float64(i % 7)}})
	}
	for n, state := range []string{"begin", "end"} {
		w.putJSON(event.Alert, "wind", "wind/value", w.start.Add(time.Duration(20+5*n)*time.Second), event.Attrs{},
			object{"sensor": "wind", "value": "value", "side": "above", "state": state, "reading": 6, "limit": 5})
	}
	w.putJSON(event.Ack, "outbox", "", w.start, event.Attrs{}, event.DropReport{Drops: []event.Drop{{Seq: 9999, Kind: event.Frame, Stream: "gate", Bytes: 5000, Reason: "quota"}}})
	w.putDeadLetter(event.WorkTopic, []byte("not a tile"), "the tile can't be decoded")
	w.caughtUp()
}

// database is the index's own, beside the console.
func (w *world) database() *sql.DB {
	w.Helper()
	db, err := sql.Open("sqlite", durable.SQLiteURI(filepath.Join(w.config.Data, "index.db"))+"?_txlock=immediate&_pragma=busy_timeout(60000)")
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { db.Close() })
	return db
}

// number is what a query counts.
func (w *world) number(query string) (n int64) {
	w.Helper()
	if err := w.database().QueryRow(query).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}
