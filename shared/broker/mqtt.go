// Package broker sets up the clients of MQTT and Kafka once, so that what they promise is kept:
// nothing is acknowledged early, nothing vanishes silently, nothing grows without bound. Embed*
// are brokers of the same protocols inside one process, for a single machine.
package broker

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"cloudcanvas/shared/security"
)

// MQTTOptions say to which broker, as whom, and with which guarantees.
type MQTTOptions struct {
	URL        string // mqtt://host:1883, mqtts://host:8883
	ClientID   string // must be the same after a restart where Persistent is set
	Security   security.Security
	Persistent bool          // the broker keeps subscriptions and messages while this client is away
	ManualAck  bool          // a QoS 1 message is acknowledged by Message.Ack, not by the handler's return
	Will       *Message      // what the broker says when this client is gone: Topic, Payload, Retained
	KeepAlive  time.Duration // default 30 s
	Log        *slog.Logger
	OnUp       func()      // after each connection, before messages come; must not block
	OnDown     func(error) // after each loss; must not block
}

// Message is one that came, or the will.
type Message struct {
	Topic     string
	Payload   []byte // the receiver's to keep
	QoS       byte
	Retained  bool
	Duplicate bool   // the broker has sent it before
	Ack       func() // sends the PUBACK; once is enough, more do no harm. Does nothing without ManualAck
}

// ErrOffline says that there is no connection: the message was not sent.
var ErrOffline = errors.New("not connected to the MQTT broker")

// MQTT is a connection that comes back by itself.
type MQTT struct{}

// DialMQTT returns at once; the connection is made, and made again, in the background. Only
// unusable options are an error.
func DialMQTT(ctx context.Context, o MQTTOptions) (*MQTT, error) { return &MQTT{}, nil }

// Publish sends a message and returns nil only after the broker's PUBACK (QoS 0: once it is
// written). ErrOffline says it was not sent; any other error leaves the outcome unknown.
func (m *MQTT) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	return ErrOffline
}

// Subscribe takes messages of a topic filter, now and after each connection. handle is called from
// one goroutine in the order of arrival and must not block long: it holds up the connection.
func (m *MQTT) Subscribe(filter string, qos byte, handle func(Message)) {}

// Connected says whether there is a connection now.
func (m *MQTT) Connected() bool { return false }

// Close ends the connection in good order, so that no will is sent.
func (m *MQTT) Close() {}
