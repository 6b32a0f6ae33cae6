package cloud

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/signed"
)

// slowBroker notes messages in the order in which they are handed to it, each after a while.
type slowBroker struct {
	mu  sync.Mutex
	got map[string][][]byte // by topic
}

func (b *slowBroker) Publish(ctx context.Context, topic string, qos byte, retain bool, payload []byte) error {
	return b.PublishInTurn(ctx, topic, qos, retain, payload, func() {})
}

func (b *slowBroker) PublishInTurn(_ context.Context, topic string, _ byte, _ bool, payload []byte, handed func()) error {
	time.Sleep(rand.N(2 * time.Millisecond))
	b.mu.Lock()
	b.got[topic] = append(b.got[topic], payload)
	b.mu.Unlock()
	handed()
	time.Sleep(rand.N(2 * time.Millisecond)) // for the acknowledgement
	return nil
}

func newKey(t *testing.T) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func status(t *testing.T, edge string, s event.Status) (topic string, payload []byte) {
	t.Helper()
	s.Edge = edge
	payload, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return event.StatusTopic(edge), payload
}

// TestWhatIsSignedForADeviceLeavesInTheOrderOfItsSerials sends receipts for several epochs at once, as the bridge
// does when it greets a device.
func TestWhatIsSignedForADeviceLeavesInTheOrderOfItsSerials(t *testing.T) {
	key := newKey(t)
	signer := signed.NewSigner(key)
	devices := map[string]*signed.Verifier{}
	for _, edge := range []string{"mast-1", "mast-2"} {
		v := signed.NewVerifier(edge, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)})
		devices[edge] = v
		topic, payload := status(t, edge, event.Status{Status: event.Online, Signatures: &event.SignaturesWanted{Session: v.Session().String()}})
		Hear(signer, topic, payload)
	}
	broker := &slowBroker{got: map[string][][]byte{}}
	to := newSigning(broker, signer)
	var all sync.WaitGroup
	for range 50 {
		for edge := range devices {
			all.Go(func() {
				if err := to.Publish(t.Context(), event.ReceiptsTopic(edge), 1, false, []byte("\x0areceipt")); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	for edge, v := range devices {
		got := broker.got[event.ReceiptsTopic(edge)]
		for n, payload := range got {
			if message, _, err := v.Open(event.DownReceipts, payload); err != nil || string(message) != "\x0areceipt" {
				t.Fatalf("%s: message %d of %d: %q %v", edge, n, len(got), message, err)
			}
		}
		if len(got) != 50 {
			t.Errorf("%s has %d messages", edge, len(got))
		}
	}
}

func TestTheSessionThatADeviceSaidLastCounts(t *testing.T) {
	key := newKey(t)
	signer := signed.NewSigner(key)
	v := signed.NewVerifier("mast-1", []ed25519.PublicKey{key.Public().(ed25519.PublicKey)})
	believes := func() bool {
		t.Helper()
		payload, err := signer.Sign("mast-1", event.DownQuery, []byte(`{"id":"q"}`))
		if err != nil {
			t.Fatal(err)
		}
		_, _, err = v.Open(event.DownQuery, payload)
		return err == nil
	}
	hears := func(edge string, s event.Status) {
		topic, payload := status(t, edge, s)
		Hear(signer, topic, payload)
	}
	wants := &event.SignaturesWanted{Session: v.Session().String()}
	for n, c := range []struct {
		say  func()
		want bool
	}{
		{func() {}, false},
		{func() { hears("mast-1", event.Status{Status: event.Online, Signatures: wants}) }, true},
		{func() { hears("mast-1", event.Status{Status: event.Offline}) }, true}, // the broker may hold messages for it
		{func() { hears("mast-2", event.Status{Status: event.Online}) }, true},
		{func() {
			hears("mast-1", event.Status{Status: event.Online, Signatures: &event.SignaturesWanted{Session: "none"}})
		}, false},
		{func() { hears("mast-1", event.Status{Status: event.Online, Signatures: wants}) }, true},
		{func() { hears("mast-1", event.Status{Status: event.Online}) }, false}, // its keys were taken away
	} {
		c.say()
		if got := believes(); got != c.want {
			t.Errorf("%d: %v", n, got)
		}
	}
}
