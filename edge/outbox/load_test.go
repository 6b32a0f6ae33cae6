package outbox

import (
	"errors"
	"testing"

	"cloudcanvas/shared/event"
)

func TestTheLadderCountsWhatWaitsByPriorityAndRung(t *testing.T) {
	o := open(t, t.TempDir(), DefaultConfig())
	alert := draft(1)
	alert.Kind, alert.Subject, alert.Priority, alert.Attrs, alert.Rung = event.Alert, "gate/t1", event.Urgent, event.Attrs{}, event.RungAlert
	tile := draft(2)
	tile.Rung = event.RungTile
	submitted(t, o, 1, alert)
	submitted(t, o, 3, tile)
	steps, err := o.Ladder(t.Context())
	if err != nil || len(steps) != 2 {
		t.Fatal(steps, err)
	}
	if s := steps[0]; s.Priority != event.Urgent || s.Rung != event.RungAlert || s.Items != 1 || s.Bytes != 100 || s.Oldest.IsZero() {
		t.Errorf("first %+v", s)
	}
	if s := steps[1]; s.Priority != event.Normal || s.Rung != event.RungTile || s.Items != 3 || s.Bytes != 300 {
		t.Errorf("then %+v", s)
	}
	if kind, stream, subject, err := o.About(t.Context(), 1); kind != event.Alert || stream != "scene" || subject != "gate/t1" || err != nil {
		t.Errorf("item 1 is %s %s %s: %v", kind, stream, subject, err)
	}
	if _, _, _, err := o.About(t.Context(), 99); !errors.Is(err, ErrGone) {
		t.Errorf("an item that never was: %v", err)
	}
}
