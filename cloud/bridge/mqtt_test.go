package bridge_test

import (
	"context"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// What the bridge makes of poison that comes twice rests on this flag. The embedded broker also sets
// it on what it has kept for a bridge that was away: then the edge is asked once more than needed.
func TestBrokersMarkWhatTheyDeliverAgain(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) string{
		"Mosquitto": func(t *testing.T) string { return brokertest.StartMosquitto(t).URL },
		"EmbeddedMQTT": func(t *testing.T) string {
			m, err := mqtt.Embed(mqtt.EmbedOptions{})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { m.Close() })
			return m.URL()
		},
	} {
		t.Run(name, func(t *testing.T) {
			intake := &intake.MQTT{Options: mqtt.Options{URL: start(t), ClientID: "canvas-bridge"}}
			came := make(chan mqtt.Message, 16)
			run := func() (stop func()) {
				ctx, cancel := context.WithCancel(t.Context())
				done := make(chan error, 1)
				go func() { done <- intake.Run(ctx, slots.Every, nil, func(m mqtt.Message) { came <- m }) }()
				return func() { cancel(); <-done }
			}
			next := func() mqtt.Message {
				select {
				case m := <-came:
					return m
				case <-time.After(2 * time.Minute):
					t.Fatal("no message came")
					return mqtt.Message{}
				}
			}
			client, err := mqtt.Dial(t.Context(), mqtt.Options{URL: intake.Options.URL, ClientID: "mast"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(client.Close)
			eventually(t, "the edge is connected", client.Connected)
			publish := func(text string) {
				if err := client.Publish(t.Context(), event.Topic("mast", event.Normal, event.Reading), 1, false, []byte(text)); err != nil {
					t.Fatal(err)
				}
			}
			stop := run()
			eventually(t, "the subscription stands", func() bool {
				publish("hello")
				select {
				case m := <-came:
					m.Ack()
					return true
				case <-time.After(50 * time.Millisecond):
					return false
				}
			})
			publish("not acknowledged")
			for {
				m := next()
				if string(m.Payload) == "not acknowledged" {
					if m.Duplicate {
						t.Error("the first delivery is marked as a repetition")
					}
					break
				}
				m.Ack()
			}
			stop()
			defer run()()
			for {
				m := next()
				m.Ack()
				if string(m.Payload) == "not acknowledged" {
					if !m.Duplicate {
						t.Error("the second delivery is not marked as a repetition")
					}
					return
				}
			}
		})
	}
}
