package edge

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/cmplx"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/crashguard"
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
		alerts := b.of(event.Alert)
		if len(alerts) != len(echoTargets) {
			for _, d := range alerts {
				t.Logf("%s", d.Data)
			}
			t.Fatalf("%d alerts for %d targets", len(alerts), len(echoTargets))
		}
		for i, d := range alerts {
			var a targetAlert
			if err := json.Unmarshal(d.Data, &a); err != nil {
				t.Fatal(err)
			}
			at := time.Date(2030, 5, 1, 10, 0, 0, 0, time.UTC).Add(time.Duration(a.Row / echoPRF * float64(time.Second)))
			if math.Abs(a.Row-float64(echoTargets[i][0])) > 0.5 || math.Abs(a.Col-float64(echoTargets[i][1])) > 0.5 || a.Time == nil || a.Time.Sub(at).Abs() > 20*time.Millisecond ||
				d.Priority != event.Urgent || d.Subject != fmt.Sprintf("bay/%d", i+1) || len(d.Data) > 400 || a.ClutterDB < a.ThresholdDB {
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

func TestEchoesThatCanNotBeUsedNameTheParameter(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(dir, path string)
		want  []string
	}{
		"the file is short": {want: []string{"data", "lines", "bay.iq8"}, spoil: func(dir, _ string) { os.Truncate(filepath.Join(dir, "bay.iq8"), 100_000) }},
		"the chirp is longer than a line": {want: []string{"chirp_s"}, spoil: func(_, path string) {
			replaceIn(t, path, "chirp_s: 5e-06", "chirp_s: 5e-05")
		}},
		"all zeros":                   {want: []string{"data", "zeros"}, spoil: func(dir, _ string) { writeFile(t, dir, "bay.iq8", string(make([]byte, 2*echoLines*echoSamples))) }},
		"NaN":                         {want: []string{"data", "NaN", "line 0"}, spoil: spoilFloats(t)},
		"no such centroid":            {want: []string{"doppler_centroid_hz"}, spoil: func(_, path string) { replaceIn(t, path, "centroid_hz: 0", "centroid_hz: 1e6") }},
		"no YAML":                     {want: []string{"bay.yaml"}, spoil: func(dir, _ string) { writeFile(t, dir, "bay.yaml", "\x00\x01") }},
		"the echoes in place of YAML": {want: []string{"bay.yaml"}, spoil: func(dir, path string) { os.Rename(filepath.Join(dir, "bay.iq8"), path) }},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := writeEchoes(t, dir, "bay", echoLines, "")
			c.spoil(dir, path)
			for _, focus := range []string{"", FocusCloud} {
				b, s := &fakeBuffer{}, echoesSource(path)
				s.Focus = focus
				p, err := runEchoes(t, s, b)
				for _, want := range c.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("%q is not in: %v", want, err)
					}
				}
				if p.blocks > 0 || len(b.drafts) > 0 {
					t.Errorf("%d blocks, %d items", p.blocks, len(b.drafts))
				}
			}
		})
	}
}

func TestWhatLooksSaturatedIsSentWithAWarning(t *testing.T) {
	dir := t.TempDir()
	path := writeEchoes(t, dir, "bay", echoLines, "")
	raw, err := os.ReadFile(filepath.Join(dir, "bay.iq8"))
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range raw {
		raw[i] = byte(int8(max(-2, min(2, int8(v)))))
	}
	writeFile(t, dir, "bay.iq8", string(raw))
	b, s := &fakeBuffer{}, echoesSource(path)
	s.Focus = FocusCloud
	if _, err := runEchoes(t, s, b); err != nil {
		t.Fatal(err)
	}
	m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: b.of(event.Scene)[0].Data})
	if err != nil || !slices.ContainsFunc(m.Facts, func(f event.SceneFact) bool {
		return f.What == event.Implausible && strings.Contains(f.Value, "saturated")
	}) {
		t.Errorf("%+v, %v", m.Facts, err)
	}
	for _, d := range b.drafts { // a device that does not focus sends nothing else
		if d.Kind != event.Tile && d.Kind != event.Scene || d.Kind == event.Tile && d.Rung != 0 {
			t.Errorf("%s on rung %d", d.Subject, d.Rung)
		}
	}
}

