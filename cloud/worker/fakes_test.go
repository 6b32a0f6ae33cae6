package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/vision"
)

// world is everything around a worker, in memory: a partitioned log with offsets, leases, an object
// store, and a model whose bad moods are part of the data.
type world struct {
	mu          sync.Mutex
	logs        map[int][]queue.Entry
	offsets     map[int]int64
	grown       chan struct{} // closed and replaced when anything changes
	results     []event.Item
	fences      []coord.Epoch
	deadLetters []queue.DeadLetter
	objects     map[string][]byte
	history     []string // "result <id>", "dead <offset>", "commit <partition> <offset>", "note <note>"
	appends     func() error
	notes       map[string]string
	held        map[string]bool
	epoch       coord.Epoch
	lose        map[string]context.CancelFunc
	barred      bool               // no lease is given: a killed worker does not come back
	before      func(vision.Image) // called for each image that the model sees
	opens       func() error
	size        func(data []byte) int64 // of an item when it is decoded; nil: nothing
	memory      *budget.Bytes
	batches     []int
	deaths      coord.Document
}

func newWorld() *world {
	return &world{
		logs: map[int][]queue.Entry{}, offsets: map[int]int64{}, grown: make(chan struct{}), objects: map[string][]byte{},
		notes: map[string]string{}, held: map[string]bool{}, lose: map[string]context.CancelFunc{},
		deaths: local.NewSpace().Coordinator("workers").Document(ExitReportsDocument),
	}
}

func (w *world) change(do func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	do()
	close(w.grown)
	w.grown = make(chan struct{})
}

// until waits for something to be true of the world.
func (w *world) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	late := time.After(2 * time.Minute)
	for {
		w.mu.Lock()
		ok, grown := is(), w.grown
		w.mu.Unlock()
		if ok {
			return
		}
		select {
		case <-grown:
		case <-late:
			t.Fatalf("waited in vain for: %s\n%v", what, w.history)
		}
	}
}

// put appends an item to a partition.
func (w *world) put(partition int, item event.Item) (entry queue.Entry) {
	key, headers, value := item.Kafka()
	w.change(func() {
		entry = queue.Entry{Topic: event.WorkTopic, Partition: partition, Offset: int64(len(w.logs[partition])), Key: key, Value: value, Headers: headers, Item: item}
		w.logs[partition] = append(w.logs[partition], entry)
	})
	return entry
}

// tile is an item whose data says how decoder and model take it, see Decode.
func tile(n int, mood string) event.Item {
	data := append(binary.BigEndian.AppendUint32(nil, uint32(n)), mood...)
	return event.Item{
		ID: ulid.MustNew(uint64(1_700_000_000_000+n), nil2(n)), Edge: "mast-1", Epoch: "e1", Seq: uint64(n + 1), Kind: event.Tile,
		Stream: "scenes", Subject: fmt.Sprintf("s1/%d_0", n), Time: time.Unix(1_700_000_000, 0).UTC(), Priority: event.Normal,
		Attrs: event.Attrs{Scene: "s1", Tile: fmt.Sprintf("%d_0", n), Want: "segment", TraceParent: "00-1-2-01"},
		Type:  "image/tiff; application=geotiff", SHA256: event.Sum(data), Data: data,
	}
}

type nil2 int

func (n nil2) Read(b []byte) (int, error) { clear(b); b[0] = byte(n); return len(b), nil }

func (w *world) Committed(_ context.Context, _ string, partition int) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.offsets[partition], nil
}

