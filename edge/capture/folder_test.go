package capture

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fileSource gives one picture of a file, and Last.
type fileSource struct{ path string }

func (f fileSource) Name() string { return filepath.Base(f.path) }

func (f fileSource) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	if strings.HasPrefix(string(data), "bad") {
		return errOpen
	}
	if err := emit(ctx, Picture{Stream: f.Name()}); err != nil {
		return err
	}
	return emit(ctx, Picture{Stream: f.Name(), Last: true, Frame: 1})
}

// watchFolder looks at a folder for so long (of the test's own time) and gives the names it took.
func watchFolder(t *testing.T, c FolderConfig, long time.Duration, commit bool) (names []string, counts FolderCounts) {
	t.Helper()
	f := NewFolder(c, func(path string) (Source, error) { return fileSource{path}, nil }, quiet)
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	f.Run(ctx, func(_ context.Context, p Picture) error {
		if p.Last {
			names = append(names, p.Stream)
			if commit {
				p.Committed()
			}
		}
		return nil
	})
	return names, f.Counts()
}

func equal(t *testing.T, got []string, want ...string) {
	t.Helper()
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("took %v, want %v", got, want)
	}
}

func TestAFolderTakesEachSettledFileOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, "b.tif", []byte("one"))
		put(t, dir, "A.TIF", []byte("two"))
		put(t, dir, "c.tif.part", []byte("half"))
		put(t, dir, ".d.tif", []byte("hidden"))
		put(t, dir, "e.jpg", []byte("other"))
		put(t, dir, "f.tif", []byte("bad file"))
		put(t, dir, "g.tif", nil)
		got, counts := watchFolder(t, FolderConfig{Path: dir}, time.Minute, true)
		equal(t, got, "A.TIF", "b.tif")
		if counts != (FolderCounts{Read: 2, Failed: 2, Passed: 1}) {
			t.Errorf("counts %+v", counts)
		}
		// The next run remembers, and takes only what has changed.
		put(t, dir, "b.tif", []byte("another"))
		got, _ = watchFolder(t, FolderConfig{Path: dir}, time.Minute, true)
		equal(t, got, "b.tif")
	})
}

func TestAFileThatStillGrowsIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		go func() {
			for i := range 10 {
				put(t, dir, "a.tif", make([]byte, i+1))
				time.Sleep(3 * time.Second)
			}
		}()
		got, _ := watchFolder(t, FolderConfig{Path: dir}, 30*time.Second, true)
		equal(t, got)
		got, _ = watchFolder(t, FolderConfig{Path: dir}, 30*time.Second, true)
		equal(t, got, "a.tif")
	})
}

func TestAFileThatIsNotCommittedIsReadAgainAfterARestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, "a.tif", []byte("one"))
		for range 2 {
			got, _ := watchFolder(t, FolderConfig{Path: dir}, time.Minute, false)
			equal(t, got, "a.tif")
		}
	})
}

func TestFilesThatWereReadAreMovedOrDeletedAndFailedOnesKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[string]string{Move: "done/a.tif failed/b.tif", Delete: "failed/b.tif"} {
			dir := t.TempDir()
			put(t, dir, "a.tif", []byte("one"))
			put(t, dir, "b.tif", []byte("bad"))
			watchFolder(t, FolderConfig{Path: dir, After: after}, time.Minute, true)
			left, _ := filepath.Glob(filepath.Join(dir, "*", "*.tif"))
			here, _ := filepath.Glob(filepath.Join(dir, "*.tif"))
			for i := range left {
				left[i], _ = filepath.Rel(dir, left[i])
			}
			if got := strings.Join(append(left, here...), " "); got != want {
				t.Errorf("%s: %s, want %s", after, got, want)
			}
		}
	})
}

func TestAFolderThatIsAwayIsWaitedForAndWithABrokenListAllIsReadAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := filepath.Join(t.TempDir(), "later")
		go func() {
			time.Sleep(20 * time.Second)
			os.Mkdir(dir, 0o700)
			put(t, dir, ".canvas-read.json", []byte("{"))
			put(t, dir, "a.tif", []byte("one"))
		}()
		got, _ := watchFolder(t, FolderConfig{Path: dir}, time.Minute, true)
		equal(t, got, "a.tif")
		put(t, dir, ".canvas-read.json", []byte("{"))
		got, _ = watchFolder(t, FolderConfig{Path: dir}, time.Minute, true)
		equal(t, got, "a.tif")
	})
}

func TestTheDelayBetweenTriesGrowsAndStartsAgainAfterALongLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var starts []time.Duration
		began := time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
		defer cancel()
		Restart{}.keep(ctx, func(ctx context.Context) (time.Time, error) {
			starts = append(starts, time.Since(began))
			if len(starts) == 8 {
				time.Sleep(2 * time.Minute)
				return time.Now(), errOpen
			}
			return time.Time{}, errOpen
		}, func(time.Time) {})
		gap := func(i int) time.Duration { return starts[i] - starts[i-1] }
		for i, most := range []time.Duration{1, 2, 4, 6, 6, 6, 6} {
			if g := gap(i + 1); g > most*time.Second || g < most*time.Second*3/4 {
				t.Errorf("gap %d is %s", i+1, g)
			}
		}
		if g := gap(8) - 2*time.Minute; g > 5*time.Second/4 {
			t.Errorf("after a long life the gap is %s", g)
		}
	})
}
