package capture

import (
	"bytes"
	"context"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// productSource gives one picture of a file or a product's folder; it fails where that holds a file "bad".
type productSource struct{ path string }

func (p productSource) Name() string { return filepath.Base(p.path) }

func (p productSource) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	if _, err := os.Stat(filepath.Join(p.path, "bad")); err == nil {
		return errOpen
	}
	return emit(ctx, Picture{Stream: p.Name(), Last: true, Frame: 1})
}

const safeName = "S2B_MSIL1C_20230823T095559_N0509_R122_T34UCF_20230823T120234"

// putSAFE writes what tells a Sentinel-2 product and the images that it has, which hold no pixels.
func putSAFE(t *testing.T, dir string, images ...string) {
	t.Helper()
	putIn(t, dir, "MTD_MSIL1C.xml", []byte(`<x><General_Info><Product_Info><PROCESSING_LEVEL>Level-1C</PROCESSING_LEVEL><Product_Organisation><Granule_List><Granule>
<IMAGE_FILE>GRANULE/IMG_DATA/T34UCF_20230823T095559_B02</IMAGE_FILE><IMAGE_FILE>GRANULE/IMG_DATA/T34UCF_20230823T095559_B03</IMAGE_FILE>
</Granule></Granule_List></Product_Organisation></Product_Info>
<Product_Image_Characteristics><QUANTIFICATION_VALUE>10000</QUANTIFICATION_VALUE></Product_Image_Characteristics></General_Info></x>`))
	for _, id := range images {
		putIn(t, dir, "GRANULE/IMG_DATA/T34UCF_20230823T095559_"+id+".jp2", []byte("pixels"))
	}
}

// putIn is put in a folder that may not be there yet.
func putIn(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
		t.Fatal(err)
	}
	put(t, dir, name, data)
}

// watchProducts looks at a folder for so long, and gives the names it took and the log.
func watchProducts(t *testing.T, c FolderConfig, long time.Duration) (names []string, counts FolderCounts, said string) {
	t.Helper()
	var log bytes.Buffer
	f := NewFolder(c, func(path string) (Source, error) { return productSource{path}, nil }, slog.New(slog.NewTextHandler(&log, nil)))
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	f.Run(ctx, func(_ context.Context, p Picture) error {
		names = append(names, p.Stream)
		p.Committed()
		return nil
	})
	return names, f.Counts(), log.String()
}

func TestAWatchedFolderTakesProductsBesideFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		putSAFE(t, filepath.Join(dir, safeName+".SAFE"), "B02", "B03")
		putSAFE(t, filepath.Join(dir, "renamed"), "B02", "B03")
		landsat := "LC09_L2SP_195025_20220601_20220603_02_T1"
		putIn(t, filepath.Join(dir, landsat), landsat+"_SR_B2.TIF", []byte("pixels"))
		for _, name := range []string{"a.zip", "b.tar", "c.tif", "d.tar.gz"} {
			put(t, dir, name, []byte("one"))
		}
		putIn(t, filepath.Join(dir, "notes"), "x.txt", []byte("other"))
		put(t, dir, "x.txt", []byte("other"))
		put(t, dir, "y.txt", []byte("other"))
		putSAFE(t, filepath.Join(dir, "coming.SAFE.part"), "B02", "B03")
		putSAFE(t, filepath.Join(dir, "done"), "B02", "B03")
		if err := os.Symlink(filepath.Join(dir, "c.tif"), filepath.Join(dir, "link.tif")); err != nil {
			t.Fatal(err)
		}

		want := []string{landsat, safeName + ".SAFE", "a.zip", "b.tar", "c.tif", "d.tar.gz", "renamed"}
		got, counts, said := watchProducts(t, FolderConfig{Path: dir}, 2*time.Minute)
		equal(t, got, want...)
		if counts != (FolderCounts{Read: 7, Passed: 4}) {
			t.Errorf("counts %+v", counts)
		}
		for _, once := range []string{"end in .txt", "the folder notes is passed over", "links in the folder"} {
			if n := strings.Count(said, once); n != 1 {
				t.Errorf("%q is said %d times:\n%s", once, n, said)
			}
		}
		// The next run remembers, and reads a product again of which a file has changed.
		putIn(t, filepath.Join(dir, safeName+".SAFE"), "GRANULE/IMG_DATA/T34UCF_20230823T095559_B03.jp2", []byte("other pixels"))
		got, _, _ = watchProducts(t, FolderConfig{Path: dir}, 2*time.Minute)
		equal(t, got, safeName+".SAFE")
	})
}

func TestAProductThatIsStillCopiedIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		safe := filepath.Join(dir, safeName+".SAFE")
		putSAFE(t, safe, "B02")
		go func() {
			time.Sleep(30 * time.Second)
			putSAFE(t, safe, "B02", "B03")
		}()
		got, _, said := watchProducts(t, FolderConfig{Path: dir}, 45*time.Second)
		equal(t, got, safeName+".SAFE")
		if strings.Count(said, "waits for 1 files") != 1 {
			t.Errorf("said:\n%s", said)
		}

		// One of which a file never comes is read at last.
		safe = filepath.Join(dir, "half.SAFE")
		putSAFE(t, safe, "B02")
		got, _, _ = watchProducts(t, FolderConfig{Path: dir}, 50*time.Second)
		equal(t, got)
		got, _, _ = watchProducts(t, FolderConfig{Path: dir}, 70*time.Second)
		equal(t, got, "half.SAFE")

		// A file in it that is being written is waited for however long that takes.
		putSAFE(t, filepath.Join(dir, "third.SAFE"), "B02", "B03")
		putIn(t, filepath.Join(dir, "third.SAFE"), "B04.jp2.part", []byte("half"))
		got, _, _ = watchProducts(t, FolderConfig{Path: dir}, 5*time.Minute)
		equal(t, got)
	})
}

func TestProductsThatWereReadAreMovedOrDeletedAndFailedOnesKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[string]string{Move: "done/a.SAFE done/a.SAFE-2 failed/b.SAFE", Delete: "failed/b.SAFE"} {
			dir := t.TempDir()
			for range 2 { // the second of the same name is put beside the first
				putSAFE(t, filepath.Join(dir, "a.SAFE"), "B02", "B03")
				watchProducts(t, FolderConfig{Path: dir, After: after}, time.Minute)
			}
			putSAFE(t, filepath.Join(dir, "b.SAFE"), "B02", "B03")
			putIn(t, filepath.Join(dir, "b.SAFE"), "bad", []byte("it"))
			watchProducts(t, FolderConfig{Path: dir, After: after}, time.Minute)
			var left []string
			for _, pattern := range []string{"*.SAFE", "*/*.SAFE*"} {
				found, _ := fs.Glob(os.DirFS(dir), pattern)
				left = append(left, found...)
			}
			if got := strings.Join(left, " "); got != want {
				t.Errorf("%s: %s, want %s", after, got, want)
			}
		}
	})
}

func TestWhatChangedWhileItWasReadIsNotPutAway(t *testing.T) {
	dir := t.TempDir()
	safe := filepath.Join(dir, "a.SAFE")
	putSAFE(t, safe, "B02", "B03")
	print, _, err := fingerprintOf(safe)
	if err != nil {
		t.Fatal(err)
	}
	putIn(t, safe, "GRANULE/IMG_DATA/T34UCF_20230823T095559_B04.jp2", []byte("pixels"))
	f := NewFolder(FolderConfig{Path: dir, After: Delete}, nil, quiet)
	if err := f.putAway("a.SAFE", print, doneFolder); err != nil || !isFolder(safe) {
		t.Errorf("a folder that has changed is gone: %v", err)
	}
}

func TestPatternsOfOnesOwnTakeOnlyWhatTheyName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		putSAFE(t, filepath.Join(dir, "a.SAFE"), "B02", "B03")
		put(t, dir, "b.zip", []byte("one"))
		put(t, dir, "c.img", []byte("one"))
		got, counts, _ := watchProducts(t, FolderConfig{Path: dir, Patterns: []string{"*.img"}}, time.Minute)
		equal(t, got, "c.img")
		if counts.Passed != 2 {
			t.Errorf("counts %+v", counts)
		}
	})
}
