package bridge

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// addPoison makes a dead letter of a message, with its reason, once.
//
// What is poison may have been spoiled on the way, so the first time its number is not taken for
// seen, and the edge sends it again after its timeout. When the very same bytes come twice they are
// the edge's own; then the number is settled, and the edge may let go of it. What the MQTT broker
// delivers again, because a PUBACK did not reach it, does not count: the edge has sent that once, and
// a receipt would let it delete an item that is good where it lies.
func (b *batch) addPoison(s *session, l *message, payload []byte, item *event.Item, reason error) {
	topic := l.Topic
	if errors.Is(reason, errBlocked) {
		s.refuseBlocked(topic)
		return
	}
	b.counts.poison++
	s.metrics.dead.count(edgeNamed(topic), exception(reason))
	print := sha256.Sum256(payload)
	id := parts.IdentityOf(item)
	edge, _, _, err := event.ParseTopic(topic)
	known := err == nil && edge == id.Edge && id.Epoch.Valid()
	if known {
		b.spoiled[parts.Identity{Edge: id.Edge, Epoch: id.Epoch}]++
	}
	if s.poison.has(print) {
		if known && !l.Duplicate && id.Seq > 0 && id.Seq <= parts.MaxSeq {
			s.dedup.AddUnsaved(id.Edge, id.Epoch, id.Seq) // no record in Kafka says that this number is settled
			s.dirty = true
		}
		return
	}
	if b.poison[print] {
		return
	}
	if !s.deadBounds.keep(topic, payload, print, reason) {
		return
	}
	if b.poison == nil {
		b.poison = map[[sha256.Size]byte]bool{}
	}
	b.poison[print] = true
	e := entry{poison: true, record: deadLetter(topic, []byte(topic), payload, reason, deadletter.StageConvert)}
	if len(payload) > event.MaxInline {
		key := quarantineKey(print)
		b.objects = append(b.objects, object{key, payload})
		e.record.Value = []byte{}
		e.record.Headers = append(e.record.Headers, quarantined(key, len(payload))...)
	}
	b.entries = append(b.entries, e)
	s.Logger.Warn("a message becomes a dead letter", "topic", topic, "bytes", len(payload), "reason", reason)
}

// deadLetter is a record of the DLQ. Key and value are as they came, on an MQTT topic or for a Kafka one.
func deadLetter(topic string, key, value []byte, reason error, stage string) kafka.Record {
	if value == nil {
		value = []byte{}
	}
	why := deadletter.Cause{
		Topic: topic, Offset: -1, Connector: "canvas-bridge", Stage: stage,
		Class: "cloudcanvas/cloud/bridge", Exception: exception(reason), Reason: reason.Error(),
	}
	return kafka.Record{Topic: event.DLQTopic, Key: key, Value: value, Headers: why.Headers()}
}

// exception names the kind of fault.
func exception(reason error) string {
	for _, kind := range [...]struct {
		err  error
		name string
	}{
		{event.ErrDigest, "event.ErrDigest"}, {event.ErrTooLarge, "event.ErrTooLarge"}, {event.ErrUnknownKind, "event.ErrUnknownKind"},
		{event.ErrIncomplete, "event.ErrIncomplete"}, {event.ErrMalformed, "event.ErrMalformed"}, {errStray, "bridge.Stray"},
		{errBlocked, "bridge.Blocked"}, {errReference, "bridge.Reference"}, {errKind, "bridge.Kind"}, {errSeq, "bridge.Seq"}, {errStranger, "bridge.Stranger"},
		{kafka.ErrRecordTooLarge, "kafka.ErrRecordTooLarge"},
	} {
		if errors.Is(reason, kind.err) {
			return kind.name
		}
	}
	return fmt.Sprintf("%T", reason)
}

// refused turns an entry that Kafka will not take as it is into a dead letter.
func (s *session) refused(ctx context.Context, e *entry, reason error) error {
	topic, was := e.record.Topic, e.record
	e.poison = true
	e.record = deadLetter(topic, was.Key, was.Value, reason, deadletter.StagePut)
	if len(was.Value) > event.MaxInline/2 {
		print := sha256.Sum256(was.Value)
		if err := s.store(ctx, []object{{quarantineKey(print), was.Value}}); err != nil {
			return err
		}
		e.record.Value = []byte{}
		e.record.Headers = append(e.record.Headers, quarantined(quarantineKey(print), len(was.Value))...)
	}
	// The envelope stays with it: it says what the bytes were, and that the number is accounted for.
	e.record.Headers = append(e.record.Headers, was.Headers...)
	s.Logger.Warn("Kafka refuses a record, which becomes a dead letter", "topic", topic, "bytes", len(was.Value), "reason", reason)
	return nil
}

// quarantined are the headers of a dead letter whose bytes rest in the object store.
func quarantined(key string, bytes int) []event.Header {
	return []event.Header{{Key: deadletter.HeadQuarantine, Value: []byte(key)}, {Key: deadletter.HeadQuarantineBytes, Value: strconv.AppendInt(nil, int64(bytes), 10)}}
}

func quarantineKey(print [sha256.Size]byte) string {
	return deadletter.Quarantine + hex.EncodeToString(print[:])
}

// fingerprintOf is the sha256 of what a dead letter's payload was.
func fingerprintOf(r kafka.Record) [sha256.Size]byte {
	for _, h := range r.Headers {
		if h.Key == deadletter.HeadQuarantine {
			var print [sha256.Size]byte
			text, _ := strings.CutPrefix(string(h.Value), deadletter.Quarantine)
			if len(text) == hex.EncodedLen(len(print)) {
				if _, err := hex.Decode(print[:], []byte(text)); err == nil {
					return print
				}
			}
		}
	}
	return sha256.Sum256(r.Value)
}

// fingerprints remembers the dead letters that came last.
type fingerprints struct {
	known map[[sha256.Size]byte]bool
	order [][sha256.Size]byte // a ring
	next  int
}

const maxFingerprints = 4096

func newFingerprints() *fingerprints { return &fingerprints{known: map[[sha256.Size]byte]bool{}} }

func (f *fingerprints) has(print [sha256.Size]byte) bool { return f.known[print] }

func (f *fingerprints) add(print [sha256.Size]byte) {
	if f.known[print] {
		return
	}
	f.known[print] = true
	if len(f.order) < maxFingerprints {
		f.order = append(f.order, print)
		return
	}
	delete(f.known, f.order[f.next])
	f.order[f.next] = print
	f.next = (f.next + 1) % maxFingerprints
}
