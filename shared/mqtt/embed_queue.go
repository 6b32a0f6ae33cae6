package mqtt

import (
	"bytes"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// queueGuard counts the messages that wait for each subscriber and makes those who publish to it
// wait when they are too many. mochi itself would acknowledge them and then drop them.
type queueGuard struct {
	mochi.HookBase
	server *mochi.Server
	limit  int64 // bytes for each subscriber

	mu     sync.Mutex
	queues map[string]*queue // by the subscriber's client id
	room   chan struct{}     // closed and replaced when something leaves
	closed bool
}

// queue is what waits for one subscriber's PUBACK.
type queue struct {
	sizes map[uint16]int // by packet id
	bytes int64
}

// publishPatience is how long a publisher is held; then it gets no PUBACK and has to come again.
const publishPatience = 20 * time.Second

func newQueueGuard(server *mochi.Server, limit int64) *queueGuard {
	return &queueGuard{server: server, limit: limit, queues: map[string]*queue{}, room: make(chan struct{})}
}

func (g *queueGuard) ID() string { return "queue" }

func (g *queueGuard) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnPublish, mochi.OnQosPublish, mochi.OnQosComplete, mochi.OnQosDropped}, []byte{b})
}

// OnPublish holds back a QoS 1 publisher while one of those it writes to has a full queue. Others
// go on: the bridge's receipts must not wait for the bridge.
func (g *queueGuard) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	if pk.FixedHeader.Qos == 0 || cl.Net.Inline { // what comes from within has waited already
		return pk, nil
	}
	var deadline <-chan time.Time
	for {
		full, room := g.full(pk.TopicName)
		if !full {
			return pk, nil
		}
		if deadline == nil {
			timer := time.NewTimer(publishPatience)
			defer timer.Stop()
			deadline = timer.C
		}
		select {
		case <-room:
		case <-deadline:
			return pk, packets.ErrRejectPacket
		}
	}
}

// full says whether a subscriber of the topic has a full queue, and what to wait for.
func (g *queueGuard) full(topic string) (bool, <-chan struct{}) {
	subscribers := g.server.Topics.Subscribers(topic)
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false, nil
	}
	for client := range subscribers.Subscriptions {
		if q := g.queues[client]; q != nil && (q.bytes >= g.limit || len(q.sizes) >= queueMessages/2) {
			return true, g.room
		}
	}
	return false, nil
}

// OnQosPublish takes note of a message on its way to a subscriber; it is called again when the
// message is sent again.
func (g *queueGuard) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type != packets.Publish {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[cl.ID]
	if q == nil {
		q = &queue{sizes: map[uint16]int{}}
		g.queues[cl.ID] = q
	}
	q.bytes += int64(len(pk.Payload) - q.sizes[pk.PacketID])
	q.sizes[pk.PacketID] = len(pk.Payload)
}

// OnQosComplete is called when the subscriber has acknowledged.
func (g *queueGuard) OnQosComplete(cl *mochi.Client, pk packets.Packet) { g.leave(cl, pk) }

// OnQosDropped is called when a session ends with messages in it.
func (g *queueGuard) OnQosDropped(cl *mochi.Client, pk packets.Packet) { g.leave(cl, pk) }

func (g *queueGuard) leave(cl *mochi.Client, pk packets.Packet) {
	g.mu.Lock()
	defer g.mu.Unlock()
	q := g.queues[cl.ID]
	if q == nil {
		return
	}
	size, known := q.sizes[pk.PacketID]
	if !known {
		return
	}
	delete(q.sizes, pk.PacketID)
	if q.bytes -= int64(size); len(q.sizes) == 0 {
		delete(g.queues, cl.ID)
	}
	g.wake()
}

// release lets all publishers go, for the broker to close.
func (g *queueGuard) release() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.closed = true
	g.wake()
}

func (g *queueGuard) wake() {
	close(g.room)
	g.room = make(chan struct{})
}