// TestABlockThatKilledTheProcessIsLeftToTheCloud has its focusing refused, as after a crash.
func TestABlockThatKilledTheProcessIsLeftToTheCloud(t *testing.T) {
	path := writeEchoes(t, t.TempDir(), "bay", echoLines, "")
	b := &fakeBuffer{}
	p := newEchoes(echoesSource(path), b)
	p.guard = func(_ context.Context, _, name string, _ []byte) (func(), error) {
		if name == "0_1" {
			return nil, crashguard.ErrQuarantined
		}
		return func() {}, nil
	}
	if err := errors.Join(capture.NewEchoesFile(path, "bay", p.source.EchoesOptions).Run(t.Context(), p.take), p.faults()); err != nil {
		t.Fatal(err)
	}
	m, err := event.ParseManifest(event.Item{Kind: event.Scene, Data: b.of(event.Scene)[0].Data})
	if err != nil || len(b.of(event.Tile)) != len(m.Radar.Blocks) || !slices.ContainsFunc(m.Facts, func(f event.SceneFact) bool { return f.What == event.Implausible && strings.Contains(f.Value, "0_1") }) {
		t.Errorf("%d blocks, %+v, %v", len(b.of(event.Tile)), m.Facts, err)
	}
	tile, err := sar.DecodeAmplitude(b.of(event.Result)[0].Data)
	if err != nil {
		t.Fatal(err)
	}
	for i, block := range m.Radar.Blocks {
		if seen := tile.Level[(block.FirstRow+block.Rows/2)*echoSamples+echoSamples/2] > 0; seen != (i != 1) {
			t.Errorf("the amplitude of block %d is there: %v", i, seen)
		}
	}
}

func replaceIn(t *testing.T, path, from, to string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q, %v", path, from, err)
	}
	os.WriteFile(path, []byte(strings.Replace(string(text), from, to, 1)), 0o644)
}

// spoilFloats makes the samples 32-bit numbers, of which the first is none.
func spoilFloats(t *testing.T) func(dir, path string) {
	return func(dir, path string) {
		file := filepath.Join(dir, "bay.iq8")
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var floats []byte
		for _, v := range raw {
			floats = binary.LittleEndian.AppendUint32(floats, math.Float32bits(float32(int8(v))))
		}
		binary.LittleEndian.PutUint32(floats, math.Float32bits(float32(math.NaN())))
		os.WriteFile(file, floats, 0o644)
		replaceIn(t, path, "data:", "format: cf32\ndata:")
	}
}

// measuringBuffer keeps nothing and notes how much the process holds.
type measuringBuffer struct {
	fakeBuffer
	most uint64
}

func (b *measuringBuffer) Commit(context.Context, ...draft) error {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.most = max(b.most, m.HeapAlloc)
	return nil
}

func TestALongAcquisitionTakesNoMoreMemory(t *testing.T) {
	most := map[int]uint64{}
	for _, lines := range []int{1800, 5400} {
		b := &measuringBuffer{}
		s := echoesSource(writeEchoes(t, t.TempDir(), "bay", lines, ""))
		p, err := runEchoes(t, s, b)
		if err != nil || len(p.plan.Blocks) < 3 {
			t.Fatalf("%d blocks, %v", len(p.plan.Blocks), err)
		}
		most[lines] = b.most
	}
	// What grows with the length is the plan and the row of tiles that is being filled: 1,024 lines of 2 bytes a sample.
	if most[5400] > most[1800]+most[1800]/4+1<<20 {
		t.Errorf("%d bytes for 1800 lines, %d for 5400", most[1800], most[5400])
	}
}

func TestAWatchedFolderGoesOnAfterABadAcquisition(t *testing.T) {
	dir := t.TempDir()
	writeEchoes(t, dir, "a-bad", echoLines, "")
	replaceIn(t, filepath.Join(dir, "a-bad.yaml"), "prf_hz: 100", "prf_hz: 1")
	writeEchoes(t, dir, "b-good", echoLines, "")
	c := DefaultConfig()
	c.Edge, c.Data = "mast", t.TempDir()
	s := echoesSource("")
	s.Path, s.Folder, s.After, s.Every, s.Settle = "", dir, capture.Move, 5*time.Millisecond, 10*time.Millisecond
	box, err := outbox.Open(filepath.Join(c.Data, "outbox"), "mast", outbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	a := &Agent{config: c, outbox: box, log: slog.New(slog.DiscardHandler)}
	a.liveness.Log = a.log
	if err := a.openAttempts(); err != nil {
		t.Fatal(err)
	}
	defer a.attempts.Close()
	if a.scenes, err = openSceneIndex(filepath.Join(c.Data, "scenes.json")); err != nil {
		t.Fatal(err)
	}
	a.addEchoes(s)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { _, err := a.pipelines[0].run(ctx); ended <- err }()
	for _, file := range []string{"failed/a-bad.yaml", "failed/a-bad.iq8", "done/b-good.yaml", "done/b-good.iq8"} {
		for limit := time.Now().Add(time.Minute); ; time.Sleep(5 * time.Millisecond) {
			if _, err := os.Stat(filepath.Join(dir, file)); err == nil {
				break
			}
			if time.Now().After(limit) {
				t.Fatalf("%s is not there", file)
			}
		}
	}
	stop()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
