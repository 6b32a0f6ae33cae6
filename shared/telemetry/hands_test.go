package telemetry

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
)

func TestHandsMoveUnlessOneHangs(t *testing.T) {
	for _, c := range []struct {
		name  string
		first func(h *Hands) (between func()) // what happens before two looks, and between them
		moved bool
	}{
		{"nothing to do", func(h *Hands) func() { h.New("gate"); return func() {} }, true},
		{"a loop that comes round", func(h *Hands) func() { return h.Loop("uplink").Step }, true},
		{"a loop that does not", func(h *Hands) func() { h.Loop("uplink"); return func() {} }, false},
		{"work that goes on and moves", func(h *Hands) func() { g := h.New("gate"); g.Work(); return g.Step }, true},
		{"work that does not move", func(h *Hands) func() { h.New("gate").Work(); return func() {} }, false},
		{"work that is done", func(h *Hands) func() { return h.New("gate").Work() }, true},
		{"work that began after the first look", func(h *Hands) func() { g := h.New("gate"); return func() { g.Work() } }, true},
		{"work that waits", func(h *Hands) func() { g := h.New("gate"); g.Work(); g.Wait(); return func() {} }, true},
		{"work that waited and then hangs", func(h *Hands) func() { g := h.New("gate"); g.Work(); g.Wait()(); return func() {} }, false},
		{"one of two works waits", func(h *Hands) func() { g := h.New("gate"); g.Work(); g.Work(); g.Wait(); return func() {} }, false},
		{"something that others watch hangs", func(h *Hands) func() { h.Watch("native", func() bool { return true }); return func() {} }, false},
		{"one hand hangs while another moves", func(h *Hands) func() { h.New("gate").Work(); return h.Loop("uplink").Step }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var h Hands
			between := c.first(&h)
			h.Moved()
			between()
			if got := h.Moved(); got != c.moved {
				t.Errorf("moved: %v", got)
			}
		})
	}
}

func TestWhatHangsIsNamedOnce(t *testing.T) {
	var log bytes.Buffer
	h := Hands{Log: slog.New(slog.NewTextHandler(&log, nil))}
	done := h.New("gate").Work()
	for range 4 {
		h.Moved()
	}
	done()
	h.Moved()
	if text := log.String(); strings.Count(text, "gate") != 1 || strings.Count(text, "moves again") != 1 {
		t.Errorf("told:\n%s", text)
	}
}
