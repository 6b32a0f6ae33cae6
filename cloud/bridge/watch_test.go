package bridge

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

func TestIntakeIsReadyOnlyWhileItsSessionHearsEverything(t *testing.T) {
	w := newWatch(nil)
	if w.ready() == nil {
		t.Error("no session at all is ready")
	}
	o := broker.MQTTOptions{ClientID: "canvas-bridge"}
	w.follow(&o, "up", "status")
	says := func(words string) {
		t.Helper()
		if err := w.ready(); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("it says %v, not %q", err, words)
		}
	}
	says("not connected")
	w.stand("canvas-bridge", "up")()
	o.OnUp()
	says("not subscribed to status")
	if w.hears() {
		t.Error("it hears, but is not subscribed to status")
	}
	w.stand("canvas-bridge", "status")()
	if err := w.ready(); err != nil || !w.hears() {
		t.Error(err)
	}
	o.OnDown(errors.New("no route to host"))
	says("no route to host")
	if w.hears() {
		t.Error("it hears without a connection")
	}
}

func TestAnIntakeThatMayNotReadStatusHearsItems(t *testing.T) {
	w := newWatch(nil)
	o := broker.MQTTOptions{ClientID: "canvas-bridge"}
	w.follow(&o, event.UpFilter, event.StatusFilter)
	o.OnUp()
	if w.hears() {
		t.Error("it hears before it is subscribed to anything")
	}
	w.stand("canvas-bridge", event.UpFilter)()
	if !w.hears() || w.ready() == nil {
		t.Errorf("hears %v, ready %v", w.hears(), w.ready())
	}
}

func TestSessionThatIsTakenOverAgainAndAgainIsTold(t *testing.T) {
	w := newWatch(nil)
	now := time.Now()
	w.now = func() time.Time { return now }
	o := broker.MQTTOptions{ClientID: "canvas-bridge"}
	w.follow(&o)
	o.OnUp()
	for range takeoverLosses {
		if err := w.ready(); err != nil {
			t.Error(err)
		}
		o.OnDown(io.EOF)
		now = now.Add(time.Second)
		o.OnUp()
	}
	if err := w.ready(); err == nil || !strings.Contains(err.Error(), `another client used the client id "canvas-bridge"`) {
		t.Errorf("it says %v", err)
	}
	now = now.Add(2 * takeoverWithin)
	if err := w.ready(); err != nil {
		t.Errorf("long after: %v", err)
	}
}

func TestBrokerThatIsAwayIsNoTakeover(t *testing.T) {
	w := newWatch(nil)
	now := time.Now()
	w.now = func() time.Time { return now }
	o := broker.MQTTOptions{ClientID: "canvas-bridge"}
	w.follow(&o)
	o.OnUp()
	for range 2 * takeoverLosses {
		o.OnDown(io.EOF)
		now = now.Add(2 * takeoverGap)
		o.OnUp()
	}
	if err := w.ready(); err != nil {
		t.Error(err)
	}
}
