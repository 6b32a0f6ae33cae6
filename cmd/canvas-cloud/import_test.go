package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/carry"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

const carriedEpoch event.Epoch = "0123456789abcdef"

// exported is a folder with items 1 to n of mast-7.
func exported(t *testing.T, n int) string {
	t.Helper()
	f, err := carry.Create(t.TempDir(), "mast-7", carriedEpoch)
	if err != nil {
		t.Fatal(err)
	}
	for seq := range n {
		data := []byte(`{"sensor":"wind","values":{"value":1}}`)
		err := f.Add(event.Item{ID: event.NewID(time.Now()), Edge: "mast-7", Epoch: carriedEpoch, Seq: uint64(seq + 1), Kind: event.Reading, Stream: "wind", Subject: "wind",
			Time: time.Now().UTC(), Priority: event.Normal, Type: "application/json", SHA256: event.Sum(data), Data: data})
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Path()
}

// importing is an importer of a broker, and what it says.
func importing(t *testing.T, url string, wait time.Duration) (*importer, *bytes.Buffer) {
	t.Helper()
	said := &bytes.Buffer{}
	i := &importer{say: said, complain: said, wait: wait}
	var err error
	i.client, err = mqtt.Dial(t.Context(), mqtt.Options{URL: url, OnDown: func(error) { i.ends.Add(1) }, OnRefused: func(string) { i.deaf.Store(true) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(i.client.Close)
	return i, said
}

// receipting answers each item as a bridge does; say makes the receipt for what came so far.
func receipting(t *testing.T, url string, say func(seq uint64) event.Receipt) {
	t.Helper()
	c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	stands := make(chan struct{})
	c.SubscribeThen(event.UpFilter, 1, func(m mqtt.Message) {
		item, err := event.UnmarshalMQTT(m.Payload)
		if err != nil {
			t.Error(err)
			return
		}
		answer, err := say(item.Seq).Item("mast-7", time.Now())
		if err != nil {
			t.Error(err)
			return
		}
		payload, err := answer.MarshalMQTT()
		if err != nil {
			t.Error(err)
			return
		}
		go c.Publish(context.WithoutCancel(t.Context()), event.ReceiptsTopic("mast-7"), 1, false, payload)
	}, func() { close(stands) })
	select {
	case <-stands:
	case <-time.After(2 * time.Minute):
		t.Fatal("the broker does not answer")
	}
}

func embedded(t *testing.T) string {
	t.Helper()
	server, err := mqtt.Embed(mqtt.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	return server.URL()
}

// incomplete checks that an error makes exit code 3 and says something.
func incomplete(t *testing.T, err error, says string) {
	t.Helper()
	if cli.Code(err) != cli.Incomplete || !strings.Contains(err.Error(), says) {
		t.Errorf("the verdict is %v, want exit code 3 and %q", err, says)
	}
}

func TestAnImportCountsWhatReceiptsConfirm(t *testing.T) {
	url, dir := embedded(t), exported(t, 600)
	receipting(t, url, func(seq uint64) event.Receipt {
		return event.Receipt{Epoch: carriedEpoch, Above: []event.Range{{From: seq, To: seq}}}
	})
	i, said := importing(t, url, 20*time.Second)
	for range 2 {
		if err := i.takeIn(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	if err := i.outcome(); err != nil || i.confirmed != 1200 || !strings.Contains(said.String(), "600 items are in Kafka\n") {
		t.Errorf("%v: %s", err, said)
	}
}

func TestAnImportWithoutReceiptsIsIncomplete(t *testing.T) {
	url, dir := embedded(t), exported(t, 3)
	receipting(t, url, func(seq uint64) event.Receipt {
		switch seq {
		case 1:
			return event.Receipt{Epoch: carriedEpoch, Through: 1}
		case 2: // of another life of the buffer
			return event.Receipt{Epoch: "fedcba9876543210", Through: 100}
		}
		return event.Receipt{Epoch: carriedEpoch, Through: 1, Conflicts: []event.Known{{Seq: 3, ID: event.NewID(time.Now())}}}
	})
	i, said := importing(t, url, 500*time.Millisecond)
	if err := i.takeIn(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	incomplete(t, i.outcome(), "1 items are not confirmed")
	if !strings.Contains(said.String(), "1 items are in Kafka, 1 are not confirmed, 1 are refused") {
		t.Error(said)
	}
}

func TestDamagedItemsOfAnImportAreToldBesideTheOthers(t *testing.T) {
	url, dir := embedded(t), exported(t, 3)
	if err := os.WriteFile(filepath.Join(dir, "2.items"), []byte("noise"), 0o600); err != nil {
		t.Fatal(err)
	}
	receipting(t, url, func(seq uint64) event.Receipt {
		return event.Receipt{Epoch: carriedEpoch, Above: []event.Range{{From: seq, To: seq}}}
	})
	i, said := importing(t, url, 20*time.Second)
	if err := i.takeIn(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	incomplete(t, i.outcome(), "1 items are damaged")
	if !strings.Contains(said.String(), "2 items are in Kafka\n") || !strings.Contains(said.String(), "item 2 of mast-7 is left out") {
		t.Error(said)
	}
}

// TestAnImportThatTheAccessListDeniesIsToldSoon: mosquitto acknowledges what it denies.
func TestAnImportThatTheAccessListDeniesIsToldSoon(t *testing.T) {
	acl := filepath.Join(t.TempDir(), "acl")
	if err := os.WriteFile(acl, []byte("topic read canvas/v1/+/down/receipts\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	m := brokertest.StartMosquitto(t, "acl_file "+acl)
	i, said := importing(t, m.URL, time.Second)
	if err := i.takeIn(t.Context(), exported(t, 1000)); err != nil {
		t.Fatal(err)
	}
	incomplete(t, i.outcome(), "canvas-services.acl")
	if !strings.Contains(said.String(), "0 items are in Kafka, 1000 are not confirmed") {
		t.Error(said)
	}
}
