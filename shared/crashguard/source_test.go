package crashguard

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestACameraWhoseFramesCrashTheProcessRests(t *testing.T) {
	dir := t.TempDir()
	frame := func(n string) Input { in := picture(n); in.Live, in.Source = true, "gate"; return in }
	die(t, open(t, dir, DefaultConfig()), segv, frame("1"))
	die(t, open(t, dir, DefaultConfig()), segv, frame("2"))
	l := open(t, dir, DefaultConfig())
	if err := try(t, l, frame("3")); !errors.Is(err, ErrResting) {
		t.Fatalf("got %v", err)
	}
	if err := try(t, l, picture("of another camera")); err != nil {
		t.Error(err)
	}
	if l.Quarantined() != 1 {
		t.Errorf("%d quarantined", l.Quarantined())
	}
	for _, f := range []*caseFolder{l.suspects, l.quarantine} { // both frames' bytes are there
		kept := 0
		for _, c := range f.cases {
			if b, err := os.ReadFile(filepath.Join(f.path, c.File)); err == nil && strings.HasPrefix(string(b), "the bytes of") {
				kept++
			}
		}
		if kept != 1 {
			t.Errorf("%d frames are kept in %s", kept, f.path)
		}
	}
	l.now = func() time.Time { return time.Now().Add(DefaultConfig().Rest) }
	if err := try(t, l, frame("4")); err != nil {
		t.Errorf("after its rest: %v", err)
	}
	die(t, l, segv, frame("5"))
	if l = open(t, dir, DefaultConfig()); !errors.Is(try(t, l, frame("6")), ErrResting) {
		t.Error("one more crash does not make it rest again")
	}
	l.now = func() time.Time { return time.Now().Add(DefaultConfig().Rest) }
	for range trustedAfter {
		if err := try(t, l, frame("good")); err != nil {
			t.Fatal(err)
		}
	}
	if l.suspects.cases[sourceKey("gate")] != nil {
		t.Error("it is suspected for ever")
	}
}

func TestSIGKILLsDoNotMakeACameraRest(t *testing.T) {
	dir := t.TempDir()
	for n := range 20 {
		in := picture(string(rune('a' + n)))
		in.Live = true
		die(t, open(t, dir, DefaultConfig()), "", in)
	}
	l := open(t, dir, DefaultConfig())
	in := picture("z")
	in.Live = true
	if err := try(t, l, in); err != nil || l.Quarantined() != 0 {
		t.Errorf("%v, %d quarantined", err, l.Quarantined())
	}
}
