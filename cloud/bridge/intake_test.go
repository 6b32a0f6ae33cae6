package bridge_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/mqtt"
)

// Mosquitto lets the latest client with an id have it, and closes the connection of the one before.
var _ bridge.Watched = &intake.MQTT{}

func TestReadinessTellsOfAnotherClientWithTheBridgesClientID(t *testing.T) {
	w := newWorld(t)
	m := brokertest.StartMosquitto(t)
	intake := &intake.MQTT{Options: mqtt.Options{URL: m.URL, ClientID: "canvas-bridge"}}
	b, err := bridge.New(w.cfg, bridge.Parts{Intake: intake, Log: w.log, Objects: w.objects, Receipts: w.receipts})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	defer func() { cancel(); <-done }()
	eventually(t, "it is ready", func() bool { return b.Ready() == nil })
	var said string
	for deadline := time.Now().Add(2 * time.Minute); !strings.Contains(said, "another client with the id canvas-bridge took the connection"); {
		if time.Now().After(deadline) {
			t.Fatalf("it says %q", said)
		}
		other, err := mqtt.Dial(ctx, mqtt.Options{URL: m.URL, ClientID: "canvas-bridge", Persistent: true})
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the other is connected", other.Connected)
		eventually(t, "the bridge says that it has no session", func() bool { return b.Ready() != nil })
		said = b.Ready().Error()
		other.Close()
		eventually(t, "the bridge is connected again, or tells", func() bool {
			err := b.Ready()
			if err != nil {
				said = err.Error()
			}
			return err == nil || strings.Contains(said, "another client")
		})
	}
}

// A device takes a receipt for the word that the bridge listens, and sends all it has.
func TestNoReceiptGoesOutBeforeTheIntakeHears(t *testing.T) {
	w := newWorld(t)
	w.broker.unsubscribed = true
	w.start()
	w.broker.send(t, readings("mast", 1, 5)...) // of a session from before
	asked := func() int {
		w.broker.mu.Lock()
		defer w.broker.mu.Unlock()
		return w.broker.asked
	}
	eventually(t, "a receipt is due", func() bool { return asked() > 1 })
	if _, count := w.receipts.of("mast"); count > 0 {
		t.Errorf("%d receipts went out", count)
	}
	w.broker.mu.Lock()
	w.broker.unsubscribed = false
	w.broker.mu.Unlock()
	w.receipted("mast", 5)
}
