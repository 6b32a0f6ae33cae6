package album

import (
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAPictureOfAFileIsReadByItsName(t *testing.T) {
	dir := t.TempDir()
	in := func(name string, pages ...page) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, tiffOf(binary.LittleEndian, pages...), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	two, one := in("two.tif", page{w: 5, h: 4, value: 9}, page{w: 5, h: 4, value: 8}), in("one#3", page{w: 5, h: 4, value: 7})
	for path, want := range map[string]byte{two + "#1": 9, two + "#2": 8, one: 7, one + "#1": 7} {
		if im, err := Read(path, 100); err != nil || im.Pix[0] != want {
			t.Errorf("%s: %v", path, err)
		}
	}
	for path, want := range map[string]string{two: "it has 2 pages; name the one", two + "#3": "no picture 3", two + "#0": "no such file", two + "#x": "no such file"} {
		if _, err := Read(path, 100); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
