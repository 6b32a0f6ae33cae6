package mqtt

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"
)

func TestTheEmbeddedBrokerAcknowledgesAReadingWhenItsTakerHas(t *testing.T) {
	e, err := Embed(EmbedOptions{Confirm: []Confirm{{"canvas/sensors/+/reading", "taker"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	publisher := dialUp(t, Options{URL: e.URL()}, "", nil)
	const n = 20
	reported := make(chan int, n)
	var all sync.WaitGroup
	for i := range n { // some before the taker is there
		all.Go(func() {
			if err := publisher.Publish(t.Context(), fmt.Sprintf("canvas/sensors/s%d/reading", i%3), 1, false, []byte("1")); err != nil {
				t.Error(err)
			}
			reported <- i
		})
	}
	watching, handleWatching := inbox()
	dialUp(t, Options{URL: e.URL()}, "canvas/#", handleWatching)
	taken, handleTaken := inbox()
	taker := dialUp(t, Options{URL: e.URL(), ClientID: "taker", Persistent: true, ManualAck: true}, "canvas/sensors/+/reading", handleTaken)
	first := await(t, taken, "a reading")
	await(t, watching, "a reading for somebody else")
	select {
	case i := <-reported:
		t.Fatalf("reading %d was acknowledged before its taker had it", i)
	case <-time.After(100 * time.Millisecond): // it can only be seen that nothing comes
	}
	if err := publisher.Publish(t.Context(), "canvas/other", 1, false, []byte("1")); err != nil {
		t.Error("another message waits as well:", err)
	}
	first.Ack()
	await(t, reported, "the acknowledgement")
	for range n - 1 {
		await(t, taken, "a reading").Ack()
	}
	all.Wait()
	if len(e.confirm.open) != 0 {
		t.Errorf("%d promises are open", len(e.confirm.open))
	}

	// What the taker did not acknowledge comes again to its next life, and is promised still.
	result := make(chan error, 1)
	go func() { result <- publisher.Publish(t.Context(), "canvas/sensors/s/reading", 1, false, []byte("2")) }()
	await(t, taken, "the last one")
	taker.Close()
	again, handleAgain := inbox()
	dialUp(t, Options{URL: e.URL(), ClientID: "taker", Persistent: true, ManualAck: true}, "canvas/sensors/+/reading", handleAgain)
	m := await(t, again, "it again")
	if !m.Duplicate || string(m.Payload) != "2" {
		t.Errorf("%+v", m)
	}
	m.Ack()
	if err := await(t, result, "its acknowledgement"); err != nil {
		t.Error(err)
	}
}

func TestAReadingThatNobodyTakesIsNotAcknowledgedByTheEmbeddedBroker(t *testing.T) {
	e, err := Embed(EmbedOptions{Confirm: []Confirm{{"canvas/sensors/+/reading", "taker"}}})
	if err != nil {
		t.Fatal(err)
	}
	publisher := dialUp(t, Options{URL: e.URL()}, "", nil)
	result := make(chan error, 1)
	go func() { result <- publisher.Publish(t.Context(), "canvas/sensors/s/reading", 1, false, []byte("1")) }()
	time.AfterFunc(50*time.Millisecond, func() { e.Close() })
	if err := await(t, result, "the end of the broker"); !errors.Is(err, ErrConnectionLost) && !errors.Is(err, ErrOffline) {
		t.Error(err)
	}
}
