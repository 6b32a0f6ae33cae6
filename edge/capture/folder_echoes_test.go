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

// watchEchoes looks at a folder for so long and gives the names it took.
func watchEchoes(t *testing.T, c FolderConfig, long time.Duration) (names []string, counts FolderCounts) {
	t.Helper()
	f := NewEchoesFolder(c, func(path string) (Source, error) { return fileSource{path}, nil }, quiet)
	ctx, cancel := context.WithTimeout(t.Context(), long)
	defer cancel()
	f.Run(ctx, func(_ context.Context, p Picture) error {
		if p.Last {
			names = append(names, p.Stream)
			p.Committed()
		}
		return nil
	})
	return names, f.Counts()
}

const bay = "data: bay.iq8\nagc: bay.agc\nlines: 10\nsamples: 5\norbit: 3\n"

func TestAnAcquisitionIsTakenWhenItsEchoesAreThere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		put(t, dir, "bay.yaml", []byte(bay))
		put(t, dir, "bay.agc", []byte("1"))
		put(t, dir, "notes.txt", []byte("x"))
		put(t, dir, "cape.yaml", []byte("data: cape.iq8\nlines: 1\nsamples: 1\n")) // which never come
		go func() {
			for i := range 4 {
				time.Sleep(20 * time.Second)
				put(t, dir, "bay.iq8", make([]byte, 25*(i+1)))
			}
		}()
		got, _ := watchEchoes(t, FolderConfig{Path: dir}, 79*time.Second)
		equal(t, got, "cape.yaml") // as it is, after a minute
		got, counts := watchEchoes(t, FolderConfig{Path: dir}, 15*time.Second)
		equal(t, got, "bay.yaml")
		if counts.Passed != 1 { // the notes
			t.Errorf("%+v", counts)
		}
		// Other echoes under the same names are another acquisition.
		put(t, dir, "bay.iq8", make([]byte, 101))
		got, _ = watchEchoes(t, FolderConfig{Path: dir}, 30*time.Second)
		equal(t, got, "bay.yaml")
	})
}

func TestEchoesGoWhereTheirYAMLFileGoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[string]string{
			Move:   "done/bay.agc done/bay.iq8 done/bay.yaml done/shared-1.yaml done/shared-2.yaml done/shared.iq8 failed/bad.yaml",
			Delete: "failed/bad.yaml",
			Keep:   "bad.yaml bay.agc bay.iq8 bay.yaml shared-1.yaml shared-2.yaml shared.iq8",
		} {
			dir := t.TempDir()
			for name, text := range map[string]string{"bay.yaml": bay, "bay.agc": "1", "bay.iq8": strings.Repeat("x", 100),
				"shared-1.yaml": "data: shared.iq8\n", "shared-2.yaml": "data: shared.iq8\n", "shared.iq8": "x", "bad.yaml": "bad: ../outside\ndata: ../outside\n"} {
				put(t, dir, name, []byte(text))
			}
			watchEchoes(t, FolderConfig{Path: dir, After: after}, 2*time.Minute)
			var left []string
			filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
				if name, _ := filepath.Rel(dir, path); !d.IsDir() && !strings.HasPrefix(name, ".") {
					left = append(left, name)
				}
				return err
			})
			if got := strings.Join(left, " "); got != want {
				t.Errorf("%s:\n%s, want\n%s", after, got, want)
			}
		}
	})
}

func TestAnAcquisitionsFingerprintIsThatOfAllItsFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "bay.yaml", []byte(bay))
	put(t, dir, "bay.iq8", []byte("x"))
	seen := map[string]bool{}
	for _, change := range []func(){func() {}, func() { put(t, dir, "bay.iq8", []byte("xy")) }, func() { put(t, dir, "bay.agc", []byte("1")) },
		func() { os.Chtimes(filepath.Join(dir, "bay.iq8"), time.Time{}, time.Now().Add(time.Hour)) }, func() { put(t, dir, "bay.yaml", []byte(bay+"#")) }} {
		change()
		print, err := EchoesFingerprint(filepath.Join(dir, "bay.yaml"))
		if err != nil || seen[print] {
			t.Errorf("%s, %v", print, err)
		}
		seen[print] = true
	}
}
