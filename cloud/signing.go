package cloud

import (
	"context"
	"fmt"
	"hash/fnv"
	"strings"
	"sync"

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

// publisher is the part of mqtt.Client that publishes.
type publisher interface {
	Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error
	PublishInTurn(ctx context.Context, topic string, qos byte, retain bool, payload []byte, handed func()) error
}

// signing publishes to devices, signed where there is a key.
type signing struct {
	client publisher
	signer *signed.Signer // nil: nothing is signed
	turns  *turns
}

func newSigning(client publisher, signer *signed.Signer) signing {
	return signing{client, signer, new(turns)}
}

// turns let what is signed for one device leave in the order of its serials: the device refuses what comes after
// a later one. Devices that share a turn wait for each other, until a message is handed on.
type turns [64]sync.Mutex

func (t *turns) of(edge string) *sync.Mutex {
	h := fnv.New32a()
	h.Write([]byte(edge))
	return &t[h.Sum32()%uint32(len(t))]
}

func (s signing) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	if s.signer == nil {
		return s.client.Publish(ctx, topic, qos, retain, payload)
	}
	edge, what, err := event.ParseDownTopic(topic)
	if err != nil {
		return err
	}
	turn := s.turns.of(edge)
	turn.Lock()
	handed := sync.OnceFunc(turn.Unlock)
	defer handed()
	if payload, err = s.signer.Sign(edge, what, payload); err != nil {
		return err
	}
	return s.client.PublishInTurn(ctx, topic, qos, retain, payload, handed)
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
	statuses delivery.Broker
}

func (b signingBroker) Subscribe(filter string, qos byte, handle func(mqtt.Message)) {
	b.statuses.Subscribe(filter, qos, func(m mqtt.Message) {
		Hear(b.signer, m.Topic, m.Payload)
		handle(m)
	})
}
