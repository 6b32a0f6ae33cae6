package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestAnImageIsToldFromASceneByWhatItIs(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		data         string
		found, image bool
	}{
		"photo":         {"\xFF\xD8\xFF\xE0", true, true},
		"phone.bin":     {"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", true, true},
		"scene.tif":     {"II*\x00\x08\x00\x00\x00", true, false},
		"picture.tif":   {"\x89PNG\r\n\x1a\n", true, true},
		"scene.nc":      {"CDF\x01", true, false},
		"broken.jpg":    {"no photo", true, true},
		"volume.nii.gz": {"no volume", true, true},
		"notes.txt":     {"notes", false, false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		files, _ := filesUnder(dir)
		if found := len(files) == 1; found != c.found {
			t.Errorf("%s: found %v", name, files)
		}
		if image := isImage(path); image != c.image {
			t.Errorf("%s: an image: %v", name, image)
		}
		os.Remove(path)
	}
}
