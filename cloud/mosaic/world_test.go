package mosaic

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

var noon = time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)

// id is an item's id: later numbers are greater.
func id(n int) ulid.ULID {
	var u ulid.ULID
	u.SetTime(uint64(1_750_000_000_000 + n))
	u[15] = byte(n)
	return u
}

func utm(t testing.TB) event.Georef {
	t.Helper()
	g, err := raster.UTM(32, true, 600_000, 5_400_000, 10)
	if err != nil {
		t.Fatal(err)
	}
	return event.Georef(g)
}

// plan is a scene of 300 x 180, cut into 6 x 4 windows of 64 pixels that overlap by 8 and begin 5
// pixels outside. Two tiles are
// dropped as cloud, one as no data.
func plan(t testing.TB) event.Manifest {
	return planOf(t, raster.Grid{Width: 300, Height: 180, Size: 64, Overlap: 8, Margin: 5})
}

// planOf is the scene of plan cut otherwise.
func planOf(t testing.TB, grid raster.Grid) event.Manifest {
	m := event.Manifest{
		ID: "s1", Width: grid.Width, Height: grid.Height, Bands: []string{"blue", "green", "red", "nir"}, DataType: "UInt16",
		Georef: utm(t), Grid: event.SceneGridOf(grid),
		FileBytes: 1 << 20, Screening: "spectral test", Captured: noon,
	}
	for tile := range grid.Tiles() {
		d := event.TileDecision{Tile: tile.Name(), Decision: event.TileSent, Cloud: 0.1, Value: 0.9, Bytes: 1000}
		switch d.Tile {
		case "0_0", "1_0":
			d.Decision, d.Reason, d.Cloud, d.Bytes = event.TileDropped, event.DroppedCloud, 0.95, 0
		case "4_2":
			d.Decision, d.Reason, d.NoData, d.Cloud, d.Bytes = event.TileDropped, event.DroppedNoData, 1, 0, 0
		}
		m.Tiles = append(m.Tiles, d)
	}
	return m
}

func itemOf(n int, kind event.Kind, subject, media string, data []byte, a event.Attrs) event.Item {
	return event.Item{
		ID: id(n), Edge: "mast-1", Epoch: "e1", Seq: uint64(n + 1), Kind: kind, Stream: "scenes", Subject: subject,
		Time: noon.Add(time.Duration(n) * time.Millisecond), Attrs: a, Type: media, SHA256: event.Sum(data), Data: data,
	}
}

func manifestItem(t testing.TB, n int, m event.Manifest) event.Item {
	data, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return itemOf(n, event.Scene, m.ID, "application/json", data, event.Attrs{Scene: m.ID})
}

