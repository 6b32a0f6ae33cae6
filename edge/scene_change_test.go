package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/reference"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// fakeBuffer is a buffer that keeps everything, committing a key once.
type fakeBuffer struct {
	mu        sync.Mutex
	drafts    []draft
	withdrawn []string
	waiting   []string       // keys of what still waits
	raised    map[string]int // how much waits under a subject
	full      error
	marks     map[string]string
}

func (b *fakeBuffer) Commit(_ context.Context, drafts ...draft) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.full != nil {
		return b.full
	}
	for _, d := range drafts {
		if d.Key != "" && slices.ContainsFunc(b.drafts, func(o draft) bool { return o.Key == d.Key }) {
			continue
		}
		b.drafts = append(b.drafts, d)
		if d.supersedes != "" {
			b.withdrawn = append(b.withdrawn, d.supersedes)
		}
	}
	return nil
}

func (b *fakeBuffer) Submit(ctx context.Context, drafts ...draft) error {
	return b.Commit(ctx, drafts...)
}

func (b *fakeBuffer) Record(ctx context.Context, drafts []draft, marks []outbox.Mark) error {
	if err := b.Commit(ctx, drafts...); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.marks == nil {
		b.marks = map[string]string{}
	}
	for _, m := range marks {
		if b.marks[m.Name] = string(m.Value); m.Value == nil {
			delete(b.marks, m.Name)
		}
	}
	return nil
}

func (b *fakeBuffer) Marks(prefix string) (all []outbox.Mark, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for name, value := range b.marks {
		if strings.HasPrefix(name, prefix) {
			all = append(all, outbox.Mark{Name: name, Value: []byte(value)})
		}
	}
	return all, nil
}

func (b *fakeBuffer) WaitsUnder(key string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Contains(b.waiting, key)
}

func (b *fakeBuffer) Raise(_ context.Context, subject string, _ event.Priority) (int, error) {
	return b.raised[subject], b.full
}

func (b *fakeBuffer) of(kind event.Kind) (found []draft) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, d := range b.drafts {
		if d.Kind == kind {
			found = append(found, d)
		}
	}
	return found
}

var sixBands = []string{"blue", "green", "red", "nir", "swir16", "swir22"}

