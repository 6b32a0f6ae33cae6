package mqtt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cloudcanvas/shared/brokertest"
)

// The same suite runs over the embedded broker and over mosquitto.

func TestMQTTOverTheEmbeddedBroker(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	e, err := Embed(EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	mqttSuite(t, e.URL())
}

func TestMQTTOverMosquitto(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	mqttSuite(t, brokertest.StartMosquitto(t).URL)
}

func mqttSuite(t *testing.T, url string) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, string)
	}{
		{"PublishEndsWithThePUBACKAndMessagesComeInOrder", orderedDelivery},
		{"PersistentSessionKeepsMessagesWhileTheClientIsAway", persistentSession},
		{"UnacknowledgedMessagesComeAgain", manualAcknowledgement},
		{"MessagesThatComeBeforeTheirSubscriptionWaitForIt", earlyMessages},
		{"TheWillIsSentWhenTheLinkBreaksButNotOnClose", lastWill},
		{"AfterACutThePublisherKnowsAndTheSubscriberIsBack", cutLink},
		{"LargeMessagesArriveWhole", largeMessages},
		{"WhatIsSentAgainArrivesThroughAFlappingLink", flappingLink},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, url) })
	}
}

// dialUp gives a client that is connected, once its first subscription stands.
func dialUp(t *testing.T, o Options, filter string, handle func(Message)) *Client {
	t.Helper()
	up, then := make(chan struct{}, 16), o.OnUp
	o.OnUp = func() {
		if then != nil {
			then()
		}
		up <- struct{}{}
	}
	m, err := Dial(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	if filter != "" {
		m.Subscribe(filter, 1, handle)
	}
	await(t, up, "the connection")
	if filter != "" {
		// Subscribe may have come a moment after connecting: a message to oneself shows that it stands.
		m.mu.Lock()
		s := m.current
		m.mu.Unlock()
		if s != nil {
			m.subscribe(s, []subscription{{filter: filter, qos: 1}})
		}
	}
	return m
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

// inbox is a channel that takes messages as a handler, with room for a test's worth of them.
func inbox() (chan Message, func(Message)) {
	c := make(chan Message, 1000)
	return c, func(m Message) { c <- m }
}

// topicOf is a topic of the test's own.
func topicOf(t *testing.T, rest string) string { return "test/" + t.Name() + "/" + rest }

func orderedDelivery(t *testing.T, url string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	dialUp(t, Options{URL: url}, topicOf(t, "#"), handle)
	p := dialUp(t, Options{URL: url}, "", nil)
	for i := range 100 {
		if err := p.Publish(t.Context(), topic, 1, false, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 100 {
		if m := await(t, got, "a message"); string(m.Payload) != fmt.Sprint(i) || m.Topic != topic {
			t.Fatalf("message %d is %q on %s", i, m.Payload, m.Topic)
		}
	}
}

func persistentSession(t *testing.T, url string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	o := Options{URL: url, ClientID: "bridge", Persistent: true}
	first := dialUp(t, o, topic, handle)
	first.Close()
	p := dialUp(t, Options{URL: url}, "", nil)
	for i := range 50 {
		if err := p.Publish(t.Context(), topic, 1, false, fmt.Append(nil, i)); err != nil {
			t.Fatal(err)
		}
	}
	dialUp(t, o, topic, handle)
	seen := map[string]bool{}
	for len(seen) < 50 {
		seen[string(await(t, got, "what was sent meanwhile").Payload)] = true
	}
}

func manualAcknowledgement(t *testing.T, url string) {
	topic := topicOf(t, "a")
	o := Options{URL: url, ClientID: "manual", Persistent: true, ManualAck: true}
	got, handle := inbox()
	first := dialUp(t, o, topic, handle)
	p := dialUp(t, Options{URL: url}, "", nil)
	for _, text := range []string{"kept", "let go"} {
		if err := p.Publish(t.Context(), topic, 1, false, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	await(t, got, "the first").Ack()
	await(t, got, "the second")
	first.Close()

	second := dialUp(t, o, topic, handle)
	m := await(t, got, "what was not acknowledged")
	if string(m.Payload) != "let go" || !m.Duplicate {
		t.Errorf("%q came, duplicate %v", m.Payload, m.Duplicate)
	}
	m.Ack()
	m.Ack() // harmless
	// What comes next must be the new message: nothing else is left.
	if err := p.Publish(t.Context(), topic, 1, false, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if m := await(t, got, "the new one"); string(m.Payload) != "new" {
		t.Errorf("%q came again", m.Payload)
	}
	second.Close()
}

func earlyMessages(t *testing.T, url string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	o := Options{URL: url, ClientID: "early", Persistent: true}
	dialUp(t, o, topic, handle).Close()
	p := dialUp(t, Options{URL: url}, "", nil)
	if err := p.Publish(t.Context(), topic, 1, false, []byte("early")); err != nil {
		t.Fatal(err)
	}
	m := dialUp(t, o, "", nil) // connected, and the broker sends, but nobody has asked yet
	m.Subscribe(topic, 1, handle)
	if m := await(t, got, "the early message"); string(m.Payload) != "early" {
		t.Errorf("%q", m.Payload)
	}
}

func lastWill(t *testing.T, broker string) {
	got, handle := inbox()
	topic := topicOf(t, "status")
	dialUp(t, Options{URL: broker}, topic, handle)
	link := brokertest.NewLink(t, hostOf(t, broker))
	edge := Options{URL: link.URL(broker), ClientID: "edge", Will: &Message{Topic: topic, Payload: []byte("offline"), QoS: 1, Retained: true}}

	calm := edge
	calm.ClientID = "calm" // a second client of its name may reach the broker before its farewell: then the will is due
	dialUp(t, calm, "", nil).Close()
	dialUp(t, edge, "", nil)
	if err := dialUp(t, Options{URL: broker}, "", nil).Publish(t.Context(), topic, 1, false, []byte("marker")); err != nil {
		t.Fatal(err)
	}
	if m := await(t, got, "the marker"); string(m.Payload) != "marker" {
		t.Errorf("%q came after a calm close", m.Payload)
	}
	link.Cut()
	if m := await(t, got, "the will"); string(m.Payload) != "offline" {
		t.Errorf("%q", m.Payload)
	}
	late, handleLate := inbox()
	dialUp(t, Options{URL: broker}, topic, handleLate)
	if m := await(t, late, "the retained will"); !m.Retained || string(m.Payload) != "offline" {
		t.Errorf("%q, retained %v", m.Payload, m.Retained)
	}
	if err := dialUp(t, Options{URL: broker}, "", nil).Publish(t.Context(), topic, 1, true, nil); err != nil {
		t.Fatal(err) // leaves nothing for the next test
	}
}

func cutLink(t *testing.T, broker string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	link := brokertest.NewLink(t, hostOf(t, broker))
	up, down := make(chan struct{}, 8), make(chan error, 8)
	m := dialUp(t, Options{
		URL:    link.URL(broker),
		OnUp:   func() { up <- struct{}{} },
		OnDown: func(err error) { down <- err },
	}, topic, handle)
	await(t, up, "the connection")
	link.Cut()
	await(t, down, "word of the cut")
	if err := m.Publish(t.Context(), topic, 1, false, []byte("x")); !errors.Is(err, ErrOffline) || m.Connected() {
		t.Errorf("error %v, connected %v", err, m.Connected())
	}
	link.Mend()
	await(t, up, "the next connection")
	if err := m.Publish(t.Context(), topic, 1, false, []byte("back")); err != nil {
		t.Fatal(err)
	}
	if m := await(t, got, "a message after the cut"); string(m.Payload) != "back" {
		t.Errorf("%q", m.Payload)
	}
}

func largeMessages(t *testing.T, url string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	m := dialUp(t, Options{URL: url}, topic, handle)
	big := make([]byte, 3<<20)
	for i := range big {
		big[i] = byte(i * 31)
	}
	if err := m.Publish(t.Context(), topic, 1, false, big); err != nil {
		t.Fatal(err)
	}
	if m := await(t, got, "3 MiB"); string(m.Payload) != string(big) {
		t.Errorf("%d bytes came, or others", len(m.Payload))
	}
}

func flappingLink(t *testing.T, broker string) {
	got, handle := inbox()
	topic := topicOf(t, "a")
	dialUp(t, Options{URL: broker}, topic, handle)
	link := brokertest.NewLink(t, hostOf(t, broker))
	up := make(chan struct{}, 8)
	p := dialUp(t, Options{URL: link.URL(broker), OnUp: func() { up <- struct{}{} }}, "", nil)
	await(t, up, "the connection")

	const count, senders = 400, 8
	var work sync.WaitGroup
	for s := range senders {
		work.Go(func() {
			for i := s; i < count; i += senders {
				for p.Publish(t.Context(), topic, 1, false, append(fmt.Append(nil, i, " "), make([]byte, 5000)...)) != nil {
					if t.Context().Err() != nil {
						return
					}
					time.Sleep(10 * time.Millisecond) // the uplink's backoff
				}
			}
		})
	}
	seen := map[int]bool{}
	for cuts := 0; len(seen) < count; {
		var i int
		fmt.Sscan(string(await(t, got, "a message").Payload), &i)
		seen[i] = true
		if cuts < 2 && len(seen) > 100*(cuts+1) {
			cuts++
			link.Cut()
			link.Mend()
			await(t, up, "the next connection")
		}
	}
	work.Wait()
}

func hostOf(t *testing.T, broker string) string {
	t.Helper()
	u, err := url.Parse(broker)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// soon is a context that ends soon.
func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
