package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/telemetry"
)

// An acquisition as an aircraft makes it, with an aperture of some 80 lines and a chirp of 100 samples.
const (
	echoLines, echoSamples = 700, 256
	echoPRF, echoVelocity  = 100.0, 100.0
	echoCarrier, echoRange = 10e9, 5000.0
	echoSampling           = 20e6
	echoChirp, echoRate    = 5e-6, 3e12
	echoMemory             = 5 << 20 // for blocks of a few hundred lines
)

// echoTargets are rows and columns of points of the same strength.
var echoTargets = [][2]int{{120, 90}, {350, 140}, {560, 110}}

// writeEchoes writes points in noise as NAME.yaml and NAME.iq8, and what more is to be said.
func writeEchoes(t *testing.T, dir, name string, lines int, more string) (path string) {
	t.Helper()
	const c0 = 299792458.0
	sum := make([]complex128, lines*echoSamples)
	wave := c0 / echoCarrier
	for _, at := range echoTargets {
		r0 := echoRange + float64(at[1])*c0/2/echoSampling
		for l := max(0, at[0]-40); l < min(lines, at[0]+40); l++ {
			along := echoVelocity * float64(l-at[0]) / echoPRF
			r := math.Sqrt(r0*r0 + along*along)
			for s := range echoSamples {
				tau := (echoRange-r)*2/c0 + float64(s)/echoSampling
				if math.Abs(tau) <= echoChirp/2 {
					sum[l*echoSamples+s] += cmplx.Rect(1.5, math.Pi*echoRate*tau*tau-4*math.Pi*r/wave)
				}
			}
		}
	}
	raw, seed := make([]byte, 2*len(sum)), uint32(7)
	for i, v := range sum {
		for k, part := range []float64{real(v), imag(v)} {
			seed = seed*1664525 + 1013904223
			raw[2*i+k] = byte(int8(math.Round(part + 4*(float64(seed>>8)/(1<<24)-0.5))))
		}
	}
	yaml := fmt.Sprintf("data: %s.iq8\nlines: %d\nsamples: %d\ncarrier_hz: %g\nprf_hz: %g\nsampling_hz: %g\nchirp_rate_hz_s: %g\nchirp_s: %g\nfirst_sample_slant_range_m: %g\neffective_velocity_m_s: %g\ndoppler_centroid_hz: 0\nsimulated: true\n%s",
		name, lines, echoSamples, echoCarrier, echoPRF, echoSampling, echoRate, echoChirp, echoRange, echoVelocity, more)
	writeFile(t, dir, name+".iq8", string(raw))
	writeFile(t, dir, name+".yaml", yaml)
	return filepath.Join(dir, name+".yaml")
}

func echoesSource(path string) (s EchoesSource) {
	s.SetDefaults()
	s.Path, s.Memory = path, echoMemory
	return s
}

func newEchoes(s EchoesSource, b buffer) *echoesPipeline {
	guard := func(context.Context, string, string, []byte) (func(), error) { return func() {}, nil }
	return &echoesPipeline{source: s, buffer: b, file: echoesKey(s.Path), quality: 75, guard: guard, probe: new(telemetry.Probe), log: slog.New(slog.DiscardHandler)}
}

// runEchoes takes an acquisition into a buffer.
func runEchoes(t *testing.T, s EchoesSource, b buffer) (*echoesPipeline, error) {
	t.Helper()
	p := newEchoes(s, b)
	err := capture.NewEchoesFile(s.Path, s.ID(), s.EchoesOptions).Run(t.Context(), p.take)
	return p, errors.Join(err, p.faults())
}

func keysOf(b *fakeBuffer) (keys []string) {
	for _, d := range b.drafts {
		keys = append(keys, d.Key)
	}
	return keys
}

