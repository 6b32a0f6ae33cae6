package onnx

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/shared/model/modeltest"
)

// TestWeightsOutsideTheFolderAreNeverRead names files that are elsewhere, or are none.
func TestWeightsOutsideTheFolderAreNeverRead(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, make([]byte, 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(dir, "models")
	if err := os.Mkdir(home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(home, "link")); err != nil {
		t.Fatal(err)
	}
	for location, says := range map[string]string{
		secret: "not a file beside it", "../secret": "not a file beside it", "..": "not a file beside it", "": "not a file beside it",
		"link": "no regular file", ".": "not a file beside it", "missing": "not beside it; copy both",
	} {
		name := location
		if name == "" {
			name = "\x00"
		}
		onnx, _ := modeltest.Exported{Pixels: 8, Beside: name, Outputs: []modeltest.Given{{Name: "y", Dims: []int64{1, 4}}}}.Files()
		path := filepath.Join(home, "best.onnx")
		if err := os.WriteFile(path, onnx, 0o600); err != nil {
			t.Fatal(err)
		}
		if whole, _, err := OneFile(path, t.TempDir()); err == nil || !strings.Contains(err.Error(), says) && location != "" {
			t.Errorf("%q: %s, %v", location, whole, err)
		}
		if _, _, err := Read(path); err == nil {
			t.Errorf("%q is read as it is: %v", location, err)
		}
	}
}

// TestWeightsBesideAreReadWithinBounds uses the same bytes again and again.
func TestWeightsBesideAreReadWithinBounds(t *testing.T) {
	g := gatherer{dir: t.TempDir(), left: MaxSize, open: map[string]*os.File{}}
	defer g.close()
	if err := os.WriteFile(filepath.Join(g.dir, "w"), []byte("0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	says := map[string]string{"location": "w", "offset": "2", "length": "8"}
	for turn := range 3 {
		data, err := g.read(says)
		if turn < 2 && (err != nil || string(data) != "23456789") || turn == 2 && err == nil {
			t.Errorf("turn %d: %s %v", turn, data, err)
		}
	}
	for _, wrong := range []map[string]string{
		{"location": "w", "offset": "-1"}, {"location": "w", "offset": "11"}, {"location": "w", "length": "99999999999999999999"}, {"location": "w", "offset": "5", "length": "6"},
	} {
		g.taken, g.left = 0, MaxSize
		if data, err := g.read(wrong); err == nil {
			t.Errorf("%v gives %s", wrong, data)
		}
	}
}
