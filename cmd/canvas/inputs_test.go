package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestExpandTakesFilesFoldersGlobsAndAddresses(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"b.tif", "a.TIF", "notes.txt", "c.jpg"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := func(names ...string) (paths []string) {
		for _, n := range names {
			paths = append(paths, filepath.Join(dir, n))
		}
		return paths
	}
	for _, c := range []struct {
		argument string
		want     []string
	}{
		{dir, in("a.TIF", "b.tif")},
		{filepath.Join(dir, "*.txt"), in("notes.txt")},
		{filepath.Join(dir, "c.jpg"), in("c.jpg")},
		{filepath.Join(dir, "gone.tif"), in("gone.tif")},
		{"rtsp://10.0.0.1/stream", []string{"rtsp://10.0.0.1/stream"}},
	} {
		got, err := expand(c.argument, rasterEndings, nil)
		if err != nil || !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v %v", c.argument, got, err)
		}
	}
	for _, bad := range []string{filepath.Join(dir, "*.jp2"), t.TempDir()} {
		if _, err := expand(bad, rasterEndings, nil); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestAProductThatCantBeReadIsAmongTheScenes(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"broken.SAFE/MTD_MSIL1C.xml": "<x></x>", "notes/a.txt": "x", "several/a/MTD_MSIL1C.xml": "<x/>", "several/b/MTD_MSIL1C.xml": "<x/>"} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	broken := filepath.Join(dir, "broken.SAFE")
	for _, argument := range []string{dir, broken, filepath.Join(broken, "MTD_MSIL1C.xml")} {
		if got, err := expandScenes(argument, nil); err != nil || !slices.Equal(got, []string{broken}) {
			t.Errorf("%s: %v %v", argument, got, err)
		}
	}
	if got, err := expandScenes(filepath.Join(dir, "notes"), nil); err == nil {
		t.Errorf("a folder without scenes: %v", got)
	}
}
