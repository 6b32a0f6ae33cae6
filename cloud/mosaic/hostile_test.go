package mosaic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// rejected keeps dead letters.
type rejected struct {
	mu          sync.Mutex
	deadLetters []string // class and subject
	reasons     []string
}

func (g *rejected) Reject(_ context.Context, deadLetters ...queue.DeadLetter) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, l := range deadLetters {
		g.deadLetters = append(g.deadLetters, strings.TrimPrefix(l.Class, "cloudcanvas.mosaic.")+" "+l.Entry.Item.Subject)
		g.reasons = append(g.reasons, l.Err.Error())
	}
	return nil
}

func (g *rejected) all() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.deadLetters)
}

// start runs a mosaic with parts of the test's own.
func (l *log) start(t *testing.T, cfg Config, p Parts) (stop func()) {
	t.Helper()
	cfg.WorkDir = t.TempDir()
	p.Queue, p.Products, p.Objects = l, l, l
	m, err := New(cfg, p)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()
	return sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func ledger(t *testing.T, dir string) *crashguard.Guard {
	t.Helper()
	config := crashguard.DefaultConfig()
	config.Notes = filepath.Join(dir, "notes")
	l, err := crashguard.Open(dir, config, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// dies leaves a ledger's folder as a process does that crashed with that input in hand.
func dies(t *testing.T, dir string, in crashguard.Input) {
	t.Helper()
	if _, err := ledger(t, dir).Begin(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "notes", "crash"), []byte("SIGSEGV: segmentation violation\n"), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestARecordThatKillsTheMosaicIsSetAsideOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dir, dead := newLog(), t.TempDir(), &rejected{}
		l.tell(sceneItems(t)...)
		l.tell(cameraItems(t)...)
		victim := l.topics[event.ResultsTopic][4]
		for range 2 {
			dies(t, dir, entryInput(&victim))
		}
		for range 2 { // the second run reads it again
			attempts := ledger(t, dir)
			stop := l.start(t, Config{}, Parts{Store: Folder(t.TempDir()), Annotator: annotator{}, Dead: dead, Attempts: attempts})
			time.Sleep(20 * time.Minute)
			stop()
			attempts.Close()
			clear(l.committed)
		}
		if got := dead.all(); len(got) != 1 || got[0] != "Deadly "+victim.Item.Subject {
			t.Fatalf("dead letters %v", got)
		}
		made := l.made(t)
		if len(made) < 2 || made[0].Kind != cameraProduct && made[1].Kind != cameraProduct {
			t.Fatalf("products %+v", made)
		}
	})
}

func TestASceneWhoseProductKillsTheMosaicIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dir, dead := newLog(), t.TempDir(), &rejected{}
		items := sceneItems(t)
		l.tell(items...)
		l.tell(cameraItems(t)...)
		manifest := items[len(items)-1]
		for range 2 {
			dies(t, dir, crashguard.Input{Key: "mosaic:scene/mast-1/s1/" + manifest.ID.String()})
		}
		attempts := ledger(t, dir)
		stop := l.start(t, Config{}, Parts{Store: Folder(t.TempDir()), Annotator: annotator{}, Dead: dead, Attempts: attempts})
		time.Sleep(time.Hour)
		stop()
		attempts.Close()
		if got := dead.all(); len(got) != 1 || got[0] != "Deadly s1" {
			t.Fatalf("dead letters %v", got)
		}
		if made := l.made(t); len(made) != 1 || made[0].Kind != cameraProduct {
			t.Fatalf("products %+v", made)
		}
		if l.committed[event.ResultsTopic] < 21 {
			t.Errorf("committed %v: what is a dead letter need not be read again", l.committed)
		}
	})
}

// panicking is a store in which beginning one product panics, in a goroutine of the mosaic's.
type panicking struct{ Folder }

func (p panicking) Draft(name string) (Draft, error) {
	if name == "s1" {
		var none []int
		_ = none[len(name)]
	}
	return p.Folder.Draft(name)
}

func TestAProductThatPanicsIsADeadLetterWithItsPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dead := newLog(), &rejected{}
		l.tell(sceneItems(t)...)
		l.tell(cameraItems(t)...)
		stop := l.start(t, Config{}, Parts{Store: panicking{Folder(t.TempDir())}, Annotator: annotator{}, Dead: dead})
		time.Sleep(time.Hour)
		stop()
		if got := dead.all(); len(got) != 1 || got[0] != "Panic s1" || !strings.Contains(dead.reasons[0], "hostile_test.go") {
			t.Fatalf("dead letters %v: %v", got, dead.reasons)
		}
		if made := l.made(t); len(made) != 1 {
			t.Fatalf("products %+v", made)
		}
	})
}

// touchy is a log that panics at some words: what a bug in folding an entry would do.
type touchy struct{ slog.Handler }

func (touchy) Enabled(context.Context, slog.Level) bool { return true }
func (touchy) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "the mosaic passes over an item that does not fit its product" {
		panic("a bug")
	}
	return nil
}

