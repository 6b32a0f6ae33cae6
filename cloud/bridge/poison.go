package bridge

import (
	"context"
	"errors"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// maxReason bounds the reason in a dead letter's header.
const maxReason = 4 << 10

// bury writes a message that can't be used to the dead letters, as it came and with the reason, and
// acknowledges it, so that the rest flows. An item that comes again and again is buried once.
func (b *Bridge) bury(ctx context.Context, m broker.Message, item event.Item, cause error) {
	again := item.Seq > 0 && b.buried[item.ID]
	if !again {
		b.metrics.poison.Inc()
		b.Logger.Warn("a message can't be used; it is kept in the dead letters", "topic", m.Topic, "bytes", len(m.Payload), "problem", cause)
		record := broker.Record{Topic: event.DLQTopic, Key: []byte(m.Topic), Value: m.Payload, Headers: connectHeaders(m.Topic, cause)}
		if b.append(ctx, record) != nil {
			return // not acknowledged: it comes again
		}
		if item.Seq > 0 {
			b.remember(item)
		}
	}
	m.Ack()
}

// buryItem does the same for an item that Kafka refuses for its size.
func (b *Bridge) buryItem(ctx context.Context, e entry, cause error) {
	b.metrics.poison.Inc()
	b.Logger.Error("Kafka refuses an item; it is kept in the dead letters", "edge", e.item.Edge, "seq", e.item.Seq, "problem", cause)
	record := broker.RecordOf(e.item)
	record.Headers = append(record.Headers, connectHeaders(record.Topic, cause)...)
	record.Topic, record.Value = event.DLQTopic, nil
	if b.append(ctx, record) == nil {
		b.landed(e)
	}
}

// append insists until Kafka has a dead letter. One too large even for that is cut to its headers.
func (b *Bridge) append(ctx context.Context, r broker.Record) error {
	return b.insist(ctx, "writing a dead letter", func(ctx context.Context) error {
		err := b.Log.Append(ctx, r)
		if errors.Is(err, broker.ErrRecordTooLarge) && len(r.Value) > 0 {
			r.Value = r.Value[:min(len(r.Value), b.config.InlineBytes/2)]
		}
		return err
	})
}

// buriedAtMost bounds what is remembered of buried items; then all is forgotten, and buried again.
const buriedAtMost = 100_000

func (b *Bridge) remember(i event.Item) {
	if len(b.buried) >= buriedAtMost {
		clear(b.buried)
	}
	b.buried[i.ID] = true
}

// connectHeaders say why, in the headers by which Kafka Connect's tools know dead letters.
func connectHeaders(topic string, cause error) []event.Header {
	class := "cloudcanvas.bridge.Unusable"
	for sentinel, name := range map[error]string{
		event.ErrDigest: "WrongDigest", event.ErrTooLarge: "TooLarge", event.ErrMalformed: "Malformed",
		event.ErrUnknownKind: "UnknownKind", event.ErrIncomplete: "Incomplete", errPart: "Part", broker.ErrRecordTooLarge: "TooLarge",
	} {
		if errors.Is(cause, sentinel) {
			class = "cloudcanvas.bridge." + name
		}
	}
	message := cause.Error()
	header := func(name, value string) event.Header {
		return event.Header{Key: "__connect.errors." + name, Value: []byte(value)}
	}
	return []event.Header{
		header("topic", topic), header("connector.name", "canvas-bridge"), header("stage", "VALUE_CONVERTER"),
		header("class.name", "cloudcanvas/cloud/bridge"), header("exception.class.name", class),
		header("exception.message", message[:min(len(message), maxReason)]),
	}
}
