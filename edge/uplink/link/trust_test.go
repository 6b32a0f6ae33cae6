package link_test

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/edge/uplink"
	"cloudcanvas/edge/uplink/link"
	"cloudcanvas/edge/uplink/uplinktest"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/signed"
)

// cloudKey is a cloud's signing key.
func cloudKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func publicOf(keys ...ed25519.PrivateKey) (all []ed25519.PublicKey) {
	for _, k := range keys {
		all = append(all, k.Public().(ed25519.PublicKey))
	}
	return all
}

// pinned is a device with trusted keys at a mosquitto, and whoever else publishes there.
type pinned struct {
	t    testing.TB
	b    box
	link *link.Link
	log  *said
	hand *mqtt.Client // that publishes what the test makes up
	down chan string  // messages of down/query and down/models that the device believes

	mu     sync.Mutex
	status event.Status
	came   map[uint64]bool
}

func pin(t testing.TB, keys []ed25519.PublicKey) *pinned {
	t.Helper()
	site := brokertest.StartMosquitto(t)
	p := &pinned{t: t, b: box{uplinktest.NewBox()}, log: new(said), down: make(chan string, 100), came: map[uint64]bool{}}
	var err error
	if p.hand, err = mqtt.Dial(t.Context(), mqtt.Options{URL: site.URL, ClientID: "hand"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.hand.Close)
	p.hand.Subscribe(event.StatusTopic(edge), 1, func(m mqtt.Message) {
		s, err := event.ParseStatus(m.Payload)
		if err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.status = s
	})
	p.hand.Subscribe("canvas/v1/"+edge+"/up/#", 1, func(m mqtt.Message) {
		if i, err := event.UnmarshalMQTT(m.Payload); err == nil {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.came[i.Seq] = true
		}
	})
	out := slog.New(slog.NewTextHandler(p.log, nil))
	ctx, cancel := context.WithCancel(t.Context())
	o := link.Options{URL: site.URL, Edge: edge, Buffer: p.b, Log: out}
	if keys != nil {
		o.Trust = signed.NewVerifier(edge, keys)
	}
	if p.link, err = link.Dial(ctx, o); err != nil {
		t.Fatal(err)
	}
	for _, what := range []string{event.DownQuery, event.DownModels} {
		p.link.Down(what, func(message []byte) { p.down <- string(message) })
	}
	u, err := uplink.New(p.b, p.link, uplink.DefaultConfig(), uplink.Options{Log: out, StateFile: t.TempDir() + "/uplink.json"})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- u.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		p.link.Close()
	})
	p.until("a status", func() bool { return p.status.Status == event.Online })
	return p
}

// until waits for what is looked at under the lock.
func (p *pinned) until(what string, met func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		ok := met()
		p.mu.Unlock()
		if ok {
			return
		}
		if time.Now().After(end) {
			p.t.Fatalf("it never comes: %s\n%s", what, p.log)
		}
	}
}

// signer is a cloud that has heard the device's status.
func (p *pinned) signer(key ed25519.PrivateKey) *signed.Signer {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	s := signed.NewSigner(key)
	if p.status.Signatures == nil {
		return s
	}
	session, err := signed.ParseSession(p.status.Signatures.Session)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Heard(edge, session)
	s.Heard("other", session)
	return s
}

func (p *pinned) publish(what string, payload []byte) {
	p.t.Helper()
	if err := p.hand.Publish(p.t.Context(), event.DownTopic(edge, what), 1, false, payload); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pinned) sign(s *signed.Signer, to, what string, message []byte) []byte {
	p.t.Helper()
	payload, err := s.Sign(to, what, message)
	if err != nil {
		p.t.Fatal(err)
	}
	return payload
}

// receipt says that Kafka has everything up to that number.
func (p *pinned) receipt(through uint64) []byte {
	p.t.Helper()
	item, err := event.Receipt{Epoch: "first", Through: through}.Item(edge, time.Now())
	if err != nil {
		p.t.Fatal(err)
	}
	message, err := item.MarshalMQTT()
	if err != nil {
		p.t.Fatal(err)
	}
	return message
}

