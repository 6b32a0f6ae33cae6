package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/vision"
)

func folderIn(t *testing.T, dir, name string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

// names are those of the pictures before the last, which is given as well.
func names(t *testing.T, c ImagesConfig) (all string, last Picture) {
	t.Helper()
	pictures, err := collect(t.Context(), NewImages(c, openStd, quiet))
	if err != nil {
		t.Fatal(err)
	}
	var reported []string
	for _, p := range pictures[:len(pictures)-1] {
		reported = append(reported, p.Name)
	}
	return strings.Join(reported, " "), pictures[len(pictures)-1]
}

func TestPicturesAreFoundByWhatTheyAre(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "noending", pngOf(t, 2, 2))
	put(t, dir, "scan.dat", pngOf(t, 2, 2))
	put(t, dir, "wrong.jpg", pngOf(t, 2, 2))
	put(t, dir, ".trashed.png", pngOf(t, 2, 2))
	put(t, dir, "labels.json", []byte("{}"))
	if all, last := names(t, ImagesConfig{Name: "x", Path: dir}); all != "noending scan.dat wrong.jpg" || last.Partial != "" {
		t.Errorf("%s, %q", all, last.Partial)
	}
	put(t, dir, "phone.HEIC", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"))
	put(t, dir, "film", []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomavc1"))
	all, last := names(t, ImagesConfig{Name: "x", Path: dir})
	if all != "noending scan.dat wrong.jpg" || !strings.Contains(last.Partial, "2 of 5 images could not be read") {
		t.Errorf("%s, %q", all, last.Partial)
	}
}

func TestFoldersInAFolderAreTakenByChoiceAndReportedOtherwise(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "b.png", pngOf(t, 2, 2))
	put(t, folderIn(t, dir, "a/deep"), "c.png", pngOf(t, 2, 2))
	put(t, folderIn(t, dir, "labels"), "c.txt", []byte("0 0.5"))
	put(t, folderIn(t, dir, ".thumbnails"), "t.png", pngOf(t, 2, 2))
	all, last := names(t, ImagesConfig{Name: "x", Path: dir})
	if all != "b.png" || !strings.Contains(last.Partial, "1 folders with pictures in them were not looked into") || !strings.Contains(last.Partial, "--folders") {
		t.Errorf("%s, %q", all, last.Partial)
	}
	if all, last := names(t, ImagesConfig{Name: "x", Path: dir, Folders: true}); all != "a/deep/c.png b.png" || last.Partial != "" {
		t.Errorf("%s, %q", all, last.Partial)
	}
	if err := os.Remove(filepath.Join(dir, "b.png")); err != nil {
		t.Fatal(err)
	}
	if _, err := collect(t.Context(), NewImages(ImagesConfig{Name: "x", Path: dir}, openStd, quiet)); err == nil || !strings.Contains(err.Error(), "--folders") {
		t.Errorf("a folder of folders: %v", err)
	}
}

// twoPictures is a file of three pages, of which the second can't be read.
type twoPictures struct{ single }

func (twoPictures) Count() int                     { return 3 }
func (twoPictures) Name(file string, i int) string { return fmt.Sprintf("%s#%d", file, i+1) }
func (twoPictures) Skipped() string                { return "its cover" }
func (twoPictures) Native(int) []byte              { return nil }
func (twoPictures) Picture(_ context.Context, i int) (vision.Image, vision.Notes, error) {
	if i == 1 {
		return vision.Image{}, vision.Notes{}, errors.New("torn")
	}
	return vision.Image{W: 1, H: 1, Pix: make([]byte, 3)}, vision.Notes{Spacing: vision.Spacing{X: float64(i + 1), Y: 2}}, nil
}

func TestEachPictureOfAFileComesWithItsNameAndWhatIsMissingIsReported(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.png", pngOf(t, 2, 2))
	put(t, dir, "b.tif", []byte("II*\x00"))
	open := func(ctx context.Context, data []byte, most int) (Opened, error) {
		if data[0] == 'I' {
			return twoPictures{}, nil
		}
		return openStd(ctx, data, most)
	}
	pictures, err := collect(t.Context(), NewImages(ImagesConfig{Name: "x", Path: dir}, open, quiet).Guarded(func(_ context.Context, _, name string, data []byte) (func(), error) {
		if name != "a.png" {
			t.Errorf("%s is kept, though nothing of this process reads it: %q", name, data)
		}
		return func() {}, nil
	}))
	if err != nil || len(pictures) != 4 || pictures[1].Name != "b.tif#1" || pictures[2].Name != "b.tif#3" || pictures[2].Frame != 2 || pictures[2].Spacing.X != 3 {
		t.Fatalf("%+v, %v", pictures, err)
	}
	last := pictures[3]
	for _, want := range []string{"1 of 2 images could not be read", "b.tif#2: torn", "1 of 2 images were taken in part: b.tif: its cover"} {
		if !strings.Contains(last.Partial, want) {
			t.Errorf("%q does not say %q", last.Partial, want)
		}
	}
}

func TestAPictureTakenInPartIsLoggedOnceAndReportedInTheEnd(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.tif", "b.tif", "c.tif"} {
		put(t, dir, name, []byte(name))
	}
	decode := func(data []byte, _ int) (vision.Image, vision.Notes, error) {
		notes := vision.Notes{Assumed: "12 bits"}
		if string(data) != "a.tif" {
			notes.Left = "its other pages"
		}
		return vision.Image{W: 1, H: 1, Pix: make([]byte, 3)}, notes, nil
	}
	var log bytes.Buffer
	pictures, err := collect(t.Context(), NewImages(ImagesConfig{Name: "x", Path: dir}, onePicture(decode), slog.New(slog.NewTextHandler(&log, nil))))
	if err != nil || len(pictures) != 4 || pictures[3].Partial != "2 of 3 images were taken in part: b.tif: its other pages" {
		t.Errorf("%d pictures, %q, %v", len(pictures), pictures[len(pictures)-1].Partial, err)
	}
	if n := strings.Count(log.String(), "12 bits"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, &log)
	}
}
