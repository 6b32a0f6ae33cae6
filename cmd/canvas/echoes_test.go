package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/edge"
	"cloudcanvas/edge/capture"
)

func TestAFolderOfEchoesIsItsYAMLFiles(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"bay.yaml", "bay.iq8", "bay.agc.txt", "cape.YML", "bay.tif"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	hz := -6900.0
	j := job{out: t.TempDir(), echoes: []string{dir, filepath.Join(dir, "bay.yaml")}, scenes: []string{filepath.Join(dir, "bay.tif")},
		radar: capture.EchoesOptions{DopplerCentroidHz: &hz}}
	c, err := j.edge()
	if err != nil || len(c.Scenes) != 1 || len(c.Echoes) != 2 {
		t.Fatalf("%d scenes, %d acquisitions, %v", len(c.Scenes), len(c.Echoes), err)
	}
	for i, want := range []string{"bay-2", "cape"} { // the scene has the name bay
		if s := c.Echoes[i]; s.Name != want || s.Focus != edge.FocusCloud || !s.Complex || *s.DopplerCentroidHz != hz {
			t.Errorf("%+v", s)
		}
	}
	c.Edge, c.Data, c.Cloud.URL = "process", dir, "tcp://127.0.0.1:1"
	c.Problems(func(field, message, hint string) { t.Errorf("%s: %s; %s", field, message, hint) })
	if _, err := (job{out: t.TempDir(), echoes: []string{t.TempDir()}}).edge(); err == nil || !strings.Contains(err.Error(), ".yaml") {
		t.Errorf("an empty folder: %v", err)
	}
}
