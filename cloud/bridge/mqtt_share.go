package bridge

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// runShared takes what the edges of some slots send. Each slot has a session of its own with the
// MQTT broker, which moves with the slot: whoever owns it connects under its name and finds what
// waits, what was not acknowledged, and the subscriptions; an owner before that is still connected
// is thrown out by the broker. MQTT has no filter for slots, so each edge is subscribed to by its
// name, which its retained status tells, or what Kafka has of it.
func (m MQTT) runShared(ctx context.Context, slots SlotSet, known []string, take func(broker.Message)) error {
	s := sessions{take: take, subscribed: map[string]bool{}}
	defer s.close()
	for slot := range slots.All() {
		o := m.Options
		o.ClientID = fmt.Sprintf("%s-%d", m.Options.ClientID, slot)
		o.Persistent, o.ManualAck, o.Will = true, true, nil
		client, err := broker.DialMQTT(ctx, o)
		if err != nil {
			return err
		}
		s.of[slot] = client
	}
	for _, edge := range known {
		s.hear(edge)
	}
	o := m.Options
	o.ClientID, o.Persistent, o.Will = "", false, nil
	listener, err := broker.DialMQTT(ctx, o)
	if err != nil {
		return err
	}
	defer listener.Close()
	listener.Subscribe(event.StatusFilter, 0, func(m broker.Message) {
		if edge, err := event.ParseStatusTopic(m.Topic); err == nil && slots.Carries(edge) {
			s.hear(edge)
			take(m)
		}
	})
	<-ctx.Done()
	return ctx.Err()
}

// sessions are the connections of the slots that are owned.
type sessions struct {
	take       func(broker.Message)
	of         [Slots]*broker.MQTT
	mu         sync.Mutex
	subscribed map[string]bool
}

// hear subscribes to an edge, once.
func (s *sessions) hear(edge string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.subscribed[edge] {
		return
	}
	s.subscribed[edge] = true
	s.of[Slot(edge)].Subscribe(upFilterOf(edge), 1, s.take)
}

// upFilterOf is what one edge sends up.
func upFilterOf(edge string) string { return strings.Replace(event.UpFilter, "+", edge, 1) }

// close leaves the broker, which keeps the sessions.
func (s *sessions) close() {
	var all sync.WaitGroup
	for _, client := range s.of {
		if client != nil {
			all.Go(client.Close)
		}
	}
	all.Wait()
}
