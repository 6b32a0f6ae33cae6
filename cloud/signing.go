package cloud

import (
	"context"
	"fmt"
	"strings"

	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/cloud/delivery"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/signed"
)

// Signer reads the signing key; nil where there is none, and nothing is signed.
func (s Signing) Signer() (*signed.Signer, error) {
	if s.KeyFile == "" {
		return nil, nil
	}
	key, err := signed.ReadKey(s.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("signing.key_file: %w", err)
	}
	return signed.NewSigner(key), nil
}

// Hear notes the session that a device's status names, for which it believes what is signed. An edge that went
// offline keeps its session: the broker may hold messages for it.
func Hear(s *signed.Signer, topic string, payload []byte) {
	edge, err := event.ParseStatusTopic(topic)
	if s == nil || err != nil {
		return
	}
	status, err := event.ParseStatus(payload)
	if err != nil || status.Status != event.Online {
		return
	}
	var session signed.Session
	if status.Signatures != nil {
		session, _ = signed.ParseSession(status.Signatures.Session) // what is none stands for none
	}
	s.Heard(edge, session)
}

// publisher publishes with quality of service.
type publisher interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
}

// signing is a publisher that signs what goes to devices.
type signing struct {
	publisher
	signer *signed.Signer // nil: nothing is signed
}

func (s signing) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	if s.signer != nil {
		edge, what, err := event.ParseDownTopic(topic)
		if err != nil {
			return err
		}
		if payload, err = s.signer.Sign(edge, what, payload); err != nil {
			return err
		}
	}
	return s.publisher.Publish(ctx, topic, qos, retain, payload)
}

// hearing is an intake that hears which sessions devices have before the bridge sees their statuses.
type hearing struct {
	*intake.MQTT
	signer *signed.Signer
}

func (h hearing) Run(ctx context.Context, slots slots.Set, known []string, take func(mqtt.Message)) error {
	return h.MQTT.Run(ctx, slots, known, func(m mqtt.Message) {
		if strings.HasSuffix(m.Topic, "/status") {
			Hear(h.signer, m.Topic, m.Payload)
		}
		take(m)
	})
}

// signingBroker is the broker of the delivery of models, with the same two.
type signingBroker struct {
	signing
	client delivery.Broker
}

func (b signingBroker) Subscribe(filter string, qos byte, handle func(mqtt.Message)) {
	b.client.Subscribe(filter, qos, func(m mqtt.Message) {
		Hear(b.signer, m.Topic, m.Payload)
		handle(m)
	})
}
