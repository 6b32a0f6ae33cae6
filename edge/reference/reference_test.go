package reference

import (
	"bytes"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/ground"

	"pgregory.net/rapid"
)

func open(t testing.TB, dir string, quota int64, now *time.Time) *Store {
	t.Helper()
	s, err := Open(dir, Config{QuotaBytes: quota, MaxAge: 24 * time.Hour}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return *now }
	return s
}

// key is that of the n-th block.
func key(n int) Key {
	return Key{From: "here", System: "EPSG:32632 10 0 0 -10 0 0 blue", Block: ground.Block{X: int64(n)}}
}

// seen is a view of one band of which every cell is as bright, give or take a noise that does not compress.
func seen(light byte, noise int) ground.View {
	v := ground.NewView(1)
	v.Sources = []ground.Source{{Name: "edge/scene", Seen: time.Unix(5, 0).UTC()}}
	random := rand.New(rand.NewPCG(1, uint64(light)))
	for i := range v.From {
		v.From[i], v.Cells[i] = 1, light
		if noise > 0 {
			v.Cells[i] = byte(1 + random.IntN(noise))
		}
	}
	return v
}

func keep(t testing.TB, s *Store, k Key, file string, v ground.View) {
	t.Helper()
	if err := s.Update(k, func(e Entry) (Entry, error) { return e.With(file, v) }); err != nil {
		t.Fatal(err)
	}
}

func TestAViewIsThereAfterARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	s := open(t, dir, 1<<20, &now)
	keep(t, s, key(1), "grass.tif", seen(10, 0))
	keep(t, s, key(1), "wheat.tif", seen(20, 0))
	keep(t, s, key(1), "wheat.tif", seen(30, 0)) // another tile of the same file
	s = open(t, dir, 1<<20, &now)
	e, ok := s.Last(key(1))
	if !ok || e.File != "wheat.tif" || e.Now.Cells[0] != 30 || !e.Now.Sources[0].Seen.Equal(time.Unix(5, 0)) {
		t.Errorf("%v %q", ok, e.File)
	}
	if before, err := e.Before(); err != nil || before.Cells[0] != 10 {
		t.Errorf("before the file: %v", err)
	}
	if _, ok := s.Last(key(2)); ok {
		t.Error("a view that was never kept")
	}
	onDisk := int64(0)
	files, _ := os.ReadDir(dir)
	for _, f := range files {
		info, _ := f.Info()
		onDisk += info.Size()
	}
	if len(files) != 1 || s.Bytes() != onDisk {
		t.Errorf("%d files, %d bytes, counted %d", len(files), onDisk, s.Bytes())
	}
}

func TestViewsByTilesOfAnEarlierVersionAreLetGoOnce(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	for _, name := range []string{"a.view", "b.view"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("CVR1…"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var log bytes.Buffer
	for range 2 {
		s, err := Open(dir, DefaultConfig(), slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil || s.Bytes() != 0 {
			t.Fatal(s.Bytes(), err)
		}
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "views=2") {
		t.Errorf("%q", got)
	}
	open(t, dir, 1<<20, &now)
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("%d files are left", len(left))
	}
}

func TestTheOldestGoWhenThereIsNoRoom(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	s := open(t, dir, 50_000, &now)
	for i := range 30 {
		now = now.Add(time.Minute)
		keep(t, s, key(i), "f", seen(byte(i), 200))
		if s.Bytes() > 50_000 {
			t.Fatalf("after %d: %d bytes", i, s.Bytes())
		}
	}
	if _, ok := s.Last(key(0)); ok {
		t.Error("the oldest is still there")
	}
	for i := 25; i < 30; i++ {
		if _, ok := s.Last(key(i)); !ok {
			t.Errorf("%d is gone", i)
		}
	}
	if s = open(t, dir, 20_000, &now); s.Bytes() > 20_000 {
		t.Errorf("a smaller quota: %d bytes", s.Bytes())
	}
	if _, ok := s.Last(key(29)); !ok {
		t.Error("the newest went")
	}
	s = open(t, t.TempDir(), 2_000, &now)
	if err := s.Update(key(0), func(e Entry) (Entry, error) { return e.With("f", seen(1, 200)) }); err == nil {
		t.Error("a view larger than the quota was kept")
	}
}

func TestAViewThatIsTooOldOrFromTheFutureIsNotBelieved(t *testing.T) {
	for _, c := range []struct {
		passed time.Duration
		good   bool
	}{{0, true}, {23 * time.Hour, true}, {25 * time.Hour, false}, {-time.Hour, true}, {-48 * time.Hour, false}, {-20 * 365 * 24 * time.Hour, false}} {
		now := time.Unix(1e9, 0)
		s := open(t, t.TempDir(), 1<<20, &now)
		keep(t, s, key(0), "f", seen(1, 0))
		now = now.Add(c.passed)
		if _, ok := s.Last(key(0)); ok != c.good {
			t.Errorf("after %s: %v", c.passed, ok)
		}
		if !c.good && s.Bytes() != 0 {
			t.Errorf("after %s it still takes %d bytes", c.passed, s.Bytes())
		}
	}
}

// TestATornViewIsForgotten damages the file in every way a power cut may.
func TestATornViewIsForgotten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "views")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		now := time.Unix(1e9, 0)
		s, err := Open(dir, DefaultConfig(), slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		s.now = func() time.Time { return now }
		if err := s.Update(key(0), func(e Entry) (Entry, error) { return e.With("f", seen(7, 0)) }); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, key(0).name())
		whole, _ := os.ReadFile(path)
		torn := bytes.Clone(whole[:rapid.IntRange(0, len(whole)).Draw(t, "length")])
		if len(torn) > 0 && rapid.Bool().Draw(t, "flip") {
			torn[rapid.IntRange(0, len(torn)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "with")
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if e, ok := s.Last(key(0)); ok != bytes.Equal(torn, whole) {
			t.Fatalf("%v %q", ok, e.File)
		}
	})
}

func TestWhatAKillLeftUnfinishedIsTakenAway(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	left := filepath.Join(dir, key(0).name()+unfinished)
	if err := os.WriteFile(left, []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	open(t, dir, 1<<20, &now)
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("%v", err)
	}
}

func TestConfigurationMistakesAreNamed(t *testing.T) {
	var fields []string
	Config{}.Problems(func(field, _, _ string) { fields = append(fields, field) })
	if got := strings.Join(fields, " "); got != "quota_bytes max_age shared_every" {
		t.Error(got)
	}
	DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("default %s: %s", field, message) })
}

func FuzzDecode(f *testing.F) {
	e, err := Entry{}.With("f", seen(3, 5))
	if err != nil {
		f.Fatal(err)
	}
	e, _ = e.With("g", seen(4, 5))
	whole, err := encode(e, time.Unix(1, 2))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add([]byte(form))
	f.Fuzz(func(t *testing.T, b []byte) {
		e, kept, ok := decode(b)
		if !ok {
			return
		}
		again, err := encode(e, kept)
		if err != nil {
			t.Fatal(err)
		}
		if back, when, ok := decode(again); !ok || !when.Equal(kept) || back.File != e.File || !bytes.Equal(back.Now.Cells, e.Now.Cells) || !bytes.Equal(back.before, e.before) {
			t.Errorf("%q comes back as another", b)
		}
	})
}
