package store

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestAFolderKeepsObjects(t *testing.T) {
	ctx := t.Context()
	dir := t.TempDir() + "/new"
	s, err := Open(ctx, "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Put(ctx, "data/mast-7/01", []byte("pixels")); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(ctx, "data/mast-7/01", 100)
	if err != nil || !bytes.Equal(got, []byte("pixels")) {
		t.Fatalf("%q %v", got, err)
	}
	if keys, err := s.Keys(ctx, "data/"); err != nil || len(keys) != 1 || keys[0] != "data/mast-7/01" {
		t.Fatalf("%v %v", keys, err)
	}
	if _, err := s.Get(ctx, "data/mast-7/01", 3); err == nil || !strings.Contains(err.Error(), "more than 3") {
		t.Fatalf("an object over the limit was read: %v", err)
	}
	if got, err := s.Range(ctx, "data/mast-7/01", 2, 100); err != nil || string(got) != "xels" {
		t.Fatalf("%q %v", got, err)
	}
	for range 2 {
		if err := s.Delete(ctx, "data/mast-7/01"); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Get(ctx, "data/mast-7/01", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestAnAddressThatIsNoURLIsRefused(t *testing.T) {
	if _, err := Open(t.Context(), "/tmp/objects"); err == nil || !strings.Contains(err.Error(), "file:///dir") {
		t.Fatalf("got %v", err)
	}
}
