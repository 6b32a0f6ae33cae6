package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/vision"
)

// openStd stands for the native decoder.
var openStd = onePicture(decodeStd)

// onePicture opens files of one picture each.
func onePicture(decode func(data []byte, maxPixels int) (vision.Image, vision.Notes, error)) Open {
	return func(_ context.Context, data []byte, maxPixels int) (Opened, error) {
		return single{data, func() (vision.Image, vision.Notes, error) { return decode(data, maxPixels) }}, nil
	}
}

type single struct {
	data   []byte
	decode func() (vision.Image, vision.Notes, error)
}

func (s single) Count() int                     { return 1 }
func (s single) Name(file string, _ int) string { return file }
func (s single) Skipped() string                { return "" }
func (s single) Native(int) []byte              { return s.data }
func (s single) Close()                         {}
func (s single) Picture(context.Context, int) (vision.Image, vision.Notes, error) {
	return s.decode()
}

func decodeStd(data []byte, maxPixels int) (im vision.Image, notes vision.Notes, err error) {
	c, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return im, notes, err
	}
	if c.Width*c.Height > maxPixels {
		return im, notes, fmt.Errorf("%d x %d are too many pixels", c.Width, c.Height)
	}
	read, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return im, notes, err
	}
	out := vision.Image{W: c.Width, H: c.Height, Pix: make([]byte, 0, c.Width*c.Height*3)}
	for y := range c.Height {
		for x := range c.Width {
			p := color.RGBAModel.Convert(read.At(x, y)).(color.RGBA)
			out.Pix = append(out.Pix, p.B, p.G, p.R)
		}
	}
	return out, notes, nil
}

func pngOf(t testing.TB, w, h int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, w, h))); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func put(t testing.TB, dir, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestImagesComeByNameAndABadOneIsLeftOut(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b.png", pngOf(t, 4, 3))
	put(t, dir, "a.PNG", pngOf(t, 2, 2))
	put(t, dir, "c.jpg", []byte("no picture"))
	put(t, dir, "d.jpg", nil)
	put(t, dir, "notes.txt", []byte("not asked for"))
	pictures, err := collect(t.Context(), NewImages(ImagesConfig{Name: "set", Path: dir}, openStd, quiet))
	if err != nil {
		t.Fatal(err)
	}
	if len(pictures) != 3 || pictures[0].Name != "a.PNG" || pictures[1].Name != "b.png" || pictures[1].Frame != 1 || pictures[1].Image.W != 4 {
		t.Errorf("pictures %+v", pictures)
	}
	if last := pictures[2]; !last.Last || last.Frame != 2 || !strings.Contains(last.Partial, "2 of 4 images") || !strings.Contains(last.Partial, "c.jpg") {
		t.Errorf("last %+v", last)
	}
}

func TestImagesMayBeAGlobOrOneFile(t *testing.T) {
	dir := t.TempDir()
	one := put(t, dir, "one.png", pngOf(t, 2, 2))
	put(t, dir, "two.png", pngOf(t, 2, 2))
	for path, want := range map[string]int{filepath.Join(dir, "o*.png"): 1, filepath.Join(dir, "*"): 2, one: 1} {
		pictures, err := collect(t.Context(), NewImages(ImagesConfig{Path: path}, openStd, quiet))
		if err != nil || len(pictures)-1 != want {
			t.Errorf("%s: %d pictures, %v", path, len(pictures)-1, err)
		}
	}
	if name := NewImages(ImagesConfig{Path: one}, openStd, quiet).Name(); name != "one" {
		t.Errorf("name %q", name)
	}
}

func TestImagesBeyondTheLimitsAreLeftOutUndecoded(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "bomb.png", pngOf(t, 300, 300))
	put(t, dir, "long.png", append(pngOf(t, 2, 2), make([]byte, 5000)...))
	pictures, err := collect(t.Context(), NewImages(ImagesConfig{Path: dir, MaxPixels: 1000, MaxBytes: 4000}, openStd, quiet))
	if err != nil || len(pictures) != 1 || !strings.Contains(pictures[0].Partial, "2 of 2") {
		t.Errorf("%+v, %v", pictures, err)
	}
}

func TestALargeTIFFIsSentToTheWindowsUnread(t *testing.T) {
	dir := t.TempDir()
	head := "II*\x00\x08\x00\x00\x00\x02\x00\x00\x01\x04\x00\x01\x00\x00\x00\x40\x9c\x00\x00\x01\x01\x04\x00\x01\x00\x00\x00\x30\x75\x00\x00\x00\x00\x00\x00"
	put(t, dir, "slide.svs", append([]byte(head), make([]byte, 5000)...))
	pictures, err := collect(t.Context(), NewImages(ImagesConfig{Path: dir, MaxBytes: 4000}, openStd, quiet))
	if err != nil || len(pictures) != 1 || !strings.Contains(pictures[0].Partial, "40000 x 30000 pixels") || !strings.Contains(pictures[0].Partial, "canvas detect --scene") {
		t.Errorf("%+v, %v", pictures, err)
	}
}

func TestNoImagesAtAllIsAnError(t *testing.T) {
	for _, path := range []string{t.TempDir(), "/no/such/folder", "/no/such/*.png", "["} {
		if _, err := collect(t.Context(), NewImages(ImagesConfig{Name: "x", Path: path}, openStd, quiet)); err == nil {
			t.Errorf("%s gave no error", path)
		}
	}
}

func TestConfigurationMistakesAreAllNamed(t *testing.T) {
	var fields []string
	add := func(field, _, hint string) {
		if hint == "" {
			t.Errorf("%s has no hint", field)
		}
		fields = append(fields, field)
	}
	CameraConfig{Name: "a b", Address: "http://x/y", Transport: "carrier", Width: 3, Rate: -1, Queue: -1, DecodeThreads: 99}.Problems(add)
	ImagesConfig{Path: "[", MaxBytes: -1}.Problems(add)
	ReadingConfig{Readings: -1}.Problems(add)
	FolderConfig{Patterns: []string{"["}, After: "burn", Settle: -1}.Problems(add)
	got, want := strings.Join(fields, " "), "name address width transport decode_threads rate queue path max_bytes readings path patterns.0 after settle"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	fields = nil
	CameraConfig{Name: "gate", Address: "rtsp://u:p@host/x"}.Problems(add)
	if fields != nil {
		t.Errorf("%v", fields)
	}
}

var errOpen = errors.New("cannot be opened")
