package integration

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// TestAClassifierOfOnesOwnTakesFilesAndNoCode lays the pack image-classes with a network whose scores
// are the means of red, green and blue, and submits pictures.
func TestAClassifierOfOnesOwnTakesFilesAndNoCode(t *testing.T) {
	pack := filepath.Join(root(t), "firmware-configs", "packs", "image-classes")
	f := newFleet(t, startBrokers(t))
	models := filepath.Join(f.dir, "models", "parts_quality")
	if err := os.MkdirAll(filepath.Join(models, "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(pack, "models", "parts_quality", "model.yaml"), filepath.Join(models, "model.yaml"))
	copyFile(t, filepath.Join(root(t), "shared", "infer", "testdata", "tiny_classes.onnx"), filepath.Join(models, "1", "model.onnx"))
	lines, err := os.ReadFile(filepath.Join(pack, "cloud.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(f.config)
	if err != nil {
		t.Fatal(err)
	}
	var own strings.Builder
	for line := range strings.Lines(string(config)) {
		if !strings.HasPrefix(line, "worker:") && !strings.HasPrefix(line, "models:") {
			own.WriteString(line)
		}
	}
	write(t, f.config, "%s%s", own.String(), strings.ReplaceAll(string(lines), "/var/lib/canvas/models", filepath.Dir(models)))
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")

	folder := filepath.Join(t.TempDir(), "parts")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"good": "parts/red.png", "scratched": "parts/green.png", "dented": "parts/blue.png"}
	for name, c := range map[string]color.RGBA{"red": {R: 200, A: 255}, "green": {G: 200, A: 255}, "blue": {B: 200, A: 255}} {
		im := image.NewRGBA(image.Rect(0, 0, 64, 48))
		draw.Draw(im, im.Rect, image.NewUniform(c), image.Point{}, draw.Src)
		out, err := os.Create(filepath.Join(folder, name+".png"))
		if err == nil {
			err = png.Encode(out, im)
		}
		if err != nil {
			t.Fatal(err)
		}
		out.Close()
	}
	k := f.kafka(t)
	until(t, time.Minute, "the topics", func() bool { _, err := k.Offsets(t.Context(), event.WorkTopic); return err == nil })
	if code, out := run(t, "canvas-cloud", "--config", f.config, "submit", "--want", "classify", folder); code != 0 {
		t.Fatalf("submit: %d\n%s", code, out)
	}
	until(t, time.Minute, "three results", func() bool { return f.count(t, k, event.ResultsTopic) == 3 })
	offsets, err := k.Offsets(t.Context(), event.ResultsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		if err := k.Scan(t.Context(), event.ResultsTopic, p, o.First, o.End, func(r broker.Record) error {
			i, err := r.Item()
			if err != nil {
				return err
			}
			var found struct {
				Classes []struct{ Label string }
			}
			decodeJSON(t, i.Data, &found)
			if len(found.Classes) == 0 || want[found.Classes[0].Label] != i.Subject || i.Attrs.Model != "parts_quality" {
				return fmt.Errorf("%s by %s: %s", i.Subject, i.Attrs.Model, i.Data)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	}
}
