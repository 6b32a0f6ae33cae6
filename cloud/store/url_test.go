package store

import (
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func TestAFolderOfAnyNameIsTheFolderOfItsAddress(t *testing.T) {
	root := t.TempDir()
	for _, name := range []string{"run #1", "a?b=c", "100%", "%41", "Bücher für мир 図", "plain"} {
		dir := filepath.Join(root, name)
		s, err := Open(t.Context(), FolderURL(dir))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if err := s.Put(t.Context(), "a/b #1?%", []byte("x")); err != nil {
			t.Error(err)
		}
		if s.Folder() != dir {
			t.Errorf("%s is the folder %s", name, s.Folder())
		}
		if _, err := os.Stat(dir); err != nil {
			t.Error(err)
		}
		s.Close()
	}
	if entries, _ := os.ReadDir(root); len(entries) != 6 {
		t.Errorf("other folders were made: %v", entries)
	}
}

func TestAnAddressThatWouldBeAnotherFolderIsRefused(t *testing.T) {
	for _, address := range []string{"file:///data/run #1", "file:///data/run?1", "file://data/objects", "file://"} {
		if s, err := Open(t.Context(), address); err == nil {
			t.Errorf("%s is taken for %s", address, s.Folder())
			s.Close()
		}
	}
}

func TestAddressesOfFoldersAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir := filepath.Clean("/" + rapid.StringMatching(`[^\x00]{0,40}`).Draw(t, "dir"))
		u, err := url.Parse(FolderURL(dir))
		if err != nil || u.Path != dir || FolderProblem(u) != "" {
			t.Fatalf("%q is read as %+v: %v", dir, u, err)
		}
	})
}
