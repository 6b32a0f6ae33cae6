package store

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"pgregory.net/rapid"

	"cloudcanvas/shared/durable/disktest"
)

func open(t testing.TB, dir string) *Store {
	t.Helper()
	s, err := Open(context.Background(), "file://"+dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// former is the store as earlier programs opened a folder.
func former(t testing.TB, dir string) *blob.Bucket {
	t.Helper()
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

func TestAFolderIsLaidOutAsFileblobDoes(t *testing.T) {
	dir := t.TempDir()
	s, old := open(t, dir), former(t, dir)
	ctx := t.Context()
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.SampledFrom([]string{"items", "parts/7", "models"}).Draw(t, "under") + "/" +
			rapid.StringMatching(`[a-z./\n :_é-]{0,12}x`).Draw(t, "key")
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		theirs := old.WriteAll(ctx, key, data, nil)
		ours := s.Put(ctx, key, data)
		if (theirs == nil) != (ours == nil) {
			t.Fatalf("%q: fileblob says %v, the store says %v", key, theirs, ours)
		}
		if ours != nil {
			return
		}
		defer old.Delete(ctx, key) // an object takes the name of a folder
		if got, err := old.ReadAll(ctx, key); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q: fileblob reads %d bytes of %d: %v", key, len(got), len(data), err)
		}
		if err := old.Delete(ctx, key); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if err := old.WriteAll(ctx, key, data, nil); err != nil {
			t.Fatalf("%q: %v", key, err)
		}
		if got, err := s.Get(ctx, key, 1<<20); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%q: what fileblob wrote reads as %d bytes of %d: %v", key, len(got), len(data), err)
		}
	})
}

func TestAStoreThatAnEarlierProgramWroteIsReadAndListed(t *testing.T) {
	ctx, dir := t.Context(), t.TempDir()
	old := former(t, dir)
	keys := []string{"items/mast-7/01K0/5-01K1", "models/people/2/model.yaml", "parts/9/mast-7/01K0/17/ab/4/0", "parts/9/mast-7/01K0/17/ab/4/1"}
	for _, key := range keys {
		if err := old.WriteAll(ctx, key, []byte(key), nil); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir)
	if err := s.Put(ctx, keys[0], []byte("anew")); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Keys(ctx, ""); err != nil || !slices.Equal(got, keys) {
		t.Fatalf("%v %v", got, err)
	}
	if got, err := s.Get(ctx, keys[0], 10); err != nil || string(got) != "anew" {
		t.Fatalf("%q %v", got, err)
	}
	if got, err := s.Get(ctx, keys[3], 100); err != nil || string(got) != keys[3] {
		t.Fatalf("%q %v", got, err)
	}
}

func TestKeysThatLeadOutOfTheFolderAreRefused(t *testing.T) {
	above := t.TempDir()
	s := open(t, filepath.Join(above, "in"))
	for _, key := range []string{"", ".", "..", "a/..", "./..", ".put/x", ".put", "a.attrs", "\xff"} {
		if err := s.Put(t.Context(), key, []byte("x")); err == nil {
			t.Errorf("%q was written", key)
		}
	}
	for _, key := range []string{"../out", "a/../../out", "/", "//"} { // written with other names, as fileblob does
		if err := s.Put(t.Context(), key, []byte("x")); err != nil {
			t.Error(err)
		}
	}
	if all, err := os.ReadDir(above); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}

func TestWhatACrashLeftUnfinishedIsSweptAndNeverListed(t *testing.T) {
	dir := t.TempDir()
	at := filepath.Join(dir, unfinished)
	if err := os.MkdirAll(at, 0o755); err != nil {
		t.Fatal(err)
	}
	old, fresh := filepath.Join(at, "old"), filepath.Join(at, "fresh")
	for _, path := range []string{old, fresh} {
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chtimes(old, time.Now(), time.Now().Add(-2*stale)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	if err := s.Put(t.Context(), "a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if keys, err := s.Keys(t.Context(), ""); err != nil || !slices.Equal(keys, []string{"a"}) {
		t.Errorf("%v %v", keys, err)
	}
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("the old one is still there: %v", err)
	}
	if _, err := os.Stat(fresh); err != nil {
		t.Errorf("one that may still be written is gone: %v", err)
	}
}

func TestAFolderThatIsRemovedWhileItIsEmptyIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for range 2 {
		if err := s.Put(t.Context(), "a/b/c", []byte("x")); err != nil {
			t.Fatal(err)
		}
		if err := os.RemoveAll(filepath.Join(dir, "a")); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAPowerCutTakesNoObjectThatPutHasWritten(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	disk := disktest.Ext4(t, at)
	dir := filepath.Join(at, "deep", "store")
	gone := 0
	for round := range 4 {
		s, old := open(t, dir), former(t, dir)
		put := map[string][]byte{}
		var mu sync.Mutex
		var all sync.WaitGroup
		for n := range 16 {
			all.Go(func() {
				key := fmt.Sprintf("parts/%d/mast-7/%d/%d/%d", round, n%3, n%5, n)
				data := bytes.Repeat([]byte{byte(round), byte(n)}, 1+n*3000)
				if err := s.Put(context.Background(), key, data); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				put[key] = data
			})
		}
		all.Wait()
		unsynced := fmt.Sprintf("former/%d", round)
		if err := old.WriteAll(t.Context(), unsynced, bytes.Repeat([]byte("x"), 9000), nil); err != nil {
			t.Fatal(err)
		}
		disk.CutPower()
		if err := s.Put(t.Context(), "later", []byte("x")); err == nil || strings.Contains(err.Error(), "\n") {
			t.Errorf("without power the error was %q", err)
		}
		disk.Replug()
		for key, data := range put {
			if got, err := s.Get(t.Context(), key, 1<<20); err != nil || !bytes.Equal(got, data) {
				t.Errorf("round %d: %s has %d bytes of %d: %v", round, key, len(got), len(data), err)
			}
		}
		if data, err := old.ReadAll(t.Context(), unsynced); err != nil || len(data) == 0 {
			gone++
		}
	}
	if gone == 0 {
		t.Error("what fileblob wrote without a sync survived every cut: these were no power cuts")
	}
}

// TestAPowerCutTakesNoObjectThatKeysHasNamed writes as a process does that dies between the object's name
// and its sync.
func TestAPowerCutTakesNoObjectThatKeysHasNamed(t *testing.T) {
	at := filepath.Join(t.TempDir(), "disk")
	disk := disktest.Ext4(t, at)
	dir := filepath.Join(at, "store")
	s := open(t, dir)
	part, err := s.folder.write([]byte("synced, but not its name"))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.folder.place(part, filepath.Join(dir, "parts", "7", "0")); err != nil {
		t.Fatal(err)
	}
	if keys, err := open(t, dir).Keys(t.Context(), "parts/"); err != nil || len(keys) != 1 {
		t.Fatalf("%v %v", keys, err)
	}
	disk.CutPower()
	disk.Replug()
	if got, err := s.Get(t.Context(), "parts/7/0", 100); err != nil || string(got) != "synced, but not its name" {
		t.Fatalf("%q %v", got, err)
	}
}
