package durable

import (
	"errors"
	"os"
	"path/filepath"
	gosync "sync"
	"sync/atomic"
	"testing"
)

func TestAFileIsWrittenWholeIntoFoldersThatAreMade(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	for range 2 {
		if err := MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "file")
	for _, text := range []string{"first", "second"} {
		if err := WriteFile(path, []byte(text), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Fatalf("%q %v", got, err)
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Fatalf("%v %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Fatalf("it left %v behind", left)
	}
	if err := SyncTree(filepath.Dir(dir)); err != nil {
		t.Fatal(err)
	}
	if err := SyncTree(dir + "none"); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

// TestThoseWhoAskWhileAFolderIsSyncedShareTheNextSync holds the first sync until all others wait.
func TestThoseWhoAskWhileAFolderIsSyncedShareTheNextSync(t *testing.T) {
	began, release := make(chan struct{}), make(chan struct{})
	var syncs atomic.Int32
	g := Group{sync: func(string) error {
		if syncs.Add(1) == 1 {
			close(began)
			<-release
			return nil
		}
		return errors.New("the second fails")
	}}
	var all gosync.WaitGroup
	all.Go(func() {
		if err := g.Folder("a"); err != nil {
			t.Errorf("the first got the error of the second: %v", err)
		}
	})
	<-began
	var waiting []*turn
	for range 7 {
		waiting = append(waiting, g.join("a"))
	}
	close(release)
	for _, w := range waiting {
		if <-w.done; w.err == nil {
			t.Error("one that shared the second sync did not learn that it failed")
		}
	}
	all.Wait()
	if n := syncs.Load(); n != 2 {
		t.Errorf("eight asked and %d syncs were made, not 2", n)
	}
	if err := (&Group{}).Folder(t.TempDir()); err != nil {
		t.Error(err)
	}
}
