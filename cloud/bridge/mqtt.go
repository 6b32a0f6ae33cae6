package bridge

import (
	"context"
	"log/slog"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/security"
)

// MQTTOptions say where devices deliver.
type MQTTOptions struct {
	URL      string
	ClientID string // fixed, so that the broker keeps what comes while the bridge is away
	Security security.Security
	Log      *slog.Logger
}

// MQTT is a bridge's two connections: one that takes, acknowledging by hand, and one that sends
// receipts, since a full queue holds up everything on the first.
type MQTT struct{ in, out *broker.MQTT }

// DialMQTT makes both; they connect in the background.
func DialMQTT(ctx context.Context, o MQTTOptions) (*MQTT, error) {
	in, err := broker.DialMQTT(ctx, broker.MQTTOptions{URL: o.URL, ClientID: o.ClientID, Security: o.Security, Persistent: true, ManualAck: true, Log: o.Log})
	if err != nil {
		return nil, err
	}
	out, err := broker.DialMQTT(ctx, broker.MQTTOptions{URL: o.URL, ClientID: o.ClientID + "-receipts", Security: o.Security, Log: o.Log})
	if err != nil {
		in.Close()
		return nil, err
	}
	return &MQTT{in, out}, nil
}

// Subscribe takes messages of a topic filter; each must be acknowledged.
func (m *MQTT) Subscribe(filter string, qos byte, handle func(broker.Message)) {
	m.in.Subscribe(filter, qos, handle)
}

// Publish sends a receipt.
func (m *MQTT) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	return m.out.Publish(ctx, topic, qos, retain, payload)
}

// Close ends both connections.
func (m *MQTT) Close() {
	m.in.Close()
	m.out.Close()
}