// scene writes a scene of fields at (x, y) in UTM 32, under some light, with a burnt square of so
// many pixels.
func scene(t *testing.T, path string, x float64, light float32, burnt int) string {
	t.Helper()
	const side = 160
	field, noise := rand.New(rand.NewPCG(3, 3)), rand.New(rand.NewPCG(uint64(light*1000), uint64(burnt)))
	im := vision.Image{W: side, H: side, Bands: sixBands}
	for range sixBands {
		plane := make([]float32, side*side)
		var cells [40 * 40]float32
		for i := range cells {
			cells[i] = 0.04 + 0.1*field.Float32() // too dark for a cloud
		}
		for i := range plane {
			px, py := i%side, i/side
			v := cells[py/10*40+px/10]
			if px >= 30 && px < 30+burnt && py >= 30 && py < 30+burnt {
				v = 0.02
			}
			plane[i] = light*v + 0.002*noise.Float32()
		}
		im.Planes = append(im.Planes, plane)
	}
	georef, err := raster.UTM(32, true, x, 5_000_000, 10)
	if err != nil {
		t.Fatal(err)
	}
	data, err := raster.EncodeTile(im, georef, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var sceneOptions = capture.SceneOptions{TileSize: 80, Window: 80}

func idleProbe() *telemetry.Probe {
	return new(telemetry.Probe)
}

// read takes a scene file through a pipeline and gives its manifest.
func read(t *testing.T, path string, g *sceneChange, b buffer) event.Manifest {
	t.Helper()
	return readCut(t, path, g, b, sceneOptions)
}

func readCut(t *testing.T, path string, g *sceneChange, b buffer, o capture.SceneOptions) event.Manifest {
	t.Helper()
	id := filepath.Base(path)
	rules := screen.DefaultConfig()
	if g != nil {
		rules = g.rules
	}
	l := newScenePipeline(always(spectralScreener{rules}), g, b, fileKey(path), idleProbe(), slog.New(slog.DiscardHandler))
	err := capture.NewSceneFile(path, id, o).Run(t.Context(), l.take)
	if err := errors.Join(err, l.wait()); err != nil {
		t.Fatal(err)
	}
	if err := l.manifest.Check(); err != nil {
		t.Fatal(err)
	}
	return l.manifest
}

func newSceneChange(t *testing.T, dir string) *sceneChange {
	t.Helper()
	views, err := reference.Open(dir, reference.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	rules := screen.DefaultConfig()
	rules.Scenes.Change = 0.005
	return &sceneChange{rules: rules, views: views, log: slog.New(slog.DiscardHandler)}
}

func decisions(m event.Manifest) (all []string) {
	for _, d := range m.Tiles {
		all = append(all, d.Decision+" "+d.Reason)
	}
	return all
}

func TestOnlyTilesThatChangedAreSentAgain(t *testing.T) {
	dir, views := t.TempDir(), t.TempDir()
	buf := &fakeBuffer{}
	first := read(t, scene(t, dir+"/first.tif", 500_000, 1, 0), newSceneChange(t, views), buf)
	if got := decisions(first); !slices.Equal(got, slices.Repeat([]string{"sent "}, 4)) || !first.Tiles[0].Reference.IsZero() {
		t.Fatalf("the first scene: %q %+v", got, first.Tiles[0])
	}
	// The same ground under another name and light, after a restart; a fire in the first tile.
	second := read(t, scene(t, dir+"/second.tif", 500_000, 0.9, 20), newSceneChange(t, views), buf)
	if got := decisions(second); !slices.Equal(got, []string{"sent ", "dropped unchanged", "dropped unchanged", "dropped unchanged"}) {
		t.Fatalf("the second scene: %q %+v", got, second.Tiles)
	}
	for i, d := range second.Tiles {
		if d.Reference.IsZero() || (d.Change > 0.005) != (i == 0) {
			t.Errorf("%+v", d)
		}
	}
	if n := len(buf.of(event.Tile)); n != 5 {
		t.Errorf("%d tiles were sent, want 5", n)
	}
	lost := newSceneChange(t, views)
	lost.database = "another" // the buffer was lost, and what waited in it
	if got := decisions(read(t, scene(t, dir+"/third.tif", 500_000, 1, 0), lost, buf)); slices.Contains(got, "dropped unchanged") {
		t.Errorf("in another database: %q", got)
	}
	// Other ground has never been seen.
	elsewhere := read(t, scene(t, dir+"/elsewhere.tif", 600_000, 1, 0), newSceneChange(t, views), buf)
	if got := decisions(elsewhere); !slices.Equal(got, slices.Repeat([]string{"sent "}, 4)) {
		t.Errorf("elsewhere: %q", got)
	}
}

// TestGroundIsKnownHoweverASceneIsCut cuts the second scene, which begins elsewhere on the same pixel grid, into
// other tiles, which overlap and reach over its borders.
func TestGroundIsKnownHoweverASceneIsCut(t *testing.T) {
	dir, g, buf := t.TempDir(), newSceneChange(t, t.TempDir()), &fakeBuffer{}
	read(t, scene(t, dir+"/first.tif", 500_000, 1, 0), g, buf)
	other := capture.SceneOptions{TileSize: 72, Window: 72, Overlap: 8, Margin: 11}
	m := readCut(t, scene(t, dir+"/second.tif", 500_000, 0.9, 20), g, buf, other)
	sent := 0
	for _, d := range m.Tiles {
		if d.Reference.IsZero() {
			t.Errorf("not compared: %+v", d)
		}
		if d.Decision == event.TileSent {
			sent++
		}
	}
	if len(m.Tiles) != 9 || m.Tiles[0].Decision != event.TileSent || sent != 1 {
		t.Errorf("%q", decisions(m))
	}
}

// TestASceneThatIsReadAgainIsDecidedAsBefore is a restart in the middle of a scene: what was sent is
// no reference for itself.
func TestASceneThatIsReadAgainIsDecidedAsBefore(t *testing.T) {
	dir, g, buf := t.TempDir(), newSceneChange(t, t.TempDir()), &fakeBuffer{}
	read(t, scene(t, dir+"/first.tif", 500_000, 1, 0), g, buf)
	path := scene(t, dir+"/second.tif", 500_000, 1, 20)
	before := decisions(read(t, path, g, buf))
	n := len(buf.of(event.Tile))
	if again := decisions(read(t, path, g, buf)); !slices.Equal(again, before) || len(buf.of(event.Tile)) != n {
		t.Errorf("%q, then %q; %d tiles, then %d", before, again, n, len(buf.of(event.Tile)))
	}
}

// TestSmallChangesAddUpUntilTheyAreSent lets the ground darken by steps that are each too small.
func TestSmallChangesAddUpUntilTheyAreSent(t *testing.T) {
	dir, g, buf := t.TempDir(), newSceneChange(t, t.TempDir()), &fakeBuffer{}
	sent := 0
	for side := range 9 {
		m := read(t, scene(t, filepath.Join(dir, string(rune('a'+side))+".tif"), 500_000, 1, 2*side), g, buf)
		if side > 0 && m.Tiles[0].Decision == event.TileSent {
			sent++
		}
	}
	if sent == 0 || sent == 8 {
		t.Errorf("the tile was sent %d times while a square grew from 0 to 16 pixels", sent)
	}
}

func TestWithoutAThresholdNothingIsComparedOrKept(t *testing.T) {
	dir, buf := t.TempDir(), &fakeBuffer{}
	for _, name := range []string{"/a.tif", "/b.tif"} {
		m := read(t, scene(t, dir+name, 500_000, 1, 0), nil, buf)
		for _, d := range m.Tiles {
			if d.Decision != event.TileSent || !d.Reference.IsZero() {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
	a := &Agent{config: Config{Data: dir, Scenes: []SceneSource{{}}, Screen: screen.DefaultConfig()}}
	if g, err := a.openSceneChange(); g != nil || err != nil {
		t.Errorf("%v %v", g, err)
	}
}

func TestATileThatWasNotCommittedIsNoReference(t *testing.T) {
	dir, g := t.TempDir(), newSceneChange(t, t.TempDir())
	path := scene(t, dir+"/a.tif", 500_000, 1, 0)
	l := newScenePipeline(always(spectralScreener{g.rules}), g, &fakeBuffer{full: outbox.ErrClosed}, fileKey(path), idleProbe(), g.log)
	capture.NewSceneFile(path, "a", sceneOptions).Run(t.Context(), l.take)
	if err := l.wait(); !errors.Is(err, outbox.ErrClosed) || g.views.Bytes() != 0 {
		t.Errorf("%v, %d bytes of views", err, g.views.Bytes())
	}
}

func TestASceneThatWasAskedForIsSentWhole(t *testing.T) {
	dir, g, buf := t.TempDir(), newSceneChange(t, t.TempDir()), &fakeBuffer{}
	read(t, scene(t, dir+"/a.tif", 500_000, 1, 0), g, buf)
	path := scene(t, dir+"/b.tif", 500_000, 1, 0)
	l := newScenePipeline(always(spectralScreener{g.rules}), g, buf, fileKey(path), idleProbe(), g.log)
	l.whole = true
	if err := errors.Join(capture.NewSceneFile(path, "b", sceneOptions).Run(t.Context(), l.take), l.wait()); err != nil {
		t.Fatal(err)
	}
	if got := decisions(l.manifest); !slices.Equal(got, slices.Repeat([]string{"sent "}, 4)) || l.manifest.Tiles[0].Reference.IsZero() {
		t.Errorf("%q %+v", got, l.manifest.Tiles[0])
	}
}

func TestTheQuicklookStandsWithTheThumbnails(t *testing.T) {
	buf := &fakeBuffer{}
	read(t, scene(t, t.TempDir()+"/a.tif", 500_000, 1, 0), nil, buf)
	if f := buf.of(event.Frame); len(f) != 1 || f[0].Rung != event.RungThumbnail {
		t.Errorf("%+v", f)
	}
}

func TestTheQuicklookHasTheQualityThatIsSet(t *testing.T) {
	path, sizes := scene(t, t.TempDir()+"/a.tif", 500_000, 1, 0), []int{}
	for _, quality := range []int{30, 95} {
		buf := &fakeBuffer{}
		l := newScenePipeline(always(spectralScreener{screen.DefaultConfig()}), nil, buf, fileKey(path), idleProbe(), slog.New(slog.DiscardHandler))
		l.quality = quality
		if err := errors.Join(capture.NewSceneFile(path, "a", sceneOptions).Run(t.Context(), l.take), l.wait()); err != nil {
			t.Fatal(err)
		}
		sizes = append(sizes, len(buf.of(event.Frame)[0].Data))
	}
	if sizes[0] >= sizes[1] {
		t.Errorf("%d bytes at quality 30, %d at 95", sizes[0], sizes[1])
	}
}

func TestTheManifestTellsOfTheReference(t *testing.T) {
	seen := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	data, err := json.Marshal(event.TileDecision{Tile: "0_0", Change: 0.25, Reference: seen})
	if err != nil || !bytes.Contains(data, []byte(`"change":0.25,"reference":"2026-05-01T10:00:00Z"`)) {
		t.Errorf("%s %v", data, err)
	}
	if data, _ := json.Marshal(event.TileDecision{Tile: "0_0"}); bytes.Contains(data, []byte("reference")) {
		t.Errorf("nothing was compared: %s", data)
	}
}