func quicklookItem(t testing.TB, n int) event.Item {
	picture := image.NewRGBA(image.Rect(0, 0, 150, 90))
	for y := range 90 {
		for x := range 150 {
			picture.Set(x, y, color.RGBA{uint8(40 + x), uint8(70 + y), 60, 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, picture, nil); err != nil {
		t.Fatal(err)
	}
	return itemOf(n, event.Frame, "s1", "image/jpeg", b.Bytes(), event.Attrs{Scene: "s1"})
}

// truth is the class that the tests' model finds at a pixel of the scene.
func truth(x, y int) byte {
	switch {
	case (x-150)*(x-150)+(y-90)*(y-90) < 50*50:
		return vision.Cloud
	case (x-170)*(x-170)+(y-110)*(y-110) < 50*50:
		return vision.Shadow
	}
	return vision.Clear
}

// resultItem is what the model found in a tile. salt makes another id.
func resultItem(t testing.TB, m event.Manifest, name string, n int, find func(x, y int) byte) event.Item {
	grid := m.Grid.Of(m.Width, m.Height)
	at, ok := grid.Find(name)
	if !ok {
		t.Fatalf("no tile %s", name)
	}
	// Two planes, shadow and cloud, as sure as can be.
	g := image.NewGray(image.Rect(0, 0, at.Held.W, 2*at.Held.H))
	for y := range at.Held.H {
		for x := range at.Held.W {
			class := find(at.Held.X+x, at.Held.Y+y)
			for plane := range 2 {
				switch v := &g.Pix[(plane*at.Held.H+y)*g.Stride+x]; class {
				case vision.NoData:
					*v = vision.NoData
				case byte(plane + 1):
					*v = vision.ProbabilityOne
				}
			}
		}
	}
	var b bytes.Buffer
	if err := png.Encode(&b, g); err != nil {
		t.Fatal(err)
	}
	i := itemOf(n, event.Result, "s1/"+name, "image/png", b.Bytes(), event.Attrs{Scene: "s1", Tile: name, Model: "six", ModelVersion: "1"})
	i.Epoch, i.Seq = "", 0
	return i
}

// sceneItems is everything about the scene of plan, results first.
func sceneItems(t testing.TB) []event.Item {
	m := plan(t)
	var items []event.Item
	for _, d := range m.Tiles {
		if d.Decision == event.TileSent {
			items = append(items, resultItem(t, m, d.Tile, len(items), truth))
		}
	}
	return append(items, quicklookItem(t, 100), manifestItem(t, 101, m))
}

// log is the topics in memory.
type log struct {
	mu        sync.Mutex
	topics    map[string][]queue.Entry
	committed map[string]int64
	grown     chan struct{}
	products  []event.Item
	retired   []string
	objects   map[string][]byte
	announced func() error
}

func newLog() *log {
	return &log{topics: map[string][]queue.Entry{}, committed: map[string]int64{}, grown: make(chan struct{}), objects: map[string][]byte{}}
}

func (l *log) put(topic string, items ...event.Item) {
	var entries []queue.Entry
	for _, i := range items {
		_, key := event.Route(i)
		entries = append(entries, queue.Entry{Topic: topic, Key: []byte(key), Item: i})
	}
	l.append(entries...)
}

func (l *log) append(entries ...queue.Entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range entries {
		e.Offset = int64(len(l.topics[e.Topic]))
		l.topics[e.Topic] = append(l.topics[e.Topic], e)
	}
	close(l.grown)
	l.grown = make(chan struct{})
}

// tell puts items where they are routed.
func (l *log) tell(items ...event.Item) {
	for _, i := range items {
		topic, _ := event.Route(i)
		l.put(topic, i)
	}
}

// deadLetter puts a dead letter, with its reason: who reads it must never see it without.
func (l *log) deadLetter(i event.Item, reason string) {
	l.append(queue.Entry{Topic: event.DLQTopic, Item: i, Reason: reason})
}

func (l *log) Partitions(context.Context, string) (int, error) { return 1, nil }
func (l *log) Committed(_ context.Context, topic string, _ int) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.committed[topic], nil
}

func (l *log) Commit(_ context.Context, topic string, _ int, offset int64) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.committed[topic] = offset
	return nil
}

func (l *log) Read(ctx context.Context, topic string, _ int, from int64, handle func([]queue.Entry) error) error {
	for {
		l.mu.Lock()
		all, grown := l.topics[topic], l.grown
		l.mu.Unlock()
		if some := all[min(from, int64(len(all))):]; len(some) > 0 {
			if err := handle(slices.Clone(some)); err != nil {
				return err
			}
			from += int64(len(some))
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

func (l *log) Scan(_ context.Context, topic string, _ int, handle func(queue.Entry) error) error {
	l.mu.Lock()
	all := slices.Clone(l.topics[topic])
	l.mu.Unlock()
	for _, e := range all {
		if err := handle(e); err != nil {
			return err
		}
	}
	return nil
}

func (l *log) Retire(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.retired = append(l.retired, key)
	return nil
}

func (l *log) Announce(_ context.Context, product event.Item) error {
	l.mu.Lock()
	if l.announced != nil {
		if err := l.announced(); err != nil {
			l.mu.Unlock()
			return err
		}
	}
	l.products = append(l.products, product)
	l.mu.Unlock()
	l.put(event.ProductsTopic, product)
	return nil
}

func (l *log) Get(_ context.Context, ref string) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if data, ok := l.objects[ref]; ok {
		return data, nil
	}
	return nil, fmt.Errorf("object %s: %w", ref, fs.ErrNotExist)
}

func (l *log) made(t testing.TB) (all []Product) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, i := range l.products {
		if err := i.Check(); err != nil {
			t.Fatal(err)
		}
		p, err := ParseProduct(i)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// run starts a mosaic over the log until the test or the returned function ends it.
func (l *log) run(t *testing.T, cfg Config, out string) (stop func()) {
	t.Helper()
	cfg.WorkDir = t.TempDir()
	m, err := New(cfg, Parts{Queue: l, Products: l, Objects: l, Store: Folder(out), Annotator: annotator{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// annotator writes down how many boxes it was to draw, and which marks.
type annotator struct{}

func (annotator) Draw(jpeg []byte, boxes []vision.Box, marks []vision.Mark) ([]byte, error) {
	return fmt.Appendf(nil, "%s with %d boxes, %v", jpeg, len(boxes), marks), nil
}
