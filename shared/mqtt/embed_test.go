package mqtt

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"
)

func TestPublishersWaitForASubscriberThatLagsAndNobodyElseDoes(t *testing.T) {
	e, err := Embed(EmbedOptions{QueueBytes: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	lagging, handleLagging := inbox()
	dialUp(t, Options{URL: e.URL(), ManualAck: true}, "up/#", handleLagging)
	brisk, handleBrisk := inbox()
	dialUp(t, Options{URL: e.URL()}, "down/#", handleBrisk)
	p := dialUp(t, Options{URL: e.URL()}, "", nil)

	sent := 0
	for sent < 50 {
		if err := p.Publish(soon(t, 300*time.Millisecond), "up/tile", 1, false, make([]byte, 100_000)); err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			break
		}
		sent++
	}
	if sent != 11 {
		t.Errorf("%d messages of 100 kB fit into 1 MiB", sent)
	}
	other := dialUp(t, Options{URL: e.URL()}, "", nil)
	if err := other.Publish(t.Context(), "down/receipts", 1, false, []byte("r")); err != nil {
		t.Error("a receipt has to wait for somebody else:", err)
	}
	await(t, brisk, "the receipt")

	// The one that was given up is still held by the broker: it comes when there is room.
	for range sent + 1 {
		await(t, lagging, "a message").Ack()
	}
	if err := p.Publish(t.Context(), "up/tile", 1, false, []byte("there is room")); err != nil {
		t.Error(err)
	}
}

func TestTheEmbeddedBrokerShutsOutWhatIsTooLarge(t *testing.T) {
	e, err := Embed(EmbedOptions{MaxPacket: 10_000})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	m := dialUp(t, Options{URL: e.URL()}, "", nil)
	if err := m.Publish(t.Context(), "a", 1, false, make([]byte, 20_000)); err == nil {
		t.Error("it was taken")
	}
	if err := dialUp(t, Options{URL: e.URL()}, "", nil).Publish(t.Context(), "a", 1, false, make([]byte, 9_000)); err != nil {
		t.Error(err)
	}
}

// mute is a broker that welcomes everyone and never acknowledges.
func mute(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestAPublishInHandEndsWithItsConnection(t *testing.T) {
	l := mute(t)
	heard := make(chan net.Conn, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		buf := make([]byte, 4096)
		conn.Read(buf)                    // CONNECT
		conn.Write([]byte{0x20, 2, 0, 0}) // CONNACK
		conn.Read(buf)                    // PUBLISH
		heard <- conn
	}()
	m := dialUp(t, Options{URL: "mqtt://" + l.Addr().String()}, "", nil)
	result := make(chan error, 1)
	go func() { result <- m.Publish(t.Context(), "a", 1, false, []byte("x")) }()
	await(t, heard, "the message").Close()
	if err := await(t, result, "the end of Publish"); !errors.Is(err, ErrConnectionLost) {
		t.Error(err)
	}
}

func TestPublishEndsWithItsContext(t *testing.T) {
	l := mute(t)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		buf := make([]byte, 4096)
		conn.Read(buf)
		conn.Write([]byte{0x20, 2, 0, 0})
		for {
			if _, err := conn.Read(buf); err != nil {
				return
			}
		}
	}()
	m := dialUp(t, Options{URL: "mqtt://" + l.Addr().String()}, "", nil)
	if err := m.Publish(soon(t, 50*time.Millisecond), "a", 1, false, []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if err := m.Publish(t.Context(), "a", 2, false, nil); err == nil {
		t.Error("QoS 2 was taken")
	}
}

func TestDialingDoesNotWaitForABroker(t *testing.T) {
	l := mute(t)
	l.Close() // nobody is there
	log, said := captured()
	m, err := Dial(t.Context(), Options{URL: "mqtt://" + l.Addr().String(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	await(t, said, "word of it")
	if err := m.Publish(t.Context(), "a", 1, false, nil); !errors.Is(err, ErrOffline) || m.Connected() {
		t.Error(err)
	}
	m.Close()
	m.Close() // harmless
}
