package simulate

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"cloudcanvas/shared/raster"

	"go.uber.org/goleak"
)

func read(t *testing.T, path string) (raster.Info, [][]float32) {
	t.Helper()
	s, err := raster.Open(path, raster.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info := s.Info()
	im, err := s.Read(raster.Window{W: info.Width, H: info.Height}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if im.Void != nil {
		t.Errorf("%s has pixels without data", path)
	}
	return info, im.Planes
}

func TestASimulatedSceneHasTheCloudsItWasAskedFor(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, share := range []float64{0, 0.1, 0.4, 0.8} {
		dir := t.TempDir()
		if err := Scene(t.Context(), SceneOptions{Out: dir, Width: 900, Height: 700, Clouds: share, Seed: 7}); err != nil {
			t.Fatal(err)
		}
		info, planes := read(t, filepath.Join(dir, "scene.tif"))
		if !info.Simulated || !info.Georef.Known() || info.DataType != "UInt16" || len(info.Bands) != 6 || info.ScaleFrom != "file" {
			t.Errorf("%+v", info)
		}
		truth, classes := read(t, filepath.Join(dir, "truth.tif"))
		if !truth.Simulated || truth.Georef != info.Georef {
			t.Errorf("%+v", truth)
		}
		var count [3]int
		var blue [3]float64
		for i, c := range classes[0] {
			class := int(math.Round(float64(c) * 255))
			count[class]++
			blue[class] += float64(planes[0][i])
		}
		n := float64(len(planes[0]))
		if got := float64(count[2]) / n; math.Abs(got-share) > 0.08 {
			t.Errorf("%.3f of the scene is cloud, not %.1f", got, share)
		}
		if share > 0 {
			clear, shadow, cloud := blue[0]/float64(count[0]), blue[1]/float64(count[1]), blue[2]/float64(count[2])
			if !(shadow < clear*0.95 && clear < cloud/2 && cloud < 0.9) {
				t.Errorf("blue: clear %.3f, shadow %.3f, cloud %.3f", clear, shadow, cloud)
			}
		}
	}
}

func TestTheSameSeedMakesTheSameScene(t *testing.T) {
	make := func(seed uint64) [][]float32 {
		dir := t.TempDir()
		if err := Scene(t.Context(), SceneOptions{Out: dir, Width: 300, Height: 200, Clouds: 0.3, Seed: seed}); err != nil {
			t.Fatal(err)
		}
		_, planes := read(t, filepath.Join(dir, "scene.tif"))
		return planes
	}
	a, b, c := make(1), make(1), make(2)
	if !slices.Equal(a[3], b[3]) || slices.Equal(a[3], c[3]) {
		t.Error("the seed does not decide the scene")
	}
}

func TestWindowsMeetWithoutSeams(t *testing.T) {
	o := SceneOptions{Width: 4096, Height: 2048, Clouds: 0.5, Seed: 3}
	s := newSky(o)
	whole := s.over(raster.Window{X: 1000, Y: 500, W: 200, H: 100})
	right := s.over(raster.Window{X: 1100, Y: 530, W: 100, H: 70})
	for y := range 70 {
		for x := range 100 {
			a, b := (y+30)*200+x+100, y*100+x
			if math.Abs(float64(whole.opacity[a]-right.opacity[b])) > 1e-4 || math.Abs(float64(whole.shade[a]-right.shade[b])) > 1e-4 {
				t.Fatalf("pixel %d,%d: %v and %v", x, y, whole.opacity[a], right.opacity[b])
			}
		}
	}
	for i := range whole.opacity { // shadows lie where they should
		x, y := i%200, i/200
		if sx, sy := x-s.dx, y-s.dy; sx >= 0 && sy >= 0 && sx < 200 && sy < 100 && whole.shade[i] != whole.opacity[sy*200+sx] {
			t.Fatalf("the shadow at %d,%d is not that of the cloud at %d,%d", x, y, sx, sy)
		}
	}
}

func TestARealBaseIsKeptBetweenTheClouds(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "base.tif")
	w, err := raster.Create(path, raster.Layout{Width: 50, Height: 40, Bands: []string{"B02", "B03", "B04", "B01"}, DataType: "UInt16"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pixels := make([]uint16, 50*40*4)
	for i := range pixels {
		pixels[i] = uint16(800 + 100*(i/2000))
	}
	if err := errors.Join(w.Write(raster.Window{W: 50, H: 40}, pixels), w.Finish()); err != nil {
		t.Fatal(err)
	}
	if err := Scene(t.Context(), SceneOptions{Out: dir, Width: 200, Height: 300, Base: path, Seed: 1}); err != nil {
		t.Fatal(err)
	}
	info, planes := read(t, filepath.Join(dir, "scene.tif"))
	if !slices.Equal(info.Bands, []string{"blue", "green", "red", "coastal"}) {
		t.Errorf("%v", info.Bands)
	}
	for b, want := range []float64{0.08, 0.09, 0.1, 0.11} {
		var sum float64
		for _, v := range planes[b] {
			sum += float64(v)
		}
		if got := sum / float64(len(planes[b])); math.Abs(got/want-1) > 0.1 {
			t.Errorf("band %d is %.4f, not %.2f", b, got, want)
		}
	}
}

func TestImpossibleScenesAreRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	os.WriteFile(file, nil, 0o644)
	for _, o := range []SceneOptions{
		{}, {Out: dir, Width: -1}, {Out: dir, Width: 1 << 30, Height: 100}, {Out: dir, Clouds: 1}, {Out: dir, Clouds: math.NaN()},
		{Out: dir, Base: filepath.Join(dir, "none.tif")}, {Out: filepath.Join(file, "below"), Width: 20, Height: 20},
	} {
		if err := Scene(t.Context(), o); err == nil {
			t.Errorf("%+v is made", o)
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := Scene(ctx, SceneOptions{Out: dir, Width: 3000, Height: 3000}); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tif*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func BenchmarkScene(b *testing.B) {
	for b.Loop() {
		if err := Scene(b.Context(), SceneOptions{Out: b.TempDir(), Width: 4096, Height: 1024, Clouds: 0.4}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(4096*1024*float64(b.N)/1e6/b.Elapsed().Seconds(), "MP/s")
}
