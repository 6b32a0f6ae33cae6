package reference

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func open(t testing.TB, dir string, quota int64, now *time.Time) *Store {
	t.Helper()
	s, err := Open(dir, Config{QuotaBytes: quota, MaxAge: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	s.now = func() time.Time { return *now }
	return s
}

func keep(t testing.TB, s *Store, key string, data []byte) {
	t.Helper()
	if err := s.Keep(key, View{Source: "file of " + key, Seen: time.Unix(5, 0), Data: data}); err != nil {
		t.Fatal(err)
	}
}

func TestAViewIsThereAfterARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	s := open(t, dir, 1<<20, &now)
	keep(t, s, "field", []byte("grass"))
	keep(t, s, "field", []byte("wheat"))
	s = open(t, dir, 1<<20, &now)
	v, ok := s.Last("field")
	if !ok || string(v.Data) != "wheat" || v.Source != "file of field" || !v.Seen.Equal(time.Unix(5, 0)) {
		t.Errorf("%v %+v", ok, v)
	}
	if _, ok := s.Last("lake"); ok {
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

func TestTheOldestGoWhenThereIsNoRoom(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	s := open(t, dir, 100_000, &now)
	for i := range 30 {
		now = now.Add(time.Minute)
		keep(t, s, fmt.Sprint(i), make([]byte, 9_000))
		if s.Bytes() > 100_000 {
			t.Fatalf("after %d: %d bytes", i, s.Bytes())
		}
	}
	if _, ok := s.Last("0"); ok {
		t.Error("the oldest is still there")
	}
	for i := 25; i < 30; i++ {
		if _, ok := s.Last(fmt.Sprint(i)); !ok {
			t.Errorf("%d is gone", i)
		}
	}
	if s = open(t, dir, 40_000, &now); s.Bytes() > 40_000 {
		t.Errorf("a smaller quota: %d bytes", s.Bytes())
	}
	if _, ok := s.Last("29"); !ok {
		t.Error("the newest went")
	}
	if err := s.Keep("huge", View{Data: make([]byte, 50_000)}); err == nil {
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
		keep(t, s, "a", []byte("x"))
		now = now.Add(c.passed)
		if _, ok := s.Last("a"); ok != c.good {
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
		s, err := Open(dir, DefaultConfig())
		if err != nil {
			t.Fatal(err)
		}
		s.now = func() time.Time { return now }
		if err := s.Keep("a", View{Source: "s", Data: []byte("some ground")}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name("a"))
		whole, _ := os.ReadFile(path)
		torn := bytes.Clone(whole[:rapid.IntRange(0, len(whole)).Draw(t, "length")])
		if len(torn) > 0 && rapid.Bool().Draw(t, "flip") {
			torn[rapid.IntRange(0, len(torn)-1).Draw(t, "at")] ^= rapid.ByteRange(1, 255).Draw(t, "with")
		}
		if err := os.WriteFile(path, torn, 0o600); err != nil {
			t.Fatal(err)
		}
		if v, ok := s.Last("a"); ok != bytes.Equal(torn, whole) {
			t.Fatalf("%v %+v", ok, v)
		}
	})
}

func TestWhatAKillLeftUnfinishedIsTakenAway(t *testing.T) {
	dir, now := t.TempDir(), time.Unix(1e9, 0)
	left := filepath.Join(dir, name("a")+unfinished)
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
	if got := strings.Join(fields, " "); got != "quota_bytes max_age" {
		t.Error(got)
	}
	DefaultConfig().Problems(func(field, message, _ string) { t.Errorf("default %s: %s", field, message) })
}

func FuzzDecode(f *testing.F) {
	f.Add(encode(View{Source: "s", Data: []byte("d")}, time.Unix(1, 2)))
	f.Add([]byte(form))
	f.Fuzz(func(t *testing.T, b []byte) {
		if v, kept, ok := decode(b); ok && !bytes.Equal(encode(v, kept), b) {
			t.Errorf("%q comes back as another", b)
		}
	})
}
