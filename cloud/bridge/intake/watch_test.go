package intake

import (
	"errors"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

func TestIntakeIsReadyOnlyWhileItsSessionHearsEverything(t *testing.T) {
	w := newWatch()
	if w.ready() == nil {
		t.Error("no session at all is ready")
	}
	o := mqtt.Options{ClientID: "canvas-bridge"}
	w.follow(&o, "up", "status")
	says := func(words string) {
		t.Helper()
		if err := w.ready(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("it says %v, not %q", err, words)
		}
	}
	says("not connected")
	w.onSubscribed("canvas-bridge", "up")()
	o.OnUp()
	says("not subscribed to status")
	if w.subscribed() {
		t.Error("it hears, but is not subscribed to status")
	}
	w.onSubscribed("canvas-bridge", "status")()
	if err := w.ready(); err != nil || !w.subscribed() {
		t.Error(err)
	}
	o.OnDown(errors.New("no route to host"))
	says("no route to host")
	if w.subscribed() {
		t.Error("it hears without a connection")
	}
}

func TestAnIntakeThatMayNotReadStatusHearsItems(t *testing.T) {
	w := newWatch()
	o := mqtt.Options{ClientID: "canvas-bridge"}
	w.follow(&o, event.UpFilter, event.StatusFilter)
	o.OnUp()
	if w.subscribed() {
		t.Error("it hears before it is subscribed to anything")
	}
	w.onSubscribed("canvas-bridge", event.UpFilter)()
	if !w.subscribed() || w.ready() == nil {
		t.Errorf("hears %v, ready %v", w.subscribed(), w.ready())
	}
}

func TestASessionTellsWhatItsClientHasToSay(t *testing.T) {
	w := newWatch()
	o := mqtt.Options{ClientID: "canvas-bridge"}
	w.follow(&o)
	problem := ""
	w.onProblem("canvas-bridge", func() string { return problem })
	o.OnUp()
	if err := w.ready(); err != nil {
		t.Error(err)
	}
	problem = "another client took the connection"
	for _, change := range []func(){func() {}, func() { o.OnDown(errors.New("EOF")) }} {
		change()
		if err := w.ready(); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("it says %v", err)
		}
	}
}