func (w *world) Read(ctx context.Context, _ string, partition int, from int64, handle func([]queue.Entry) error) error {
	for {
		w.mu.Lock()
		log, grown := w.logs[partition], w.grown
		w.mu.Unlock()
		if from < int64(len(log)) {
			some := log[from:min(int64(len(log)), from+7)]
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

func (w *world) Commit(_ context.Context, _ string, partition int, offset int64) error {
	w.change(func() {
		w.history = append(w.history, fmt.Sprintf("commit %d %d", partition, offset))
		w.offsets[partition] = offset
	})
	return nil
}

func (w *world) Append(_ context.Context, fence coord.Epoch, items ...event.Item) (err error) {
	w.change(func() {
		if w.appends != nil {
			if err = w.appends(); err != nil {
				return
			}
		}
		for _, i := range items {
			w.history = append(w.history, "result "+i.Subject)
		}
		w.results = append(w.results, items...)
		w.fences = append(w.fences, fence)
	})
	return err
}

func (w *world) Reject(_ context.Context, deadLetters ...queue.DeadLetter) error {
	w.change(func() {
		for _, l := range deadLetters {
			w.history = append(w.history, "dead "+string(l.Entry.Key))
		}
		w.deadLetters = append(w.deadLetters, deadLetters...)
	})
	return nil
}

func (w *world) Get(_ context.Context, ref string) ([]byte, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	data, ok := w.objects[ref]
	if !ok {
		return nil, fmt.Errorf("object %s: %w", ref, fs.ErrNotExist)
	}
	return data, nil
}

// Size is what the tests say of an item, or nothing.
func (w *world) Size(_ string, data []byte) (int64, error) {
	if w.size == nil {
		return 0, nil
	}
	return w.size(data), nil
}

// Decode gives a 2 x 2 image whose first band holds the item's number and whose second its mood.
func (w *world) Decode(_ string, data []byte) (Picture, error) {
	n, mood := float32(binary.BigEndian.Uint32(data)), string(data[4:])
	switch mood {
	case "undecodable":
		return Picture{}, errors.New("not a TIFF file")
	case "panic":
		panic("index out of range")
	}
	var sick float32
	if mood == "sick" {
		sick = 1
	}
	plane := func(v float32) []float32 { return []float32{v, v, v, v} }
	bands := []string{"blue", "green", "red", "nir", "swir16", "swir22"}
	planes := [][]float32{plane(n), plane(sick), plane(0), plane(0), plane(0), plane(0)}
	switch mood {
	case "4":
		bands, planes = bands[:4], planes[:4]
	case "rgb":
		bands, planes = bands[:3], planes[:3]
		planes[0] = []float32{0.5, 0.1, 0.5, 0.5} // red is 0
	case "gray":
		bands, planes = []string{"gray"}, planes[:1]
	}
	return Picture{Image: vision.Image{W: 2, H: 2, Planes: planes, Bands: bands, Void: []byte{0, 0, 0, 1}}}, nil
}

func (w *world) Describe(name string) (Needs, error) {
	switch name {
	case "six":
		return Needs{Version: "1", Bands: []string{"blue", "green", "red", "nir", "swir16", "swir22"}}, nil
	case "four":
		return Needs{Version: "3", Bands: []string{"blue", "green", "red", "nir"}}, nil
	}
	return Needs{}, errors.New("there is no such model")
}

func (w *world) Open(context.Context, string) (Network, error) {
	if w.opens != nil {
		if err := w.opens(); err != nil {
			return nil, err
		}
	}
	return w, nil
}

func (w *world) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	w.change(func() { w.batches = append(w.batches, len(in)) })
	out := make([]vision.Output, len(in))
	for n := range in {
		if w.before != nil {
			w.before(in[n])
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if in[n].Planes[1][0] == 1 {
			return nil, errors.New("a shape that it can't bear")
		}
		out[n].Mask = vision.Mask{W: 2, H: 2, Class: []byte{0, 1, 2, 0}}
	}
	return out, nil
}

type fakeLease struct {
	w        *world
	name     string
	epoch    coord.Epoch
	previous string
}

func (l fakeLease) Epoch() coord.Epoch { return l.epoch }
func (l fakeLease) Previous() string   { return l.previous }
func (l fakeLease) Note(_ context.Context, note string) error {
	l.w.change(func() {
		l.w.notes[l.name] = note
		l.w.history = append(l.w.history, "note "+note)
	})
	return nil
}

func (w *world) Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error {
	for {
		w.mu.Lock()
		held, grown := w.held[what] || w.barred, w.grown
		if !held {
			w.held[what] = true
			w.epoch++
			l := fakeLease{w, what, w.epoch, w.notes[what]}
			ctx, cancel := context.WithCancel(ctx)
			w.lose[what] = cancel
			w.mu.Unlock()
			w.change(func() {})
			err := own(ctx, l)
			cancel()
			w.change(func() { w.held[what] = false })
			return err
		}
		w.mu.Unlock()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-grown:
		}
	}
}

// changing is an assignment that a test changes.
type changing chan []int

func (c changing) Mine(context.Context) (<-chan []int, error) { return c, nil }

func (w *world) worker(t *testing.T, cfg Config, a Assignments) *Worker {
	t.Helper()
	if cfg.Models == nil {
		cfg.Models = []Choice{{Want: "segment", Model: "six"}, {Want: "segment", Model: "four"}, {Want: "segment", Model: SpectralRGB}}
	}
	registry, err := NewRegistry(cfg, w)
	if err != nil {
		t.Fatal(err)
	}
	made, err := New(cfg, Parts{Queue: w, Results: w, Dead: w, Objects: w, Decoder: w, Memory: w.memory, Models: registry, Leases: w, Assignments: a, ExitReports: w.deaths})
	if err != nil {
		t.Fatal(err)
	}
	made.pause = func(ctx context.Context, _ time.Duration) error { return retry.Sleep(ctx, time.Millisecond) }
	return made
}

// start runs a worker until the test or the returned function ends it.
func start(t *testing.T, w *Worker) (stop func() error) {
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx) }()
	var once sync.Once
	var err error
	stop = func() error {
		once.Do(func() { cancel(); err = <-ended })
		return err
	}
	t.Cleanup(func() { stop() })
	return stop
}
