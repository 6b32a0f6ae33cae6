package integration

import (
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// TestAClassifierOfOnesOwnTakesFilesAndNoCode lays the pack image-classes with a network whose scores
// are the means of red, green and blue, and submits pictures, one of a kind that workers do not read and one of a
// phone.
func TestAClassifierOfOnesOwnTakesFilesAndNoCode(t *testing.T) {
	t.Parallel()
	pack := filepath.Join(root(t), "firmware-configs", "packs", "image-classes")
	f := newFleet(t, startBrokers(t))
	models := filepath.Join(f.dir, "models", "parts_quality")
	if err := os.MkdirAll(filepath.Join(models, "1"), 0o755); err != nil {
		t.Fatal(err)
	}
	copyFile(t, filepath.Join(pack, "models", "parts_quality", "model.yaml"), filepath.Join(models, "model.yaml"))
	copyFile(t, filepath.Join(root(t), "shared", "infer", "testdata", "tiny_classes.onnx"), filepath.Join(models, "1", "model.onnx"))
	layPack(t, f, pack, filepath.Dir(models))
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")

	folder := filepath.Join(t.TempDir(), "parts")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"good": "parts/red.png", "scratched": "parts/green.gif", "dented": "parts/blue.png"}
	for name, c := range map[string]color.RGBA{"red.png": {R: 200, A: 255}, "green.gif": {G: 200, A: 255}, "blue.png": {B: 200, A: 255}} {
		im := image.NewRGBA(image.Rect(0, 0, 64, 48))
		draw.Draw(im, im.Rect, image.NewUniform(c), image.Point{}, draw.Src)
		out, err := os.Create(filepath.Join(folder, name))
		switch {
		case err != nil:
		case filepath.Ext(name) == ".gif":
			err = gif.Encode(out, im, nil)
		default:
			err = png.Encode(out, im)
		}
		if err != nil {
			t.Fatal(err)
		}
		out.Close()
	}
	copyFile(t, filepath.Join(root(t), "shared", "pictures", "album", "try", "small.heic"), filepath.Join(folder, "phone.HEIC"))
	k := f.kafka(t)
	until(t, 2*time.Minute, "the topics", func() bool { _, err := k.Offsets(t.Context(), event.WorkTopic); return err == nil })
	if code, out := run(t, "canvas-cloud", "--config", f.config, "submit", "--want", "classify", folder); code != 0 {
		t.Fatalf("submit: %d\n%s", code, out)
	}
	until(t, 2*time.Minute, "four results", func() bool { return f.count(t, k, event.ResultsTopic) == 4 })
	for _, i := range f.results(t, k) {
		var found struct {
			Classes []struct{ Label string }
		}
		decodeJSON(t, i.Data, &found)
		if i.Subject == "parts/phone.HEIC" && len(found.Classes) > 0 {
			continue // of many colours
		}
		if len(found.Classes) == 0 || want[found.Classes[0].Label] != i.Subject || i.Attrs.Model != "parts_quality" {
			t.Errorf("%s by %s: %s", i.Subject, i.Attrs.Model, i.Data)
		}
	}
}

// TestThePackTextReadsWhatIsWrittenInPictures lets a worker find and read the words of a picture.
func TestThePackTextReadsWhatIsWrittenInPictures(t *testing.T) {
	t.Parallel()
	home := os.Getenv("CANVAS_HOME")
	if home == "" {
		home = filepath.Join(root(t), ".deps")
	}
	models := filepath.Join(home, "models")
	if _, err := os.Stat(filepath.Join(models, "ppocr_v4_rec")); err != nil {
		t.Skipf("the networks for text are not there (%v); make setup brings them", err)
	}
	f := newFleet(t, startBrokers(t))
	layPack(t, f, filepath.Join(root(t), "firmware-configs", "packs", "text"), models)
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	folder := t.TempDir()
	copyFile(t, filepath.Join(root(t), "cloud", "worker", "native", "testdata", "words.png"), filepath.Join(folder, "words.png"))
	k := f.kafka(t)
	until(t, 2*time.Minute, "the topics", func() bool { _, err := k.Offsets(t.Context(), event.WorkTopic); return err == nil })
	if code, out := run(t, "canvas-cloud", "--config", f.config, "submit", "--want", "text", folder); code != 0 {
		t.Fatalf("submit: %d\n%s", code, out)
	}
	until(t, 2*time.Minute, "the result", func() bool { return f.count(t, k, event.ResultsTopic) == 1 })
	result := f.results(t, k)[0]
	var found struct {
		Pipeline struct {
			Findings []struct{ Looks []struct{ Text string } }
		}
	}
	decodeJSON(t, result.Data, &found)
	var words []string
	for _, line := range found.Pipeline.Findings {
		for _, l := range line.Looks {
			words = append(words, strings.ReplaceAll(l.Text, " ", ""))
		}
	}
	slices.Sort(words)
	if want := []string{"CANVAS", "HARBOUR27", "gateopen"}; !slices.Equal(words, want) || result.Attrs.Model != "text" || result.Attrs.ModelVersion != "1+1" {
		t.Errorf("read %q, want %q, by %s %s", words, want, result.Attrs.Model, result.Attrs.ModelVersion)
	}
}

// layPack puts a pack's lines into the fleet's cloud.yaml, with models from that folder.
func layPack(t *testing.T, f *fleet, pack, models string) {
	t.Helper()
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
	write(t, f.config, "%s%s", own.String(), strings.ReplaceAll(string(lines), "/var/lib/canvas/models", models))
}

// results are what workers have found so far.
func (f *fleet) results(t *testing.T, k *kafka.Client) (items []event.Item) {
	t.Helper()
	offsets, err := k.Offsets(t.Context(), event.ResultsTopic)
	if err != nil {
		t.Fatal(err)
	}
	for p, o := range offsets {
		if err := k.Scan(t.Context(), event.ResultsTopic, p, o.First, o.End, func(r kafka.Record) error {
			i, err := r.Item()
			items = append(items, i)
			return err
		}); err != nil {
			t.Fatal(err)
		}
	}
	return items
}
