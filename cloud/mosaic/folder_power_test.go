package mosaic

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/shared/durable/disktest"
)

// TestAPowerCutTakesNoProductThatWasCommitted commits a product and its later state, and cuts the power.
func TestAPowerCutTakesNoProductThatWasCommitted(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	disk := disktest.Ext4(t, at)
	store := Folder(filepath.Join(at, "deep", "products"))
	for round := range 3 {
		state := bytes.Repeat([]byte{byte('a' + round)}, 9000)
		d, err := store.Draft("mast-7/S1")
		if err != nil {
			t.Fatal(err)
		}
		files := []string{"item.json", "mask.tif", fmt.Sprintf("annotated/frame_%06d.jpg", round)}
		for _, name := range files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(d.Dir(), name)), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(d.Dir(), name), state, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Commit(t.Context()); err != nil {
			t.Fatal(err)
		}
		disk.CutPower()
		disk.Replug()
		for _, name := range files {
			got, err := os.ReadFile(filepath.Join(string(store), "mast-7", "S1", name))
			if err != nil || !bytes.Equal(got, state) {
				t.Errorf("round %d: %s has %d bytes of %d: %v", round, name, len(got), len(state), err)
			}
		}
	}
}
