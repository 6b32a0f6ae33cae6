package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestADemoRemovesOnlyWhatItMade(t *testing.T) {
	out := t.TempDir()
	write := func(names ...string) {
		for _, name := range names {
			path := filepath.Join(out, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	there := func() []string {
		names, err := filesIn(out)
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	write("thesis.txt", "scene/mine.tif")
	if err := removeMade(out); err != nil {
		t.Fatal(err)
	}
	before := there()
	write("scene/mask.tif", "scene/tiles/0_0.png", "video/frames.json")
	if err := noteMade(out, before); err != nil {
		t.Fatal(err)
	}
	write("scene/tiles/note.txt", "video/other.json")
	if err := removeMade(out); err != nil {
		t.Fatal(err)
	}
	if got, want := there(), []string{"scene/mine.tif", "scene/tiles/note.txt", "thesis.txt", "video/other.json"}; !slices.Equal(got, want) {
		t.Errorf("%q is left, not %q", got, want)
	}
	outside := filepath.Join(t.TempDir(), "outside")
	if err := os.WriteFile(outside, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	rel, _ := filepath.Rel(out, outside)
	if err := os.WriteFile(filepath.Join(out, madeList), []byte(rel+"\n/etc/hostname\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := removeMade(out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(outside); err != nil {
		t.Error("a list of another's removes what is outside")
	}
}