// next is the next message that the device believes.
func (p *pinned) next() string {
	p.t.Helper()
	select {
	case m := <-p.down:
		return m
	case <-time.After(time.Minute):
		p.t.Fatalf("nothing is believed\n%s", p.log)
	}
	return ""
}

// sync waits until the device has taken all that was published before: a broker keeps their order.
func (p *pinned) sync(s *signed.Signer, id string) {
	p.t.Helper()
	p.publish(event.DownQuery, p.sign(s, edge, event.DownQuery, []byte(`{"id":"`+id+`"}`)))
	if got := p.next(); got != `{"id":"`+id+`"}` {
		p.t.Fatalf("before %s came %q", id, got)
	}
}

// holds says that these numbers wait in the buffer still.
func (p *pinned) holds(seqs ...uint64) {
	p.t.Helper()
	for _, seq := range seqs {
		if !p.b.Waits(seq) {
			p.t.Fatalf("%d is freed\n%s", seq, p.log)
		}
	}
}

const offer = `{"type":"offer","model":"m","version":"2","files":[]}` + "\n"

func TestADeviceWithAPinnedKeyBelievesNobodyElse(t *testing.T) {
	key := cloudKey(t)
	p := pin(t, publicOf(key))
	s, stranger := p.signer(key), p.signer(cloudKey(t))
	p.b.Add(reading(1), reading(2), reading(3))
	p.until("the items", func() bool { return p.came[1] })

	// Forged, as the 309 bytes that emptied a buffer.
	p.publish(event.DownReceipts, p.receipt(3))
	p.publish(event.DownModels, []byte(offer))
	p.publish(event.DownQuery, []byte(`{"id":"forged","scene":"a"}`))
	p.publish(event.DownReceipts, p.sign(stranger, edge, event.DownReceipts, p.receipt(3)))
	p.publish(event.DownModels, p.sign(stranger, edge, event.DownModels, []byte(offer)))
	// Another device's, another topic's, and one with another byte.
	p.publish(event.DownReceipts, p.sign(s, "other", event.DownReceipts, p.receipt(3)))
	p.publish(event.DownReceipts, p.sign(s, edge, event.DownModels, p.receipt(3)))
	changed := p.sign(s, edge, event.DownReceipts, p.receipt(1))
	changed[strings.Index(string(changed), `"through":1`)+len(`"through":`)] = '3'
	p.publish(event.DownReceipts, changed)
	p.sync(s, "after-forgeries")
	p.holds(1, 2, 3)
	if got := p.link.Signatures().Refused; got["unsigned"] != 3 || got["unknown_key"] != 2 || got["forged"] != 3 {
		t.Errorf("%v", got)
	}
	p.until("the trouble in the status", func() bool {
		return len(p.status.Troubles) == 1 && strings.HasPrefix(p.status.Troubles[0].Kind, "refused_") && strings.Contains(p.status.Troubles[0].Text, "somebody")
	})
	for what, times := range map[string]int{"messages that are not signed": 1, "a key which this device does not trust": 1, "whose signature is not for their bytes": 1} {
		if n := strings.Count(p.log.String(), what); n != times {
			t.Errorf("the log says %q %d times", what, n)
		}
	}
	p.publish(event.DownReceipts, p.sign(s, edge, event.DownReceipts, p.receipt(3)))
	p.until("the true receipt frees", func() bool { return !p.b.Waits(1) && !p.b.Waits(2) && !p.b.Waits(3) })
}

