package references

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/vision"
)

const grid ground.System = "EPSG:32632 10 0 0 -10 0 0 blue,red"

var quiet = slog.New(slog.DiscardHandler)

// objects is a folder store that fails, or stands still, when it is told to.
type objects struct {
	*store.Store
	puts  int           // that succeed yet; negative: all
	stand chan struct{} // until it is closed nothing is written; nil: at once
}

var errStore = errors.New("the store is away")

func (o *objects) Put(ctx context.Context, key string, data []byte) error {
	if o.stand != nil {
		select {
		case <-o.stand:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if o.puts == 0 {
		return errStore
	}
	o.puts--
	return o.Store.Put(ctx, key, data)
}

func newObjects(t testing.TB) *objects {
	t.Helper()
	s, err := store.Open(t.Context(), "file://"+t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return &objects{Store: s, puts: -1}
}

// all gives every object but the lists, whose numbers tell the order of things.
func (o *objects) all(t testing.TB) string {
	t.Helper()
	keys, err := o.Keys(t.Context(), "references/")
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, key := range keys {
		data, err := o.Get(t.Context(), key, maxIndex)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(key, "/index") {
			fmt.Fprintf(&b, "%s %x\n", key, data)
		}
	}
	return b.String()
}

// tile is what an item shows: a square of 300 pixels at a column, seen at a second, half of it under a cloud.
func tile(n int, edge string, col int64, second int64) (*event.Item, ground.Overview) {
	const side = 300
	r := rand.New(rand.NewPCG(uint64(n), 1))
	im := vision.Image{W: side, H: side, Bands: []string{"blue", "red"}, Planes: [][]float32{make([]float32, side*side), make([]float32, side*side)}}
	hidden := make([]byte, side*side)
	for i := range hidden {
		im.Planes[0][i], im.Planes[1][i] = 0.3*r.Float32(), 0.3*r.Float32()
		if (i%side < side/2) == (n%2 == 0) {
			hidden[i] = ground.Covered
		}
	}
	ov := ground.Of(im, hidden, ground.Place{System: grid, At: ground.Pixel{Col: col}, Inside: ground.Rect{W: side, H: side}})
	return &event.Item{ID: ulid.MustNew(uint64(n), nil), Edge: edge, Time: time.Unix(second, 0).UTC(), Attrs: event.Attrs{Scene: fmt.Sprint("scene-", second)}}, ov
}

// seenBy writes what a worker saw of a tile.
func seenBy(t testing.TB, o Objects, item *event.Item, ov ground.Overview) {
	t.Helper()
	k, err := NewKeeper(o, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	k.Keep(item, grid, ov)
	if err := k.write(t.Context(), <-k.queue); err != nil {
		t.Fatal(err)
	}
}

func merger(t testing.TB, o Objects, c Config) *Merger {
	t.Helper()
	m, err := NewMerger(c, o, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	m.now = func() time.Time { return time.Unix(2000, 0) }
	if err := m.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	return m
}

func testConfig() Config {
	c := DefaultConfig()
	c.QuotaBytes = 1 << 30
	return c
}

// TestTheSameViewsComeOfTheSameTiles merges tiles in any order, some of them twice, with crashes at each write.
func TestTheSameViewsComeOfTheSameTiles(t *testing.T) {
	want := ""
	for round := range 8 {
		o := newObjects(t)
		r := rand.New(rand.NewPCG(uint64(round), 2))
		tiles := r.Perm(6)
		if round > 0 {
			tiles = append(tiles, tiles[:3]...)
		}
		m := merger(t, o, testConfig())
		for i, n := range tiles {
			item, ov := tile(n, "a", int64(n/2)*200, 100+int64(n%3))
			seenBy(t, o, item, ov)
			if i%2 == 0 && round > 0 {
				continue
			}
			for writes := r.IntN(4); round > 1; writes++ { // one more each time
				o.puts = writes
				if _, err := m.pass(t.Context()); err == nil {
					break
				} else if !errors.Is(err, errStore) {
					t.Fatal(err)
				}
				m = merger(t, o, testConfig())
			}
			o.puts = -1
		}
		if more, err := merger(t, o, testConfig()).pass(t.Context()); err != nil || more {
			t.Fatal(more, err)
		}
		got := o.all(t)
		if want == "" {
			want = got
		}
		if got != want || strings.Count(got, "\n") < 3 || strings.Contains(got, prefixNew) {
			t.Fatalf("round %d: %d objects, other bytes than those of the first round", round, strings.Count(got, "\n"))
		}
		x, err := readIndex(t.Context(), o, indexKey(grid))
		if err != nil || len(x.blocks) != strings.Count(got, "\n") {
			t.Errorf("the list has %d views of %d: %v", len(x.blocks), strings.Count(got, "\n"), err)
		}
	}
}

func TestTheOldestViewsGo(t *testing.T) {
	o := newObjects(t)
	c := testConfig()
	m := merger(t, o, c)
	now := time.Unix(2000, 0)
	m.now = func() time.Time { return now }
	for n := range 10 {
		item, ov := tile(n, "a", int64(n)*1024, 100)
		seenBy(t, o, item, ov)
		if _, err := m.pass(t.Context()); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
	}
	sum := m.systems[grid].bytes()
	m.config.QuotaBytes = sum / 2
	if _, err := m.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := m.systems[grid].bytes(); got > sum/2*9/10 || got < sum/4 {
		t.Errorf("%d bytes of %d, the quota is %d", got, sum, sum/2)
	}
	has := func(n int64) bool {
		_, data, err := readView(t.Context(), o, grid, ground.Block{X: n * 4})
		return err == nil && data != nil
	}
	if has(0) || !has(9) {
		t.Errorf("the first is there: %v, the last: %v", has(0), has(9))
	}
	if again := merger(t, o, c); again.systems[grid].bytes() != m.systems[grid].bytes() {
		t.Error("after a restart there are other views")
	}
	now = now.Add(c.MaxAge - 2*time.Minute)
	if _, err := m.pass(t.Context()); err != nil || has(7) || !has(9) {
		t.Errorf("%v: by age the eighth is there: %v, the last: %v", err, has(7), has(9))
	}
}

func TestWhatIsNoViewIsRemovedAndCounted(t *testing.T) {
	o := newObjects(t)
	item, ov := tile(1, "a", 0, 100)
	s, err := look(grid, ov, ground.Source{Name: "a/s", Seen: time.Unix(100, 0)})
	if err != nil {
		t.Fatal(err)
	}
	spoiled := s
	spoiled.patches = []patch{{s.patches[0].block, []byte("CG1")}}
	future, _ := look(grid, ov, ground.Source{Name: "a/s", Seen: time.Unix(1e9, 0)})
	for i, data := range [][]byte{nil, []byte("CRT1\x00"), s.marshal()[:100], append(s.marshal(), 0), spoiled.marshal(), future.marshal()} {
		if err := o.Put(t.Context(), fmt.Sprint(prefixNew, i), data); err != nil {
			t.Fatal(err)
		}
	}
	m := merger(t, o, testConfig())
	if _, err := m.pass(t.Context()); err != nil || o.all(t) != "" || testutil.ToFloat64(m.refused) != 5 {
		t.Errorf("%v: %v refused, left: %s", err, testutil.ToFloat64(m.refused), o.all(t))
	}
	// A list that is spoiled takes its views with it, and the next tile begins another one.
	seenBy(t, o, item, ov)
	if _, err := m.pass(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := o.Put(t.Context(), indexKey(grid), []byte("CRI1")); err != nil {
		t.Fatal(err)
	}
	if m = merger(t, o, testConfig()); o.all(t) != "" || len(m.systems) != 0 {
		t.Errorf("left: %.200s", o.all(t))
	}
}

func TestAStoreThatStandsStillHoldsNothingUp(t *testing.T) {
	o := newObjects(t)
	o.stand = make(chan struct{})
	k, err := NewKeeper(o, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { k.Run(ctx); close(done) }()
	item, ov := tile(1, "a", 0, 100)
	for range 3 * queued { // returns, though nothing can be written
		k.Keep(item, grid, ov)
	}
	if n := testutil.ToFloat64(k.tiles.WithLabelValues("left_out")); n < 2*queued-1 || n > 2*queued {
		t.Errorf("%v tiles were left out", n)
	}
	close(o.stand)
	for deadline := time.Now().Add(time.Minute); testutil.ToFloat64(k.tiles.WithLabelValues("kept")) < queued && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n := testutil.ToFloat64(k.tiles.WithLabelValues("kept")); n < queued {
		t.Errorf("%v tiles were kept once the store went on", n)
	}
	stop()
	<-done
	var none *Keeper
	none.Keep(item, grid, ov)
}

func FuzzSeen(f *testing.F) {
	_, ov := tile(1, "a", 0, 100)
	s, _ := look(grid, ov, ground.Source{Name: "a/s"})
	f.Add(s.marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		if s, err := parseSeen(data); err == nil && !bytes.Equal(s.marshal(), data) {
			t.Errorf("%q comes back as another", data)
		}
	})
}

func FuzzIndex(f *testing.F) {
	x := newIndex(grid)
	x.change = 3
	x.blocks[ground.Block{X: -1, Y: 2}] = entry{change: 2, kept: 5, bytes: 6, sum: 7}
	x.blocks[ground.Block{X: 1, Y: 2}] = entry{change: 3}
	f.Add(x.marshal())
	f.Fuzz(func(t *testing.T, data []byte) {
		x, err := parseIndex(data)
		if err != nil {
			return
		}
		if y, err := parseIndex(x.marshal()); err != nil || len(y.blocks) != len(x.blocks) || y.change != x.change || y.list != x.list {
			t.Errorf("%q comes back as another: %v", data, err)
		}
	})
}
