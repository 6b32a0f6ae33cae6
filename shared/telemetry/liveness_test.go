package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestAProcessIsAliveUnlessAPartOfItHangs(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(l *Liveness) (between func()) // what happens before two looks, and between them
		alive bool
	}{
		{"nothing to do", func(l *Liveness) func() { l.Probe("gate"); return func() {} }, true},
		{"a loop that comes round", func(l *Liveness) func() { return l.Loop("uplink").Step }, true},
		{"a loop that does not", func(l *Liveness) func() { l.Loop("uplink"); return func() {} }, false},
		{"work that goes on and moves", func(l *Liveness) func() { g := l.Probe("gate"); g.Work(); return g.Step }, true},
		{"work that does not move", func(l *Liveness) func() { l.Probe("gate").Work(); return func() {} }, false},
		{"work that is done", func(l *Liveness) func() { return l.Probe("gate").Work() }, true},
		{"work that began after the first look", func(l *Liveness) func() { g := l.Probe("gate"); return func() { g.Work() } }, true},
		{"work that waits", func(l *Liveness) func() { g := l.Probe("gate"); g.Work(); g.Wait(); return func() {} }, true},
		{"work that waited and then hangs", func(l *Liveness) func() { g := l.Probe("gate"); g.Work(); g.Wait()(); return func() {} }, false},
		{"one of two works waits", func(l *Liveness) func() { g := l.Probe("gate"); g.Work(); g.Work(); g.Wait(); return func() {} }, false},
		{"something that others watch hangs", func(l *Liveness) func() { l.Check("native", func() bool { return true }); return func() {} }, false},
		{"one part hangs while another moves", func(l *Liveness) func() { l.Probe("gate").Work(); return l.Loop("uplink").Step }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var l Liveness
			between := c.first(&l)
			l.Alive()
			between()
			if got := l.Alive(); got != c.alive {
				t.Errorf("alive: %v", got)
			}
		})
	}
}

func TestWhatHangsIsNamedOnce(t *testing.T) {
	var log bytes.Buffer
	l := Liveness{Log: slog.New(slog.NewTextHandler(&log, nil))}
	done := l.Probe("gate").Work()
	for range 4 {
		l.Alive()
	}
	done()
	l.Alive()
	if text := log.String(); strings.Count(text, "gate") != 1 || strings.Count(text, "all parts of this service move again") != 1 {
		t.Errorf("logged:\n%s", text)
	}
}
