package mqtt

import (
	"bytes"
	"sync"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// confirmer lets the PUBACK of some messages wait for the one subscriber who takes them for good. The
// embedded broker keeps nothing on disk and dies with its process: were it to acknowledge by itself, what
// is in its memory then would be lost although it was acknowledged to its sender.
type confirmer struct {
	mochi.HookBase
	server  *mochi.Server
	again   *mochi.Client // hands held messages to the subscribers
	filters []Confirm

	handing sync.Mutex // one message at a time: what is handed on meanwhile is it

	mu      sync.Mutex
	now     *promise              // that is being handed on
	open    map[delivery]*promise // handed on and not acknowledged; a subscriber that comes back has the same numbers
	changed chan struct{}         // closed and replaced when a subscription is made
	closed  bool
}

// Confirm names messages, and the client whose PUBACK their senders' waits for.
type Confirm struct{ Filter, ClientID string }

// promise is a PUBACK that is owed.
type promise struct {
	to     *mochi.Client
	packet uint16
	by     string
	taken  bool
}

// delivery is a message on its way to a subscriber.
type delivery struct {
	client string
	packet uint16
}

func newConfirmer(server *mochi.Server, filters []Confirm) *confirmer {
	return &confirmer{server: server, again: server.NewClient(nil, "local", "canvas-confirm", true), filters: filters,
		open: map[delivery]*promise{}, changed: make(chan struct{})}
}

func (c *confirmer) ID() string { return "confirm" }

func (c *confirmer) Provides(b byte) bool {
	return bytes.Contains([]byte{mochi.OnPublish, mochi.OnQosPublish, mochi.OnQosComplete, mochi.OnSubscribed}, []byte{b})
}

// OnPublish takes a message out of mochi's way, which would acknowledge it, and hands it on itself.
func (c *confirmer) OnPublish(cl *mochi.Client, pk packets.Packet) (packets.Packet, error) {
	by := c.by(pk.TopicName)
	if by == "" || pk.FixedHeader.Qos == 0 || cl.Net.Inline {
		return pk, nil
	}
	if !c.await(by, pk.TopicName) {
		return pk, packets.ErrRejectPacket // it gets no PUBACK, and has to come again
	}
	p := &promise{to: cl, packet: pk.PacketID, by: by}
	c.handing.Lock()
	defer c.handing.Unlock()
	c.set(p)
	handed := pk
	handed.FixedHeader.Qos, handed.FixedHeader.Dup = 1, false
	_ = c.server.InjectPacket(c.again, handed) // where nobody took it, it is not acknowledged
	c.set(nil)
	return pk, packets.ErrRejectPacket
}

func (c *confirmer) by(topic string) string {
	for _, f := range c.filters {
		if Matches(f.Filter, topic) {
			return f.ClientID
		}
	}
	return ""
}

// await waits a while until that client subscribes to the topic: at a start senders may be there first.
func (c *confirmer) await(client, topic string) bool {
	patience := time.NewTimer(publishPatience)
	defer patience.Stop()
	for {
		c.mu.Lock()
		changed, closed := c.changed, c.closed
		c.mu.Unlock()
		if _, ok := c.server.Topics.Subscribers(topic).Subscriptions[client]; ok && !closed {
			return true
		}
		if closed {
			return false
		}
		select {
		case <-changed:
		case <-patience.C:
			return false
		}
	}
}

func (c *confirmer) set(p *promise) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = p
}

// OnQosPublish notes under which number a message goes to its subscriber. One that is sent again has the
// number it had.
func (c *confirmer) OnQosPublish(cl *mochi.Client, pk packets.Packet, _ int64, _ int) {
	if pk.FixedHeader.Type != packets.Publish || pk.FixedHeader.Dup {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now != nil && c.now.by == cl.ID && !c.now.taken {
		c.now.taken = true
		c.open[delivery{cl.ID, pk.PacketID}] = c.now
	}
}

// OnQosComplete keeps the promise.
func (c *confirmer) OnQosComplete(cl *mochi.Client, pk packets.Packet) {
	if p := c.close(cl, pk); p != nil {
		// A sender that is gone sends it again; it is for the subscriber to know it then.
		_ = p.to.WritePacket(packets.Packet{FixedHeader: packets.FixedHeader{Type: packets.Puback}, PacketID: p.packet})
	}
}

func (c *confirmer) close(cl *mochi.Client, pk packets.Packet) *promise {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := delivery{cl.ID, pk.PacketID}
	p := c.open[d]
	delete(c.open, d)
	return p
}

// OnSubscribed wakes who waits for a subscriber.
func (c *confirmer) OnSubscribed(*mochi.Client, packets.Packet, []byte) { c.wake() }

func (c *confirmer) wake() {
	c.mu.Lock()
	defer c.mu.Unlock()
	close(c.changed)
	c.changed = make(chan struct{})
}

// release lets all senders go, for the broker to close.
func (c *confirmer) release() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.wake()
}