func TestAnAcquisitionGoesUpTheLadder(t *testing.T) {
	path := writeEchoes(t, t.TempDir(), "bay", echoLines, "start_time: 2030-05-01T10:00:00Z\n")
	b := &fakeBuffer{}
	p, err := runEchoes(t, echoesSource(path), b)
	if err != nil {
		t.Fatal(err)
	}
	blocks := len(p.plan.Blocks)
	if blocks < 2 {
		t.Fatalf("%d blocks: the test needs several", blocks)
	}
	m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: b.of(event.Scene)[0].Data})
	if err != nil || m.Radar == nil || m.Radar.Lines != echoLines || len(m.Tiles) != blocks || m.ID != "bay" || m.FileBytes != 2*echoLines*echoSamples {
		t.Fatalf("%+v, %v", m, err)
	}

	t.Run("targets are urgent, and where they are", func(t *testing.T) {
		alerts, drafts := alertsOf(t, b)
		if len(alerts) != len(echoTargets) {
			t.Fatalf("%d alerts for %d targets: %+v", len(alerts), len(echoTargets), alerts)
		}
		for i, a := range alerts {
			d := drafts[i]
			at := time.Date(2030, 5, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(a.Row / echoPRF * float64(time.Second)))
			if math.Abs(a.Row-float64(echoTargets[i][0])) > 0.5 || math.Abs(a.Col-float64(echoTargets[i][1])) > 0.5 || a.Time == nil || a.Time.Sub(at).Abs() > 20*time.Millisecond ||
				d.Priority != event.Urgent || d.Subject != fmt.Sprintf("bay/%d", a.Target) || len(d.Data) > 400 || a.ClutterDB < a.ThresholdDB {
				t.Errorf("target %v: %s of %s, priority %d", echoTargets[i], d.Data, d.Subject, d.Priority)
			}
		}
	})
	t.Run("amplitude is that of the image", func(t *testing.T) {
		tiles := b.of(event.Result)
		if len(tiles) != 1 || tiles[0].Rung != event.RungMask || tiles[0].Type != sar.AmplitudeType {
			t.Fatalf("%d tiles of amplitude", len(tiles))
		}
		got, err := sar.DecodeAmplitude(tiles[0].Data)
		if err != nil || got.Cols != echoSamples || got.Rows != echoLines || got.Width != echoSamples || got.Height != echoLines {
			t.Fatalf("%+v, %v", got, err)
		}
		is := got.Amplitudes()
		for _, d := range b.of(event.Tile) {
			plan, block, raw, gains, err := sar.DecodeEchoes(d.Data)
			if err != nil {
				t.Fatal(err)
			}
			im, err := plan.Focus(t.Context(), block, raw, gains)
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range im.Pix {
				want := cmplx.Abs(complex128(v))
				if level := got.Level[im.FirstRow*im.Cols+i]; level > 1 && math.Abs(20*math.Log10(want/float64(is[level]))) > 0.252 {
					t.Fatalf("pixel %d of block %d: %g, level %d is %g", i, block.Index, want, level, is[level])
				}
			}
		}
	})
	t.Run("echoes come last, whole, for any worker", func(t *testing.T) {
		file, _ := os.ReadFile(strings.TrimSuffix(path, "yaml") + "iq8")
		raws := b.of(event.Tile)
		if len(raws) != blocks {
			t.Fatalf("%d of %d blocks", len(raws), blocks)
		}
		for i, d := range raws {
			plan, block, raw, _, err := sar.DecodeEchoes(d.Data)
			from, n := p.plan.Stored(p.plan.Blocks[i])
			if err != nil || block.Index != i || len(plan.Blocks) != blocks || string(raw) != string(file[from*2*echoSamples:(from+n)*2*echoSamples]) {
				t.Errorf("block %d: %v", i, err)
			}
			if d.Attrs.Want != "focus" || d.Attrs.Tile != event.RadarTile(i) || d.Rung != event.RungFull || d.Priority != event.Normal || m.Tiles[i].Bytes != len(d.Data) {
				t.Errorf("block %d: %+v, %d bytes", i, d.Attrs, len(d.Data))
			}
		}
		look := b.of(event.Frame)
		if len(look) != 1 || look[0].Rung != event.RungThumbnail || look[0].Priority != event.High || look[0].Type != "image/jpeg" {
			t.Errorf("%d quicklooks", len(look))
		}
		if last := b.drafts[len(b.drafts)-1]; last.Kind != event.Scene {
			t.Errorf("%s comes after the manifest", last.Subject)
		}
	})
}

func TestATargetHasItsPlaceWhereThereIsAnOrbit(t *testing.T) {
	const orbit = "start_time: 2030-05-01T10:00:00Z\nlook_side: right\norbit:\n" +
		"  - {time: 2030-05-01T09:59:50Z, position_m: [6381137, -1000, 0], velocity_m_s: [0, 100, 0]}\n" +
		"  - {time: 2030-05-01T10:00:20Z, position_m: [6381137, 2000, 0], velocity_m_s: [0, 100, 0]}\n"
	b := &fakeBuffer{}
	p, err := runEchoes(t, echoesSource(writeEchoes(t, t.TempDir(), "bay", echoLines, orbit)), b)
	if err != nil {
		t.Fatal(err)
	}
	place, err := p.plan.Geometry()
	if err != nil {
		t.Fatal(err)
	}
	alerts, _ := alertsOf(t, b)
	for i, a := range alerts {
		lat, lon, err := place.Place(float64(echoTargets[i][0]), float64(echoTargets[i][1]), 0)
		if err != nil || a.Lat == nil || math.Abs(*a.Lat-lat) > 1e-4 || math.Abs(*a.Lon-lon) > 1e-4 {
			t.Errorf("%+v should lie at %f, %f, %v", a, lat, lon, err)
		}
	}
	if len(alerts) != len(echoTargets) {
		t.Errorf("%d alerts", len(alerts))
	}
}

