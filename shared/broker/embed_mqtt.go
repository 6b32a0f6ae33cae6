package broker

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"cloudcanvas/shared/event"
)

// EmbedMQTTOptions are those of the MQTT broker within the process.
type EmbedMQTTOptions struct {
	Addr       string                           // default 127.0.0.1:0, a free port
	TLS        *tls.Config                      // nil: a plain listener
	Allow      func(user, password string) bool // nil: everyone, on loopback only
	MaxPacket  int64                            // bytes of one message; default event.MaxEnvelope and a little
	QueueBytes int64                            // bytes kept for subscribers that lag; default 64 MiB
	Log        *slog.Logger
}

// EmbeddedMQTT is an MQTT 3.1.1 and 5 broker within the process, for a single machine. It keeps
// sessions and messages in memory while it runs; what dies with it is sent again, as the receipts
// did not come. When subscribers lag by more than QueueBytes, publishers wait for their PUBACK.
type EmbeddedMQTT struct {
	server *mochi.Server
	url    string
	queue  *queueGuard
}

const (
	defaultQueueBytes = 64 << 20
	queueMessages     = 8192 // for each client; mochi drops beyond it, so publishers wait at half of it
)

// EmbedMQTT starts the broker and returns once it takes connections.
func EmbedMQTT(o EmbedMQTTOptions) (*EmbeddedMQTT, error) {
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
	e := &EmbeddedMQTT{server: server, queue: newQueueGuard(o.QueueBytes)}
	if err := errors.Join(server.AddHook(&gate{allow: o.Allow}, nil), server.AddHook(e.queue, nil)); err != nil {
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
func (e *EmbeddedMQTT) URL() string { return e.url }

// Close ends all connections and the broker.
func (e *EmbeddedMQTT) Close() error {
	e.queue.release()
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

// queueGuard counts the messages that wait for subscribers and makes publishers wait when they are
// too many. mochi itself would acknowledge and then drop them.
type queueGuard struct {
	mochi.HookBase
	limit int64

	mu      sync.Mutex
	bytes   int64
	waiting map[waitingKey]int
	perUser map[string]int
	room    chan struct{} // closed and replaced when something leaves
	closed  bool
}

type waitingKey struct {
	client string
	id     uint16
}

// publishPatience is how long a publisher is held; then it gets no PUBACK and has to come again.
const publishPatience = 20 * time.Second

func newQueueGuard(limit int64) *queueGuard {
	return &queueGuard{limit: limit, waiting: map[waitingKey]int{}, perUser: map[string]int{}, room: make(chan struct{})}
}

func (q *queueGuard) ID() string { return "queue" }

func (q *queueGuard) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnPublish, mochi.OnQosPublish, mochi.OnQosComplete, mochi.OnQosDropped}, []byte{b})
}

// OnPublish holds back a QoS 1 publisher while the queue is full.
func (q *queueGuard) OnPublish(_ *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 0 {
		return pk, nil
	}
	deadline := time.NewTimer(publishPatience)
	defer deadline.Stop()
	for {
		q.mu.Lock()
		full, room := q.full() && !q.closed, q.room
		q.mu.Unlock()
		if !full {
			return pk, nil
		}
		select {
		case <-room:
		case <-deadline.C:
			return pk, packets.ErrRejectPacket
		}
	}
}

func (q *queueGuard) full() bool {
	if q.bytes >= q.limit {
		return true
	}
	for _, n := range q.perUser {
		if n >= queueMessages/2 {
			return true
		}
	}
	return false
}

// OnQosPublish takes note of a message on its way to a subscriber; it is called again when it is
// sent again.
func (q *queueGuard) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type != packets.Publish {
		return
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	key := waitingKey{cl.ID, pk.PacketID}
	if old, known := q.waiting[key]; known {
		q.bytes -= int64(old)
	} else {
		q.perUser[cl.ID]++
	}
	q.waiting[key] = len(pk.Payload)
	q.bytes += int64(len(pk.Payload))
}

// OnQosComplete is called when the subscriber has acknowledged.
func (q *queueGuard) OnQosComplete(cl *mochi.Client, pk packets.Packet) { q.leave(cl, pk) }

// OnQosDropped is called when a session ends with messages in it.
func (q *queueGuard) OnQosDropped(cl *mochi.Client, pk packets.Packet) { q.leave(cl, pk) }

func (q *queueGuard) leave(cl *mochi.Client, pk packets.Packet) {
	q.mu.Lock()
	defer q.mu.Unlock()
	key := waitingKey{cl.ID, pk.PacketID}
	size, known := q.waiting[key]
	if !known {
		return
	}
	delete(q.waiting, key)
	q.bytes -= int64(size)
	if q.perUser[cl.ID]--; q.perUser[cl.ID] == 0 {
		delete(q.perUser, cl.ID)
	}
	close(q.room)
	q.room = make(chan struct{})
}

// release lets all publishers go, for the broker to close.
func (q *queueGuard) release() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	close(q.room)
	q.room = make(chan struct{})
}
