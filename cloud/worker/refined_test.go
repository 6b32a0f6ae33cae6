package worker

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/linktile"
)

// TestARefinementIsReadWithItsTile from the object store; without it the dead letter says what to do.
func TestARefinementIsReadWithItsTile(t *testing.T) {
	w := newWorld()
	made := w.worker(t, Config{}, Fixed{0})
	item := &event.Item{Edge: "sat", Kind: event.Tile, Type: linktile.RefinementType, Attrs: event.Attrs{Scene: "a/b", Tile: "0_1"}}
	var p *Poison
	if _, err := made.refined(t.Context(), item, []byte("more")); !errors.As(err, &p) || !strings.Contains(p.Error(), "ask the device for the whole tile") {
		t.Errorf("%v", err)
	}
	w.objects = map[string][]byte{event.BaseKey(item): []byte("tile")}
	if data, err := made.refined(t.Context(), item, []byte("more")); err != nil || !bytes.Equal(data, linktile.Pair([]byte("tile"), []byte("more"))) {
		t.Errorf("%q, %v", data, err)
	}
}
