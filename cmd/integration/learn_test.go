package integration

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// TestDefectsAreFoundByADetectorThatHasSeenGoodPartsOnly takes views of one place of a photograph as
// good parts, a little moved and lit each time, and puts a stain on some of those to come.
func TestDefectsAreFoundByADetectorThatHasSeenGoodPartsOnly(t *testing.T) {
	t.Parallel()
	in, err := os.Open(asset(t, "images/skimage_motorcycle_left.png"))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	photo, err := png.Decode(in)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	good, line, models := filepath.Join(dir, "good"), filepath.Join(dir, "line"), filepath.Join(dir, "models")
	random := rand.New(rand.NewPCG(1, 2))
	for n := range 20 {
		view(t, photo, random, filepath.Join(good, fmt.Sprintf("%02d.png", n)), image.Rectangle{})
	}
	const stains = 6
	stained := image.Rect(150, 170, 190, 200)
	for n := range 2 * stains {
		stain := image.Rectangle{}
		if n < stains {
			stain = stained
		}
		view(t, photo, random, filepath.Join(line, fmt.Sprintf("%02d.png", n)), stain)
	}
	code, said := run(t, "canvas-edge", "models", "learn", "--good", good, "--backbone", "yolox_nano", "--models", filepath.Dir(asset(t, "models/yolox_nano.onnx")), "--out", models, "carburettor")
	if code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	if code, said = run(t, "canvas-edge", "models", "learn", "--good", good, "--backbone", "yolox_nano", "--models", filepath.Dir(asset(t, "models/yolox_nano.onnx")), "--out", models, "carburettor"); code == 0 {
		t.Errorf("a second model of that name: %s", said)
	}
	out := filepath.Join(dir, "out")
	if code, said = run(t, "canvas", "process", "--images", line, "--detector", "carburettor", "--models", models, "--out", out); code != 0 {
		t.Fatalf("%d: %s", code, said)
	}
	var found []struct {
		ImageID string     `json:"image_id"`
		BBox    [4]float64 `json:"bbox"`
		Score   float64    `json:"score"`
	}
	readJSON(t, filepath.Join(out, "line", "detections.json"), &found)
	defects := map[string]bool{}
	for _, d := range found {
		if d.Score < 0.55 {
			continue
		}
		box := image.Rect(int(d.BBox[0]), int(d.BBox[1]), int(d.BBox[0]+d.BBox[2]), int(d.BBox[1]+d.BBox[3]))
		if !box.Overlaps(stained.Inset(-16)) { // what is beside it looks odd too
			t.Errorf("a defect of %s at %v", d.ImageID, box)
		}
		defects[d.ImageID] = true
	}
	for n := range 2 * stains {
		if name := fmt.Sprintf("%02d.png", n); defects[name] != (n < stains) {
			t.Errorf("%s: defect %v", name, defects[name])
		}
	}
}

// view writes a part of a photograph, a little moved, lit and noisy, with a stain on it.
func view(t *testing.T, photo image.Image, random *rand.Rand, path string, stain image.Rectangle) {
	t.Helper()
	at := image.Pt(200+random.IntN(5), 60+random.IntN(5))
	im := image.NewRGBA(image.Rect(0, 0, 320, 320))
	draw.Draw(im, im.Bounds(), photo, at, draw.Src)
	light := 0.95 + 0.1*random.Float64()
	for i, v := range im.Pix {
		if i%4 != 3 {
			im.Pix[i] = uint8(max(0, min(255, float64(v)*light+3*random.NormFloat64())))
		}
	}
	draw.Draw(im, stain, image.NewUniform(color.RGBA{R: 150, G: 60, B: 20, A: 255}), image.Point{}, draw.Src)
	writePNG(t, path, im)
}

// writePNG writes a picture, and the folder around it.
func writePNG(t *testing.T, path string, im image.Image) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := png.Encode(out, im); err != nil {
		t.Fatal(err)
	}
}
