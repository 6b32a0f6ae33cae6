package bridge

import (
	"context"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// MQTT is the intake over an MQTT broker: a persistent session under a fixed client id, in which
// each message is acknowledged by hand.
type MQTT struct {
	Options broker.MQTTOptions // URL, ClientID, Security, Log; the rest is set here
}

// Run takes what the edges send up, until ctx ends. The session stays with the broker, which keeps
// what comes meanwhile and what was not acknowledged.
func (m MQTT) Run(ctx context.Context, take func(broker.Message)) error {
	o := m.Options
	o.Persistent, o.ManualAck, o.Will = true, true, nil
	client, err := broker.DialMQTT(ctx, o)
	if err != nil {
		return err
	}
	defer client.Close()
	client.Subscribe(event.UpFilter, 1, take)
	client.Subscribe(event.StatusFilter, 0, take) // after the other: who is greeted is heard
	<-ctx.Done()
	return ctx.Err()
}