func TestOldMessagesOfTheCloudsOwnAreRefused(t *testing.T) {
	key := cloudKey(t)
	p := pin(t, publicOf(key))
	s := p.signer(key)
	first := p.sign(s, edge, event.DownModels, []byte(`{"version":"1"}`+"\n"))
	keptBack := p.sign(s, edge, event.DownModels, []byte(`{"version":"2"}`+"\n"))
	last := p.sign(s, edge, event.DownModels, []byte(`{"version":"3"}`+"\n"))
	early := signed.NewSigner(key) // what the cloud signed for this device before it began anew
	early.Heard(edge, signed.NewSession())
	p.b.Add(reading(1))
	p.until("the item", func() bool { return p.came[1] })
	p.publish(event.DownModels, first)
	p.publish(event.DownModels, last)
	for _, want := range []string{"1", "3"} {
		if got := p.next(); !strings.Contains(got, want) {
			t.Fatalf("%s in place of %s", got, want)
		}
	}
	p.publish(event.DownModels, first)    // as a broker does that lost an acknowledgement
	p.publish(event.DownModels, keptBack) // as nobody does who means well
	p.publish(event.DownReceipts, p.sign(early, edge, event.DownReceipts, p.receipt(1)))
	p.publish(event.DownModels, p.sign(early, edge, event.DownModels, []byte(offer)))
	p.sync(s, "after-replays")
	p.holds(1)
	if got := p.link.Signatures().Refused; got["repeated"] != 1 || got["replayed"] != 1 || got["other_session"] != 2 {
		t.Errorf("%v", got)
	}
}

func TestTheCloudsKeyIsChangedWithoutAStop(t *testing.T) {
	older, newer := cloudKey(t), cloudKey(t)
	p := pin(t, publicOf(older, newer))
	p.b.Add(reading(1), reading(2))
	p.until("the items", func() bool { return p.came[1] })
	for n, key := range []ed25519.PrivateKey{older, newer} {
		seq := uint64(n + 1)
		p.publish(event.DownReceipts, p.sign(p.signer(key), edge, event.DownReceipts, p.receipt(seq)))
		p.until("the receipt", func() bool { return !p.b.Waits(seq) })
	}
}

func TestADeviceWithoutAKeyReadsACloudThatSignsAndOneThatDoesNot(t *testing.T) {
	p := pin(t, nil)
	s := p.signer(cloudKey(t))
	p.b.Add(reading(1), reading(2))
	p.until("the items", func() bool { return p.came[1] })
	p.publish(event.DownReceipts, p.sign(s, edge, event.DownReceipts, p.receipt(1)))
	p.until("a signed receipt", func() bool { return !p.b.Waits(1) })
	p.publish(event.DownReceipts, p.receipt(2))
	p.until("an unsigned one", func() bool { return !p.b.Waits(2) })
	p.publish(event.DownQuery, p.sign(s, edge, event.DownQuery, []byte(`{"id":"q7","scene":"may","tile":"1_1"}`)))
	if q, err := event.ParseQuery([]byte(p.next())); err != nil || q.ID != "q7" || q.Tile != "1_1" {
		t.Errorf("%+v %v", q, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.status.Signatures != nil || len(p.link.Signatures().Keys) > 0 {
		b, _ := json.Marshal(p.status)
		t.Errorf("%s", b)
	}
}

func TestADeviceWithAPinnedKeyAtACloudThatDoesNotSignKeepsEverythingAndSaysWhy(t *testing.T) {
	p := pin(t, publicOf(cloudKey(t)))
	p.b.Add(reading(1))
	p.until("the item", func() bool { return p.came[1] })
	for range 5 {
		p.publish(event.DownReceipts, p.receipt(1))
	}
	p.until("the refusals", func() bool { return p.link.Signatures().Refused["unsigned"] == 5 })
	p.holds(1)
	p.until("the trouble", func() bool {
		return len(p.status.Troubles) == 1 && p.status.Troubles[0].Kind == "refused_unsigned" && strings.Contains(p.status.Troubles[0].Text, "signing.key_file")
	})
	if n := strings.Count(p.log.String(), "not signed"); n < 1 || strings.Count(p.log.String(), "level=ERROR") != 1 {
		t.Errorf("%d\n%s", n, p.log)
	}
}
