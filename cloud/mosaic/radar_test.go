package mosaic

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/airbusgeo/godal"

	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

const (
	radarRows = 700
	radarCols = 1100
)

// radarManifest is an acquisition whose blocks end amid the tiles of the files.
func radarManifest() event.Manifest {
	m := event.Manifest{
		ID: "s1", Width: radarCols, Height: radarRows, Bands: []string{"HH"}, DataType: event.RadarDataType, Grid: event.RadarGrid(3),
		FileBytes: 2 * radarRows * radarCols, Screening: "none", Captured: noon,
		Radar: &event.Radar{
			Lines: radarRows, Samples: radarCols, Format: "iq8", Blocks: []event.RadarBlock{{Index: 0, Rows: 300}, {Index: 1, FirstRow: 300, Rows: 300}, {Index: 2, FirstRow: 600, Rows: 100}},
			CentroidHz: -6900, Ambiguity: -6, CentroidFrom: "estimated", RowOffset: 12, RangeWindow: "kaiser", AzimuthWindow: "none",
			CarrierHz: 5.3e9, PRFHz: 1257, SamplingHz: 32.317e6, ChirpRateHzS: -0.72135e12, ChirpS: 41.74e-6,
			FirstRangeM: 988647, VelocityMS: 7062, SpeedOfLightMS: 299792458, StartTime: noon, LookSide: "right", Polarisation: "HH", Platform: "RADARSAT-1",
		},
	}
	for n := range m.Radar.Blocks {
		m.Tiles = append(m.Tiles, event.TileDecision{Tile: event.RadarTile(n), Decision: event.TileSent, Value: 1, Bytes: 1000})
	}
	return m
}

// echoed is the image at a pixel.
func echoed(row, col int) complex64 {
	return complex(float32(math.Sin(float64(row*31+col*17)))*100, float32(math.Cos(float64(row*13-col*7)))*100)
}

// radarResult is what a worker made of a block, or of its targets.
func radarResult(n int, tile, model, media string, data []byte) event.Item {
	i := itemOf(n, event.Result, "s1/"+tile, media, data, event.Attrs{Scene: "s1", Tile: tile, Model: model, ModelVersion: "1", Want: sar.WantFocus, Input: "tile"})
	i.Epoch, i.Seq = "", 0
	return i
}

func rowsItem(t testing.TB, n int, b event.RadarBlock) event.Item {
	t.Helper()
	im := &sar.Image{FirstRow: b.FirstRow, Rows: b.Rows, Cols: radarCols}
	for r := range b.Rows {
		for c := range radarCols {
			im.Pix = append(im.Pix, echoed(b.FirstRow+r, c))
		}
	}
	data, err := sar.EncodeRows(im)
	if err != nil {
		t.Fatal(err)
	}
	return radarResult(n, event.RadarTile(b.Index), sar.Algorithm, sar.RowsType, data)
}

func targetsItem(t testing.TB, n int, b event.RadarBlock) event.Item {
	t.Helper()
	data, err := sar.EncodeTargets([]sar.Target{
		{Row: float64(b.FirstRow) + 20.25, Col: 40.5, Pixels: 9, ClutterDB: 21, RangeM: 988647 + 40.5*4.638},
		{Row: radarRows, Col: 3, Pixels: 1, ClutterDB: 30}, // outside the image
	})
	if err != nil {
		t.Fatal(err)
	}
	return radarResult(n, event.RadarTile(b.Index), sar.Detector, sar.TargetsType, data)
}

// radarItems is everything about the acquisition, in the order of the blocks.
func radarItems(t testing.TB) []event.Item {
	m := radarManifest()
	var items []event.Item
	for n, b := range m.Radar.Blocks {
		items = append(items, rowsItem(t, 2*n, b), targetsItem(t, 2*n+1, b))
	}
	return append(items, quicklookItem(t, 100), manifestItem(t, 101, m))
}

