package edge

import (
	"context"
	"encoding/binary"
	"errors"
	"log/slog"
	"math"
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
)

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
