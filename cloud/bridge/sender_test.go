package bridge_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/soak"
)

// sender is an edge as it should be: it sends in order; after each connection it says that it is
// online and waits for the receipt that greets it, and begins behind what that says; what has had no
// receipt for a while goes again.
type sender struct {
	name    string
	size    int
	client  *mqtt.Client
	stands  atomic.Bool   // a connection, with the subscription to receipts
	up      chan struct{} // there is a new one
	told    chan uint64   // the latest receipt's watermark
	through atomic.Uint64
}

func newSender(t testing.TB, at site, name string, size int) *sender {
	t.Helper()
	s := &sender{name: name, size: size, up: make(chan struct{}, 1), told: make(chan uint64, 1)}
	var err error
	s.client, err = mqtt.Dial(t.Context(), mqtt.Options{URL: at.mqtt, ClientID: name, Persistent: true, OnDown: func(error) { s.stands.Store(false) }, OnUp: func() {
		s.stands.Store(true)
		select {
		case s.up <- struct{}{}:
		default:
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.client.Close)
	s.client.Subscribe(event.ReceiptsTopic(name), 1, func(m mqtt.Message) {
		i, err := event.UnmarshalMQTT(m.Payload)
		if err != nil {
			t.Error(err)
			return
		}
		r, err := event.ParseReceipt(i)
		if err != nil {
			t.Error(err)
			return
		}
		select {
		case <-s.told:
		default:
		}
		s.through.Store(max(s.through.Load(), r.Through))
		s.told <- r.Through
	})
	return s
}

// Times of a sender, short so that tests are.
const (
	greetPatience   = 3 * time.Second
	receiptPatience = 5 * time.Second
)

// send delivers the numbers 1 to last, as often as it takes, every tenth as urgent; pace is a wait
// between two.
func (s *sender) send(ctx context.Context, last uint64, pace time.Duration) error {
	next := uint64(0) // 0: a greeting comes first
	for s.through.Load() < last {
		if next == 0 {
			if err := s.greet(ctx); err != nil {
				return err
			}
			next = s.through.Load() + 1
			continue
		}
		if next > last {
			select {
			case <-s.told:
			case <-s.up:
				next = 0
			case <-time.After(receiptPatience):
				next = s.through.Load() + 1
			case <-ctx.Done():
				return fmt.Errorf("%s: receipts through %d of %d: %w", s.name, s.through.Load(), last, ctx.Err())
			}
			continue
		}
		i := s.item(next)
		payload, err := i.MarshalMQTT()
		if err != nil {
			return err
		}
		if err := s.client.Publish(ctx, event.Topic(i.Edge, i.Priority, i.Kind), 1, false, payload); err != nil {
			next = 0
			continue
		}
		next++
		if pace > 0 {
			time.Sleep(pace)
		}
	}
	return nil
}

func (s *sender) item(seq uint64) event.Item {
	data := fmt.Appendf(make([]byte, 0, s.size), `{"n":%d}`, seq)
	i := item(s.name, seq, event.Reading, data[:max(len(data), s.size)])
	if seq%10 == 0 {
		i.Priority = event.Urgent
		i.SHA256 = event.Sum(i.Data)
	}
	return i
}

// greet waits for a connection and for the receipt that says that somebody listens.
func (s *sender) greet(ctx context.Context) error {
	for {
		for !s.stands.Load() && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		select {
		case <-s.up: // this is the connection that is greeted
		default:
		}
		select {
		case <-s.told:
		default:
		}
		payload := fmt.Sprintf(`{"status":"online","edge":%q,"epoch":%q,"version":"test"}`, s.name, epoch)
		if s.client.Publish(ctx, event.StatusTopic(s.name), 1, true, []byte(payload)) == nil {
			select {
			case <-s.told:
				return nil
			case <-time.After(greetPatience):
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%s: no receipt greets it: %w", s.name, ctx.Err())
		}
	}
}

// long is n, or what the long form asks for.
func long(n, more uint64) uint64 {
	if soak.Asked() {
		return more
	}
	return n
}
