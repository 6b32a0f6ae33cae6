package integration

import (
	"errors"
	"net"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// tap stands between programs and a broker and notes when the broker acknowledged each message: one
// clock for programs of any language.
type tap struct {
	url    string
	broker string
	t      testing.TB

	mu    sync.Mutex
	heard []acked
}

// acked is a message and the time of its PUBACK.
type acked struct {
	at      time.Time
	topic   string
	payload []byte
}

// startTap listens until the test ends.
func startTap(t testing.TB, broker string) *tap {
	t.Helper()
	to, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &tap{url: "tcp://" + l.Addr().String(), broker: to.Host, t: t}
	var lines sync.WaitGroup
	t.Cleanup(func() { l.Close(); lines.Wait() })
	lines.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			lines.Go(func() { p.serve(c) })
		}
	})
	return p
}

// serve carries one connection's packets both ways, until either side hangs up.
func (p *tap) serve(client net.Conn) {
	broker, err := net.Dial("tcp", p.broker)
	if err != nil {
		p.t.Error(err)
		client.Close()
		return
	}
	var flying sync.Map // the message by its number
	down := make(chan struct{})
	go func() {
		defer close(down)
		carry(broker, client, func(c packets.ControlPacket) {
			if c, ok := c.(*packets.PubackPacket); ok {
				if m, ok := flying.LoadAndDelete(c.MessageID); ok {
					p.note(acked{time.Now(), m.(*packets.PublishPacket).TopicName, m.(*packets.PublishPacket).Payload})
				}
			}
		})
	}()
	carry(client, broker, func(c packets.ControlPacket) {
		if c, ok := c.(*packets.PublishPacket); ok && c.Qos == 1 {
			flying.Store(c.MessageID, c)
		}
	})
	<-down
}

func carry(from, to net.Conn, look func(packets.ControlPacket)) {
	defer from.Close()
	defer to.Close()
	for {
		c, err := packets.ReadPacket(from)
		if err != nil {
			return
		}
		look(c)
		if errors.Is(c.Write(to), net.ErrClosed) {
			return
		}
	}
}

func (p *tap) note(a acked) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = append(p.heard, a)
}

// since is what was acknowledged behind the first n.
func (p *tap) since(n int) []acked {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.heard[n:])
}

// forget begins anew.
func (p *tap) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heard = nil
}
