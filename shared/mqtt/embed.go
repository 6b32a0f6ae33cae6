package mqtt

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"cloudcanvas/shared/event"
)

// EmbedOptions are those of the MQTT broker within the process.
type EmbedOptions struct {
	Addr       string                           // default 127.0.0.1:0, a free port
	TLS        *tls.Config                      // nil: a plain listener
	Allow      func(user, password string) bool // nil: everyone, on loopback only
	MaxPacket  int64                            // bytes of one message; default event.MaxEnvelope and a little
	QueueBytes int64                            // bytes kept for each subscriber that lags; default 64 MiB
	Confirm    []Confirm                        // whose PUBACK the senders of which messages wait for; none: the broker's own
	Log        *slog.Logger
}

// Embedded is an MQTT 3.1.1 and 5 broker within the process, for a single machine. It keeps
// sessions and messages in memory while it runs; what dies with it is sent again, as the receipts
// did not come, or, where Confirm says so, was never acknowledged. When a subscriber lags by QueueBytes, those who publish to it wait for their PUBACK.
type Embedded struct {
	server  *mochi.Server
	url     string
	queue   *queueGuard
	confirm *confirmer
}

const (
	defaultQueueBytes = 64 << 20
	queueMessages     = 8192 // for each subscriber; mochi drops beyond it, so publishers wait at half of it
)

// Embed starts the broker and returns once it takes connections.
func Embed(o EmbedOptions) (*Embedded, error) {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Allow == nil && !loopback(o.Addr) {
		return nil, fmt.Errorf("starting the embedded MQTT broker on %s: beyond this machine it needs users: give some, or listen on 127.0.0.1", o.Addr)
	}
	if o.MaxPacket == 0 {
		o.MaxPacket = event.MaxEnvelope + 1024
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = defaultQueueBytes
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	capabilities := mochi.NewDefaultServerCapabilities()
	capabilities.MaximumPacketSize = uint32(o.MaxPacket)
	capabilities.MaximumInflight = queueMessages
	capabilities.MaximumClientWritesPending = queueMessages
	capabilities.MaximumMessageExpiryInterval = 0 // a message for a session that is away has no age
	server := mochi.New(&mochi.Options{
		Capabilities: capabilities,
		Logger:       slog.New(quietly{o.Log.With("broker", "embedded mqtt").Handler()}),
	})
	e := &Embedded{server: server, queue: newQueueGuard(server, o.QueueBytes)}
	e.confirm = newConfirmer(server, o.Confirm)
	if err := errors.Join(server.AddHook(&gate{allow: o.Allow}, nil), server.AddHook(e.queue, nil), server.AddHook(e.confirm, nil)); err != nil {
		return nil, fmt.Errorf("starting the embedded MQTT broker: %w", err)
	}
	listener := listeners.NewTCP(listeners.Config{ID: "tcp", Address: o.Addr, TLSConfig: o.TLS})
	if err := server.AddListener(listener); err != nil {
		return nil, fmt.Errorf("starting the embedded MQTT broker on %s: %w: is the port in use?", o.Addr, err)
	}
	if err := server.Serve(); err != nil {
		server.Close()
		return nil, fmt.Errorf("starting the embedded MQTT broker on %s: %w", o.Addr, err)
	}
	scheme := "mqtt://"
	if o.TLS != nil {
		scheme = "mqtts://"
	}
	e.url = scheme + listener.Address()
	return e, nil
}

// URL is where clients find it.
func (e *Embedded) URL() string { return e.url }

// Close ends all connections and the broker.
func (e *Embedded) Close() error {
	e.queue.release()
	e.confirm.release()
	if err := e.server.Close(); err != nil {
		return fmt.Errorf("stopping the embedded MQTT broker: %w", err)
	}
	return nil
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// gate lets users in.
type gate struct {
	mochi.HookBase
	allow func(user, password string) bool
}

func (g *gate) ID() string { return "gate" }

func (g *gate) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}

func (g *gate) OnConnectAuthenticate(_ *mochi.Client, pk packets.Packet) bool {
	return g.allow == nil || g.allow(string(pk.Connect.Username), string(pk.Connect.Password))
}

func (g *gate) OnACLCheck(*mochi.Client, string, bool) bool { return true }

// quietly lets only a library's errors through: its warnings are our clients' everyday (a client
// that goes without a word), and its infos come with every connection.
type quietly struct{ slog.Handler }

func (q quietly) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelError && q.Handler.Enabled(ctx, level)
}

func (q quietly) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quietly{q.Handler.WithAttrs(attrs)}
}

func (q quietly) WithGroup(name string) slog.Handler { return quietly{q.Handler.WithGroup(name)} }