func TestAnEntryThatPanicsIsADeadLetterAndADeadLetterIsNoneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dead := newLog(), &rejected{}
		bad := itemOf(300, event.Scene, "s9", "application/json", []byte(`{"id":"s9"}`), event.Attrs{Scene: "s9"})
		l.tell(bad)
		l.tell(sceneItems(t)...)
		worse := itemOf(301, event.Tile, "s1/77_77", "image/tiff", nil, event.Attrs{Scene: "s1", Tile: "77_77", Want: "segment"})
		l.deadLetter(worse, "no such tile")
		stop := l.start(t, Config{}, Parts{Store: Folder(t.TempDir()), Annotator: annotator{}, Dead: dead, Log: slog.New(touchy{})})
		time.Sleep(time.Hour)
		stop()
		if got := dead.all(); len(got) != 1 || got[0] != "Panic s9" {
			t.Fatalf("dead letters %v", got)
		}
		if made := l.made(t); len(made) != 1 || !made[0].Complete {
			t.Fatalf("products %+v", made)
		}
	})
}

// slow is a store in which one product takes as long as the test wants.
type slow struct {
	Folder
	until chan struct{}
}

func (s slow) Draft(name string) (Draft, error) {
	if name == "s1" {
		<-s.until
	}
	return s.Folder.Draft(name)
}

func TestOthersGoOnWhileAProductTakesItsTimeAndOneThatTakesTooLongIsSetAside(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, dead, until := newLog(), &rejected{}, make(chan struct{})
		attempts := ledger(t, t.TempDir())
		stop := l.start(t, Config{WriteLimit: time.Hour}, Parts{Store: slow{Folder(t.TempDir()), until}, Annotator: annotator{}, Dead: dead, Attempts: attempts})
		items := sceneItems(t)
		l.tell(items...)
		time.Sleep(time.Minute)
		l.tell(items[3]) // it waits, for the scene is being written
		for _, i := range cameraItems(t) {
			i.Edge = "mast-2"
			l.tell(i)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if made := l.made(t); len(made) != 1 || made[0].Edge != "mast-2" {
			t.Fatalf("products %+v", made)
		}
		if got := dead.all(); len(got) != 0 {
			t.Fatalf("dead letters %v before its time is over", got)
		}
		time.Sleep(time.Hour)
		synctest.Wait()
		if got := dead.all(); len(got) != 1 || got[0] != "TooLong s1" {
			t.Fatalf("dead letters %v", got)
		}
		close(until)
		time.Sleep(time.Hour)
		stop()
		attempts.Close()
		if made := l.made(t); len(made) != 1 {
			t.Fatalf("what was given up is a product: %+v", made)
		}
	})
}

func TestAWideSceneIsBlendedAsAWhole(t *testing.T) {
	s := newScene(t)
	fold(t, s, sceneItems(t)...)
	want := blended(t, s)
	for _, width := range []int{64, 100, 299} {
		mask, err := raster.CreateMask(filepath.Join(t.TempDir(), "mask.tif"), s.grid.Width, s.grid.Height, raster.Georef(s.manifest.Georef))
		if err != nil {
			t.Fatal(err)
		}
		counts := map[string][4]uint32{}
		for name, tile := range s.tiles {
			counts[name], tile.counts = tile.counts, [4]uint32{}
		}
		for left := 0; left < s.grid.Width; left += width {
			strip := raster.Window{X: left, W: min(width, s.grid.Width-left), H: s.grid.Height}
			if err := s.blendStrip(mask, strip, windows.NewBlend(strip, highest(s.grid))); err != nil {
				t.Fatal(err)
			}
		}
		got, err := mask.Read(raster.Window{W: s.grid.Width, H: s.grid.Height})
		if err != nil {
			t.Fatal(err)
		}
		mask.Close()
		if !bytes.Equal(got, want) {
			t.Errorf("in strips of %d columns it is another mask", width)
		}
		for name, tile := range s.tiles {
			if tile.counts != counts[name] {
				t.Errorf("in strips of %d columns tile %s counts %v, not %v", width, name, tile.counts, counts[name])
			}
		}
	}
}

