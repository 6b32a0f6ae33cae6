package integration

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/quantise/tiny"
)

// TestAModelIsGivenEightBitsOnPicturesOfTheUsersOwn goes from a bare model in a folder to an engine more.
func TestAModelIsGivenEightBitsOnPicturesOfTheUsersOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	models, pictures := filepath.Join(dir, "models"), filepath.Join(dir, "pictures")
	if err := os.MkdirAll(filepath.Join(models, "tiny", "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(models, "tiny", "model.yaml"), "task: segment\ninput: {colour: rgb, size: [32, 32], std: [255]}\noutput: {decoder: dense, activation: logits, labels: [a, b, c]}\n")
	write(t, filepath.Join(models, "tiny", "1", "model.onnx"), "%s", tiny.Network(tiny.Options{}))
	for n := range 8 {
		wavy(t, filepath.Join(pictures, fmt.Sprintf("%d.png", n)), n)
	}
	plan := filepath.Join(models, "tiny", "int8.json")
	quantise := func(more ...string) (int, string) {
		return run(t, "canvas-edge", append(append([]string{"models", "quantise", "--models", models, "--images", pictures}, more...), "tiny")...)
	}
	if code, said := quantise("--agreement", "2"); code != 2 || !strings.Contains(said, "up to 1") {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := quantise("--pictures", "2"); code != 2 || !strings.Contains(said, "least") {
		t.Errorf("%d: %s", code, said)
	}
	if _, err := os.Stat(plan); err == nil {
		t.Fatal("something was written for wrong usage")
	}
	if code, said := quantise("--agreement", "0.9"); code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	if _, err := os.Stat(plan); err != nil {
		t.Fatal(err)
	}
	if code, said := run(t, "canvas-edge", "models", "verify", "--models", models, "tiny"); code != 0 || !strings.Contains(said, "onnxruntime-int8") {
		t.Errorf("%d: %s", code, said)
	}
}

// wavy writes a smooth picture, another for each n.
func wavy(t *testing.T, path string, n int) {
	t.Helper()
	im := image.NewRGBA(image.Rect(0, 0, tiny.Side, tiny.Side))
	for y := range tiny.Side {
		for x := range tiny.Side {
			v := func(c float64) uint8 {
				return uint8(127 + 120*math.Sin(float64(x)/(2+float64(n%5))+c)*math.Cos(float64(y)/(3+float64(n%7))+float64(n)))
			}
			im.Set(x, y, color.RGBA{v(2), v(1), v(0), 255})
		}
	}
	writePNG(t, path, im)
}
