package crashguard

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"
)

func TestAQuarantinedFileIsCopiedOnceAndOnlyWhereItFits(t *testing.T) {
	for _, c := range []struct {
		quota, kept int64
	}{{1000, 600}, {500, 0}} {
		dir := t.TempDir()
		scene := filepath.Join(dir, "scene.tif")
		os.WriteFile(scene, make([]byte, 600), 0o600)
		config := DefaultConfig()
		config.QuarantineBytes = c.quota
		in := Input{Source: "scene", Name: "3_4", Key: scene + ":600:1/3_4", Path: scene}
		die(t, open(t, dir, config), segv, in)
		die(t, open(t, dir, config), segv, in)
		l := open(t, dir, config)
		for range 2 {
			if err := try(t, l, in); !errors.Is(err, ErrQuarantined) {
				t.Fatal(err)
			}
		}
		if got := l.quarantine.bytes(); got != c.kept {
			t.Errorf("quota %d: %d bytes kept, not %d", c.quota, got, c.kept)
		}
		if _, err := os.Stat(scene); err != nil {
			t.Errorf("the user's file: %v", err)
		}
	}
}

// TestWhatIsKeptStaysWithinItsBytes quarantines inputs of any size and looks at the folder's own files.
func TestWhatIsKeptStaysWithinItsBytes(t *testing.T) {
	base := t.TempDir()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		dir := filepath.Join(base, fmt.Sprint(run))
		c := DefaultConfig()
		c.Deaths, c.QuarantineBytes, c.NoteBytes = 1, rapid.Int64Range(0, 5000).Draw(rt, "quota"), 3000
		sizes := rapid.SliceOfN(rapid.IntRange(1, 3000), 1, 4).Draw(rt, "sizes")
		for i, size := range sizes {
			in := Input{Source: fmt.Sprint("cam-", i), Name: "f.jpg", Live: rapid.Bool().Draw(rt, "live"), Data: bytes.Repeat([]byte{byte(i)}, size)}
			die(t, open(t, dir, c), segv, in)
			l := open(t, dir, c)
			if err := try(t, l, in); !errors.Is(err, ErrQuarantined) {
				rt.Fatal(err)
			}
			l.Close()
		}
		var total int64
		files, _ := filepath.Glob(filepath.Join(dir, "*", "*.jpg"))
		for _, file := range files {
			info, err := os.Stat(file)
			if err != nil {
				rt.Fatal(err)
			}
			total += info.Size()
		}
		if total > c.QuarantineBytes {
			rt.Fatalf("%d bytes are kept, %d are allowed", total, c.QuarantineBytes)
		}
		l := open(t, dir, c)
		if l.Quarantined() != len(sizes) {
			rt.Fatalf("%d cases of %d", l.Quarantined(), len(sizes))
		}
	})
}

func TestADeathIsCountedOnceEvenIfTheNextProcessDiesWhileItCounts(t *testing.T) {
	dir, bad := t.TempDir(), picture("bad.png")
	l := open(t, dir, DefaultConfig())
	die(t, l, segv, bad)
	before := map[string][]byte{}
	files, _ := filepath.Glob(filepath.Join(l.notes, "*"))
	for _, f := range files {
		before[f], _ = os.ReadFile(f)
	}
	for range 3 { // counted, then dead before the notes were cleared
		open(t, dir, DefaultConfig())
		for f, b := range before {
			os.WriteFile(f, b, 0o600)
		}
	}
	if l = open(t, dir, DefaultConfig()); l.Quarantined() != 0 {
		t.Error("one death counted more than once")
	}
}

func TestEverySettingsMistakeIsNamed(t *testing.T) {
	var fields []string
	add := func(field, message, hint string) {
		if message == "" || hint == "" {
			t.Errorf("%s has no message or hint", field)
		}
		fields = append(fields, field)
	}
	DefaultConfig().Problems(add)
	if len(fields) > 0 {
		t.Fatalf("the defaults are wrong: %v", fields)
	}
	Config{Deaths: 0, QuarantineBytes: -1, NoteBytes: -1, Rest: 0, Notes: "here"}.Problems(add)
	if len(fields) != 5 {
		t.Errorf("found %v", fields)
	}
}

func FuzzNotesOfAnyBytesAreReadOrRefused(f *testing.F) {
	dir := f.TempDir()
	s, err := openSlot(dir, 0)
	if err != nil {
		f.Fatal(err)
	}
	if err := s.take(note{Key: "k", Source: "gate", data: []byte("jpeg")}); err != nil {
		f.Fatal(err)
	}
	good, _ := os.ReadFile(filepath.Join(dir, "slot-0"))
	f.Add(good)
	f.Add(good[:20])
	f.Add([]byte{1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseNote(b); err == nil && n.Key == "" {
			t.Error("a note without a key")
		}
	})
}

func FuzzCrashReportsOfAnyBytesHaveOneLine(f *testing.F) {
	f.Add(segv)
	f.Add("panic: no\n")
	f.Fuzz(func(t *testing.T, report string) {
		inNativeCode(report)
		if bytes.ContainsRune([]byte(why(report)), '\n') {
			t.Error("more than a line")
		}
	})
}

// BenchmarkAnInputIsNotedAndCleared says what share of a core the notes of 100 frames a second take.
func BenchmarkAnInputIsNotedAndCleared(b *testing.B) {
	for _, c := range []struct {
		name  string
		bytes int
		live  bool
	}{{"a JPEG of 100 KB from a camera", 100 << 10, true}, {"640x480 pixels of a camera", 640 * 480 * 3, true}, {"640x480 pixels of a file", 640 * 480 * 3, false}, {"a tile", 0, false}} {
		b.Run(c.name, func(b *testing.B) {
			dir := b.TempDir()
			config := DefaultConfig()
			config.Notes, _ = notesFolder("", dir)
			l := open(b, dir, config)
			defer l.Close()
			in := Input{Source: "gate", Name: "frame", Live: c.live, Data: make([]byte, c.bytes)}
			if c.bytes == 0 {
				in.Key = "scene/3_4"
			}
			for b.Loop() {
				done, err := l.Begin(b.Context(), in)
				if err != nil {
					b.Fatal(err)
				}
				done()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)*100/1e9*100, "%core@100/s")
		})
	}
}