// alertsOf are the alerts by the rows of their targets, and which number each has.
func alertsOf(t *testing.T, b *fakeBuffer) (all []targetAlert, drafts []draft) {
	t.Helper()
	drafts = b.of(event.Alert)
	row := func(d draft) (a targetAlert) {
		if err := json.Unmarshal(d.Data, &a); err != nil {
			t.Fatal(err)
		}
		return a
	}
	slices.SortFunc(drafts, func(x, y draft) int { return cmp.Compare(row(x).Row, row(y).Row) })
	for _, d := range drafts {
		all = append(all, row(d))
	}
	return all, drafts
}

// failingBuffer takes so many drafts and then no more, as where the process is killed.
type failingBuffer struct {
	*fakeBuffer
	left int
}

var errKilled = errors.New("killed")

func (b *failingBuffer) Commit(ctx context.Context, drafts ...draft) error {
	if b.left--; b.left < 0 {
		return errKilled
	}
	return b.fakeBuffer.Commit(ctx, drafts...)
}

func TestAnAcquisitionThatIsBegunAgainIsCommittedOnce(t *testing.T) {
	path := writeEchoes(t, t.TempDir(), "bay", echoLines, "")
	whole := &fakeBuffer{}
	if _, err := runEchoes(t, echoesSource(path), whole); err != nil {
		t.Fatal(err)
	}
	for _, after := range []int{0, 1, len(whole.drafts) / 2, len(whole.drafts) - 1} {
		b := &fakeBuffer{}
		if _, err := runEchoes(t, echoesSource(path), &failingBuffer{b, after}); !errors.Is(err, errKilled) {
			t.Fatalf("after %d: %v", after, err)
		}
		if _, err := runEchoes(t, echoesSource(path), b); err != nil {
			t.Fatal(err)
		}
		if got, want := keysOf(b), keysOf(whole); !slices.Equal(got, want) {
			t.Fatalf("killed after %d:\n%q\n%q", after, got, want)
		}
		for i, d := range b.drafts {
			if string(d.Data) != string(whole.drafts[i].Data) {
				t.Errorf("killed after %d: %s is another one", after, d.Subject)
			}
		}
	}
	// Cut otherwise it is another product, of other items.
	b, other := &fakeBuffer{}, echoesSource(path)
	other.Memory = 32 << 20
	if _, err := runEchoes(t, other, b); err != nil || slices.ContainsFunc(keysOf(b), func(k string) bool { return slices.Contains(keysOf(whole), k) }) {
		t.Errorf("%q, %v", keysOf(b), err)
	}
}

func TestADeviceThatKeepsEchoesSendsThemWhenAsked(t *testing.T) {
	dir := t.TempDir()
	path := writeEchoes(t, dir, "bay", echoLines, "")
	b, s := &fakeBuffer{}, echoesSource(path)
	s.Complex = false
	if _, err := runEchoes(t, s, b); err != nil {
		t.Fatal(err)
	}
	m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: b.of(event.Scene)[0].Data})
	if err != nil || len(b.of(event.Tile)) > 0 || m.Tiles[0].Reason != event.SentAmplitude || m.Tiles[0].Decision != event.TileSent {
		t.Fatalf("%+v, %v", m.Tiles, err)
	}
	index, err := openSceneIndex(filepath.Join(dir, "scenes.json"))
	if err == nil {
		err = index.put(indexedScene{Scene: "bay", Path: path, File: echoesKey(path), Echoes: &s.EchoesOptions})
	}
	if err == nil {
		index, err = openSceneIndex(filepath.Join(dir, "scenes.json")) // as after a restart
	}
	if err != nil {
		t.Fatal(err)
	}
	q := newQueries(b, index, &captureRequests{}, slog.New(slog.DiscardHandler))
	for tile, want := range map[string]string{"0_1": event.QuerySent, "0_99": event.QueryUnknown} {
		if err := q.answer(t.Context(), event.Query{ID: "q-" + tile, Scene: "bay", Tile: tile}); err != nil {
			t.Fatal(err)
		}
		var a event.QueryAnswer
		answers := b.of(event.Answer)
		if err := json.Unmarshal(answers[len(answers)-1].Data, &a); err != nil || a.Answer != want {
			t.Errorf("%s: %+v, %v", tile, a, err)
		}
	}
	raws := b.of(event.Tile)
	if len(raws) != 1 || raws[0].Priority != event.High || raws[0].Attrs.Want != "focus" {
		t.Fatalf("%d blocks", len(raws))
	}
	if _, block, _, _, err := sar.DecodeEchoes(raws[0].Data); err != nil || block.Index != 1 {
		t.Errorf("block %d, %v", block.Index, err)
	}
}
