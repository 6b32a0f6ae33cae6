package main

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/visible"
)

func TestTopShowsTheBufferBesideARunningAgent(t *testing.T) {
	dir := t.TempDir()
	if text := lookAtBuffer(t.Context(), dir, "mast").text(bufferLook{}); !strings.Contains(text, "NOT KNOWN  there is no buffer") {
		t.Errorf("without a buffer:\n%s", text)
	}
	o, err := outbox.Open(dir, "mast", outbox.DefaultConfig(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	commit := func() {
		t.Helper()
		d := outbox.Draft{Kind: event.Tile, Stream: "scene", Subject: "scene/0_0", Priority: event.Normal, Rung: event.RungTile, Value: 0.5, Type: "image/tiff", Data: []byte("tile")}
		if a := <-o.Submit(t.Context(), d); a.Err != nil {
			t.Fatal(a.Err)
		}
	}
	commit()
	first := lookAtBuffer(t.Context(), dir, "mast")
	commit()
	second := lookAtBuffer(t.Context(), dir, "mast")
	second.at = first.at.Add(2 * time.Second)
	text := second.text(first)
	for _, want := range []string{"2 committed = 0 received + 2 waiting (8 bytes) + 0 dropped", "0.5 committed", "2         tiles  2      8"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

func TestTopForgesNoRow(t *testing.T) {
	l := bufferLook{edge: "mast", at: time.Now(), drops: []outbox.Dropped{{Drop: event.Drop{Stream: "a\n1  2\u202e", Reason: "\x1b[2J\nDROPPED\tx"}}}}
	if text := l.text(bufferLook{}); strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), visible.Hidden) || !strings.Contains(text, `\x1b[2J\nDROPPED\tx`) {
		t.Errorf("%q", text)
	}
}