// TestAnyManifestThatPassesIsSafeToOpen draws grids of any numbers: what is made of them is bounded.
func TestAnyManifestThatPassesIsSafeToOpen(t *testing.T) {
	number := rapid.OneOf(rapid.IntRange(0, 5000), rapid.SampledFrom([]int{1 << 16, 1 << 17, 1 << 20, 1 << 21, 1 << 40, -1}))
	dir, opened := t.TempDir(), 0
	rapid.Check(t, func(rt *rapid.T) {
		g := raster.Grid{Width: number.Draw(rt, "width"), Height: number.Draw(rt, "height"), Size: number.Draw(rt, "size"),
			Overlap: rapid.IntRange(0, 64).Draw(rt, "overlap"), Margin: rapid.IntRange(0, 64).Draw(rt, "margin")}
		m := event.Manifest{ID: "s1", Width: g.Width, Height: g.Height, DataType: "Byte",
			Grid: event.SceneGrid{Size: g.Size, Overlap: g.Overlap, Margin: g.Margin, Cols: number.Draw(rt, "cols"), Rows: number.Draw(rt, "rows")}}
		if rapid.Bool().Draw(rt, "grouped") {
			m.Grid.Size, m.Grid.Window, m.Grid.Group = 0, g.Size, rapid.IntRange(-1, 70).Draw(rt, "group")
			g = m.Grid.Of(g.Width, g.Height)
		}
		if rapid.Bool().Draw(rt, "fits") {
			m.Grid.Cols, m.Grid.Rows = g.Cols(), g.Rows()
		}
		if m.CheckPlan() != nil || m.Grid.Cols*m.Grid.Rows > 5000 {
			return
		}
		for row := range m.Grid.Rows {
			for col := range m.Grid.Cols {
				m.Tiles = append(m.Tiles, event.TileDecision{Tile: fmt.Sprintf("%d_%d", col, row), Decision: event.TileDropped, Reason: event.DroppedNoData, NoData: 1})
			}
		}
		data, _ := json.Marshal(m)
		opened++
		s, err := NewScene("mast-1", "s1", filepath.Join(dir, fmt.Sprint(opened)))
		if err != nil {
			rt.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Add(itemOf(1, event.Scene, "s1", "application/json", data, event.Attrs{Scene: "s1"})); err != nil {
			if !errors.Is(err, errMisfit) {
				rt.Fatal(err)
			}
			return
		}
		if rows := highest(s.grid); stripWidth(s.grid, rows)*min(rows, s.grid.Height) > max(blendFloats, rows*s.grid.Size) {
			held := stripWidth(s.grid, rows) * rows
			rt.Fatalf("%d numbers are held for a class of %+v", held, s.grid)
		}
		s.Missing()
		s.stats()
		s.outcomes()
	})
	if opened == 0 {
		t.Error("none passed")
	}
}

func TestATileWithMoreBoxesThanAnybodyCouldUseIsDead(t *testing.T) {
	items := shipItems(t)
	boxes := strings.Repeat(`{"X":1,"Y":1,"W":2,"H":2,"Score":0.5},`, event.MaxBoxes+1)
	for n, data := range []string{
		`{"width":64,"height":64,"boxes":[` + strings.TrimSuffix(boxes, ",") + `]}`,
		`{"width":64,"height":64,"boxes":[{"X":1e30,"Y":1,"W":2,"H":2,"Score":0.5}]}`,
	} {
		items[n].Data = []byte(data)
		items[n].SHA256 = event.Sum(items[n].Data)
	}
	s := newScene(t)
	fold(t, s, items...)
	_, p := written(t, s)
	if p.Scene.Dead != 2 || !p.Complete {
		t.Errorf("%+v", p.Scene)
	}
}

// TestBoxesThatAllCrossAreMergedWithinBounds has what held the mosaic for 40 s: six tiles of 5,000.
func TestBoxesThatAllCrossAreMergedWithinBounds(t *testing.T) {
	items := shipItems(t)
	for n := range 6 {
		boxes := make([]vision.Box, event.MaxBoxes)
		for b := range boxes {
			boxes[b] = vision.Box{X: 0, Y: float32(b) / 100, W: 64, H: 0.01, Score: 0.9, Label: "boat"}
			if b%2 == 1 {
				boxes[b] = vision.Box{X: float32(b) / 100, Y: 0, W: 0.01, H: 64, Score: 0.9, Label: "boat"}
			}
		}
		data, err := json.Marshal(map[string]any{"width": 64, "height": 64, "boxes": boxes})
		if err != nil {
			t.Fatal(err)
		}
		items[n].Data, items[n].SHA256 = data, event.Sum(data)
	}
	s := newScene(t)
	fold(t, s, items...)
	_, p := written(t, s)
	if p.Scene.Objects == nil || *p.Scene.Objects == 0 || *p.Scene.Objects > 6*event.MaxBoxes+len(ships) {
		t.Errorf("%+v", p.Scene)
	}
}

// TestADeviceThatBeginsScenesWithoutEndIsBounded has one that names another scene in each item.
func TestADeviceThatBeginsScenesWithoutEndIsBounded(t *testing.T) {
	dir := t.TempDir()
	m, err := New(Config{}, Parts{})
	if err != nil {
		t.Fatal(err)
	}
	for n := range mostOpen + 50 {
		k := key{sceneProduct, "mast-1", fmt.Sprint("s", n)}
		m.makeRoom(k)
		m.open[k] = &record{camera: &Camera{dir: filepath.Join(dir, "x")}, changed: noon.Add(time.Duration(n))}
	}
	if _, there := m.open[key{sceneProduct, "mast-1", "s49"}]; len(m.open) != mostOpen || there {
		t.Errorf("%d are open", len(m.open))
	}
}
