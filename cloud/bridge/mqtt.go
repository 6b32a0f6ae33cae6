package bridge

import (
	"context"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// MQTT is the intake over an MQTT broker: persistent sessions under fixed client ids, in which each
// message is acknowledged by hand. Whoever has every slot needs one session and knows no names.
type MQTT struct {
	Options broker.MQTTOptions // URL, ClientID, Security, Log; the rest is set here
	Share   bool               // with other bridges, as in Config
}

// Run takes what the edges of those slots send up, until ctx ends. The sessions stay with the
// broker, which keeps what comes meanwhile and what was not acknowledged.
func (m MQTT) Run(ctx context.Context, slots SlotSet, known []string, take func(broker.Message)) error {
	if m.Share {
		return m.runShared(ctx, slots, known, take)
	}
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