// foldRadar writes the product of items, taken in one after the other.
func foldRadar(t testing.TB, source radarSource, items ...event.Item) (p Product, dir string, s *Scene) {
	t.Helper()
	s, err := NewScene("mast-1", "s1", filepath.Join(t.TempDir(), "work"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	for _, i := range items {
		if _, err := s.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	dir = t.TempDir()
	if p, err = s.writeRadar(context.Background(), dir, noon, source); err != nil {
		t.Fatal(err)
	}
	return p, dir, s
}

// sums are the bytes of all files of a product.
func sums(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := filesOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		all[name] = event.Sum(data).String()
	}
	return all
}

// pixels reads the only band of a file.
func pixels[T float32 | complex64](t testing.TB, path string) []T {
	t.Helper()
	ds, err := godal.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer ds.Close()
	all := make([]T, radarRows*radarCols)
	if s := ds.Structure(); s.SizeX != radarCols || s.SizeY != radarRows {
		t.Fatalf("%s is %d x %d", path, s.SizeX, s.SizeY)
	}
	if err := ds.Read(0, 0, all, radarCols, radarRows); err != nil {
		t.Fatal(err)
	}
	return all
}

func blocksOf(t testing.TB, dir string) (all []blockOutcome) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "blocks.json"))
	if err == nil {
		err = json.Unmarshal(data, &all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestARadarImageIsItsBlocksBitByBit(t *testing.T) {
	p, dir, _ := foldRadar(t, radarSource{}, radarItems(t)...)
	if !p.Complete || p.Radar == nil || p.Radar.FocusedRows != radarRows || p.Radar.Focused != 3 || p.Radar.Targets != 3 || *p.Scene.Objects != 3 || p.Scene.Results != 3 {
		t.Errorf("%+v %+v", p, p.Radar)
	}
	if want := []string{"cfar 1", "chirp-scaling 1"}; !slices.Equal(p.Models, want) {
		t.Errorf("models %v", p.Models)
	}
	if got := slices.Sorted(maps.Keys(sums(t, dir))); strings.Join(got, " ") != "amplitude.tif blocks.json detections.geojson item.json quicklook.png slc.tif" {
		t.Errorf("%v", got)
	}
	slc, amplitude := pixels[complex64](t, filepath.Join(dir, "slc.tif")), pixels[float32](t, filepath.Join(dir, "amplitude.tif"))
	for i := range slc {
		want := echoed(i/radarCols, i%radarCols)
		if slc[i] != want || math.Abs(float64(amplitude[i])-math.Hypot(float64(real(want)), float64(imag(want)))) > 1e-5 {
			t.Fatalf("pixel %d is %v with amplitude %v, not %v", i, slc[i], amplitude[i], want)
		}
	}
	var found targetCollection
	data, err := os.ReadFile(filepath.Join(dir, "detections.geojson"))
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil || len(found.Features) != 3 {
		t.Fatalf("%v: %+v", err, found)
	}
	f := found.Features[1]
	if f.Geometry != nil || f.Properties["row"] != 320.25 || f.Properties["time"] != noon.Add(time.Duration(math.Round(332.25/1257*1e9))).Format(time.RFC3339Nano) {
		t.Errorf("%+v", f)
	}
}

func TestTheOrderOfBlocksDoesNotMatter(t *testing.T) {
	items := radarItems(t)
	_, dir, _ := foldRadar(t, radarSource{}, items...)
	want := sums(t, dir)
	for seed := range uint64(6) {
		shuffled := append(slices.Clone(items), items[:3]...) // repeated
		rand.New(rand.NewPCG(seed, 1)).Shuffle(len(shuffled), func(a, b int) { shuffled[a], shuffled[b] = shuffled[b], shuffled[a] })
		if _, dir, _ := foldRadar(t, radarSource{memory: budget.New(1 << 20)}, shuffled...); !maps.Equal(sums(t, dir), want) {
			t.Errorf("seed %d: other bytes: %v", seed, sums(t, dir))
		}
	}
}

func TestBlocksThatAreNotThereLeaveRowsWithoutData(t *testing.T) {
	items := radarItems(t)
	s, err := NewScene("mast-1", "s1", filepath.Join(t.TempDir(), "work"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	dead := itemOf(50, event.Tile, "s1/0_1", sar.EchoesType, []byte("x"), event.Attrs{Scene: "s1", Tile: "0_1", Want: sar.WantFocus})
	if _, err := s.AddDead(dead, "its chirp is longer than its swath"); err != nil {
		t.Fatal(err)
	}
	for _, i := range append(slices.Clone(items[:2]), items[6:]...) { // block 0, and what is of all
		if _, err := s.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	if s.Done() || !slices.Equal(s.Missing(), []string{"0_2"}) {
		t.Errorf("done %v, missing %v", s.Done(), s.Missing())
	}
	dir := t.TempDir()
	p, err := s.writeRadar(t.Context(), dir, noon, radarSource{})
	if err != nil {
		t.Fatal(err)
	}
	if p.Complete || !slices.Equal(p.Missing, []string{"0_2"}) || p.Radar.EmptyRows != 400 || p.Scene.Dead != 1 {
		t.Errorf("%+v %+v", p, p.Radar)
	}
	blocks := blocksOf(t, dir)
	if blocks[0].State != "result" || blocks[1].State != "dead" || !strings.Contains(blocks[1].Why, "swath") || blocks[1].FirstRow != 300 || blocks[2].State != "missing" {
		t.Errorf("%+v", blocks)
	}
	slc, amplitude := pixels[complex64](t, filepath.Join(dir, "slc.tif")), pixels[float32](t, filepath.Join(dir, "amplitude.tif"))
	for i := range slc {
		empty := i/radarCols >= 300
		if empty != (slc[i] == 0) || empty != (amplitude[i] != amplitude[i]) {
			t.Fatalf("row %d: %v, %v", i/radarCols, slc[i], amplitude[i])
		}
	}
	// The rest comes: the same bytes as if it had always been there, but for what a replay mends.
	for _, i := range items[2:6] {
		if _, err := s.Add(i); err != nil {
			t.Fatal(err)
		}
	}
	again := t.TempDir()
	if p, err = s.writeRadar(t.Context(), again, noon, radarSource{}); err != nil || !p.Complete || !s.Done() {
		t.Fatalf("%v %+v", err, p)
	}
	_, whole, _ := foldRadar(t, radarSource{}, items...)
	if !maps.Equal(sums(t, again), sums(t, whole)) {
		t.Error("other bytes")
	}
}

// amplitudeItem is a device's own tile of amplitude, all of it 40 dB.
func amplitudeItem(t testing.TB, n, col, row int) event.Item {
	t.Helper()
	a := sar.AmplitudeTile{Width: radarCols, Height: radarRows, Col: col * sar.AmplitudeSide, Row: row * sar.AmplitudeSide, Base: 80}
	a.Cols, a.Rows = min(sar.AmplitudeSide, radarCols-a.Col), min(sar.AmplitudeSide, radarRows-a.Row)
	a.Level = bytes.Repeat([]byte{1}, a.Cols*a.Rows)
	data, err := a.Encode()
	if err != nil {
		t.Fatal(err)
	}
	tile := fmt.Sprintf("%d_%d", col, row)
	return itemOf(n, event.Result, "s1/"+tile, sar.AmplitudeType, data, event.Attrs{Scene: "s1", Tile: tile, Model: sar.Algorithm, ModelVersion: "1"})
}

func TestADevicesOwnAmplitudeStandsWhereNoRowsHaveCome(t *testing.T) {
	m := radarManifest()
	m.Tiles[0].Reason, m.Tiles[1].Reason = event.SentAmplitude, event.SentAmplitude
	b := m.Radar.Blocks
	items := []event.Item{amplitudeItem(t, 1, 0, 0), rowsItem(t, 3, b[1]), targetsItem(t, 4, b[1]), rowsItem(t, 5, b[2]), targetsItem(t, 6, b[2]), manifestItem(t, 10, m)}
	p, dir, s := foldRadar(t, radarSource{}, items...)
	if p.Complete || s.Done() || !slices.Equal(p.Missing, []string{"0_0"}) { // half of the amplitude has not come
		t.Errorf("%+v", p)
	}
	if o := blocksOf(t, dir)[0]; o.State != "missing" || o.Shown != 0 {
		t.Errorf("%+v", o)
	}
	p, dir, s = foldRadar(t, radarSource{}, append(items, amplitudeItem(t, 2, 1, 0))...)
	if !p.Complete || !s.Done() || p.Radar.AmplitudeRows != 300 || p.Radar.EmptyRows != 0 {
		t.Errorf("%+v %+v", p, p.Radar)
	}
	if o := blocksOf(t, dir); o[0].State != "amplitude" || o[0].Shown != 300 || o[0].By != "edge" || o[1].State != "result" {
		t.Errorf("%+v", o)
	}
	slc, amplitude := pixels[complex64](t, filepath.Join(dir, "slc.tif")), pixels[float32](t, filepath.Join(dir, "amplitude.tif"))
	for i := range slc {
		if first := i/radarCols < 300; first != (slc[i] == 0) || first != (math.Abs(float64(amplitude[i])-100) < 1e-3) && i/radarCols < 300 {
			t.Fatalf("row %d, column %d: %v, %v", i/radarCols, i%radarCols, slc[i], amplitude[i])
		}
	}
}

// away is a store that is not there for a while.
type away struct {
	*log
	until time.Time
}

func (a away) Get(ctx context.Context, ref string) ([]byte, error) {
	if time.Now().Before(a.until) {
		return nil, errors.New("connection refused")
	}
	return a.log.Get(ctx, ref)
}

// An acquisition is read again, cut otherwise: what was made of the first reading is none of the second, and what
// came of the second before its manifest is.
func TestAnAcquisitionThatIsReadAnewIsMadeAnew(t *testing.T) {
	first := radarManifest()
	second := radarManifest()
	second.Radar.Blocks = []event.RadarBlock{{Index: 0, Rows: 350}, {Index: 1, FirstRow: 350, Rows: 350}}
	second.Grid, second.Tiles = event.RadarGrid(2), second.Tiles[:2]
	items := radarItems(t)[:6]
	items = append(items, manifestItem(t, 10, first), rowsItem(t, 20, second.Radar.Blocks[1]), targetsItem(t, 21, second.Radar.Blocks[1]), manifestItem(t, 30, second))
	p, dir, s := foldRadar(t, radarSource{}, items...)
	if s.Done() || !slices.Equal(p.Missing, []string{"0_0"}) || p.Radar.FocusedRows != 350 {
		t.Errorf("%+v %+v", p, p.Radar)
	}
	if o := blocksOf(t, dir); len(o) != 2 || o[0].State != "missing" || o[1].State != "result" {
		t.Errorf("%+v", o)
	}
}
