package outbox

import (
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

func TestABufferLivesInAFolderOfAnyName(t *testing.T) {
	root := t.TempDir()
	names := []string{"run #1", "a?mode=ro", "100%", "%41", "Bücher 図", "a&b=c;d"}
	for _, name := range names {
		dir := filepath.Join(root, name)
		b, err := Open(dir, "e", DefaultConfig(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		life := b.DatabaseID()
		b.Close()
		r, err := OpenReader(dir, "e")
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.DatabaseID != life {
			t.Errorf("%s: the reader looks into another buffer", name)
		}
		r.Close()
	}
	if entries, _ := os.ReadDir(root); len(entries) != len(names) {
		t.Errorf("other folders were made: %v", entries)
	}
}
