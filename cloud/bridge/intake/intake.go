// Package intake takes what edges send over MQTT. A bridge that carries every edge has one session with the
// broker; bridges that share have a session for each slot, which moves with the slot.
//
//	edges ──▶ MQTT broker ──▶ sessions ──▶ take(message), acknowledged by the bridge
//	                             └──▶ watch: is every session connected and subscribed?
package intake

import (
	"context"
	"sync"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// MQTT is the intake over an MQTT broker: persistent sessions under fixed client ids, in which each
// message is acknowledged by hand. A bridge with every slot needs one session and no names.
type MQTT struct {
	Options mqtt.Options // URL, ClientID, Security, Log; the rest is set here
	Share   bool         // with other bridges, as in bridge.Config

	once  sync.Once
	watch *watch
}

// Ready says what is wrong with the sessions: not connected, not subscribed, or taken over by another
// client again and again.
func (m *MQTT) Ready() error { return m.sessionWatch().ready() }

// Subscribed says whether all sessions are connected and subscribed.
func (m *MQTT) Subscribed() bool { return m.sessionWatch().subscribed() }

func (m *MQTT) sessionWatch() *watch {
	m.once.Do(func() { m.watch = newWatch() })
	return m.watch
}

// Run takes what the edges of those slots send up, until ctx ends. The sessions stay with the
// broker, which keeps what comes meanwhile and what was not acknowledged.
func (m *MQTT) Run(ctx context.Context, slots slots.Set, known []string, take func(mqtt.Message)) error {
	if m.Share {
		return m.runShared(ctx, slots, known, take)
	}
	watch := m.sessionWatch()
	defer watch.leave()
	o := m.Options
	o.Persistent, o.ManualAck, o.Will = true, true, nil
	watch.follow(&o, event.UpFilter, event.StatusFilter)
	client, err := mqtt.Dial(ctx, o)
	if err != nil {
		return err
	}
	defer client.Close()
	watch.onProblem(o.ClientID, client.Problem)
	client.SubscribeThen(event.UpFilter, 1, take, watch.onSubscribed(o.ClientID, event.UpFilter))
	client.SubscribeThen(event.StatusFilter, 0, take, watch.onSubscribed(o.ClientID, event.StatusFilter)) // after the other: an edge that is greeted sends items
	<-ctx.Done()
	return ctx.Err()
}
