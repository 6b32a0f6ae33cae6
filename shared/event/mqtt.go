package event

import (
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// On MQTT 3.1.1 an item is a CloudEvent in structured mode, protobuf format: the message
// io.cloudevents.v1.CloudEvent, written and read by hand so that a bound stands before each
// allocation. Format: cloudevents/spec, v1.0.2, formats/protobuf-format.md.
const (
	pbID, pbSource, pbSpec, pbType = 1, 2, 3, 4
	pbAttributes                   = 5 // map<string, CloudEventAttributeValue>
	pbBinaryData                   = 6
	pbTextData                     = 7
	pbProtoData                    = 8 // google.protobuf.Any

	pbKey, pbValue = 1, 2 // of a map entry, and (type URL, value) of an Any

	pbBoolean, pbInteger, pbString, pbBytes = 1, 2, 3, 4 // of CloudEventAttributeValue
	pbURI, pbURIRef, pbTimestamp            = 5, 6, 7

	pbSeconds, pbNanos = 1, 2 // of google.protobuf.Timestamp
)

// Media types of the structured forms.
const (
	MediaProtobuf = "application/cloudevents+protobuf"
	MediaJSON     = "application/cloudevents+json"
)

// MarshalMQTT is the item as one MQTT message of at most MaxEnvelope bytes.
func (i Item) MarshalMQTT() ([]byte, error) { return i.AppendMQTT(nil) }

// AppendMQTT appends what MarshalMQTT gives to b, for those who reuse a buffer.
func (i *Item) AppendMQTT(b []byte) ([]byte, error) {
	if err := i.Check(); err != nil {
		return b, fmt.Errorf("writing the envelope of %s %s: %w", i.Kind, i.ID, err)
	}
	if i.Attrs.DataRef == "" && len(i.Data) > MaxEnvelope-64<<10 {
		return b, fmt.Errorf("writing the envelope of %s %s: %w: %d bytes of data, send it in parts", i.Kind, i.ID, ErrTooLarge, len(i.Data))
	}
	var room [20]attr
	attrs := i.attributes(room[:0])
	if b == nil {
		b = make([]byte, 0, i.roomFor(attrs))
	}
	var id [26]byte
	i.ID.MarshalTextTo(id[:])
	b = protowire.AppendTag(b, pbID, protowire.BytesType)
	b = protowire.AppendBytes(b, id[:])
	b = appendText(b, pbSource, i.source())
	b = appendText(b, pbSpec, specVersion)
	b = appendText(b, pbType, i.ceType())
	for _, a := range attrs {
		b = protowire.AppendTag(b, pbAttributes, protowire.BytesType)
		b = i.appendAttribute(b, a)
	}
	if i.Attrs.DataRef == "" {
		b = protowire.AppendTag(b, pbBinaryData, protowire.BytesType)
		b = protowire.AppendBytes(b, i.Data)
	}
	return b, nil
}

// roomFor is a little more than the message needs, so that it is allocated once.
func (i *Item) roomFor(attrs []attr) int {
	n := 160 + len(i.Edge) + 3*len(i.Stream) + len(i.Data)
	for _, a := range attrs {
		n += len(a.name) + len(a.text) + 32
	}
	return n
}

func appendText(b []byte, field protowire.Number, s string) []byte {
	b = protowire.AppendTag(b, field, protowire.BytesType)
	return protowire.AppendString(b, s)
}

// appendAttribute writes a map entry: its length, the key, and the value with its type.
func (i *Item) appendAttribute(b []byte, a attr) []byte {
	var room [24]byte
	value := room[:0] // numbers and instants; text is not copied twice
	size := 0
	switch a.form {
	case number:
		value = protowire.AppendTag(value, pbInteger, protowire.VarintType)
		value = protowire.AppendVarint(value, uint64(int64(a.number)))
		size = len(value)
	case instant:
		value = appendTimestamp(value, i.Time)
		size = len(value)
	default:
		size = protowire.SizeTag(pbString) + protowire.SizeBytes(len(a.text))
	}
	entry := protowire.SizeTag(pbKey) + protowire.SizeBytes(len(a.name)) + protowire.SizeTag(pbValue) + protowire.SizeBytes(size)
	b = protowire.AppendVarint(b, uint64(entry))
	b = appendText(b, pbKey, a.name)
	b = protowire.AppendTag(b, pbValue, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	if a.form == text {
		return appendText(b, pbString, a.text)
	}
	return append(b, value...)
}

func appendTimestamp(b []byte, t time.Time) []byte {
	seconds, nanos := uint64(t.Unix()), uint64(t.Nanosecond())
	size := protowire.SizeTag(pbSeconds) + protowire.SizeVarint(seconds) + protowire.SizeTag(pbNanos) + protowire.SizeVarint(nanos)
	b = protowire.AppendTag(b, pbTimestamp, protowire.BytesType)
	b = protowire.AppendVarint(b, uint64(size))
	b = protowire.AppendTag(b, pbSeconds, protowire.VarintType)
	b = protowire.AppendVarint(b, seconds)
	b = protowire.AppendTag(b, pbNanos, protowire.VarintType)
	return protowire.AppendVarint(b, nanos)
}

// UnmarshalMQTT reads one MQTT message: protobuf, or JSON where it begins with '{'. The item's
// Data may point into b. Beside an error stands what could be read, so that a bad item can be
// accounted for; errors.Is tells ErrMalformed, ErrUnknownKind, ErrIncomplete, ErrDigest, ErrTooLarge.
func UnmarshalMQTT(b []byte) (Item, error) {
	if len(b) > MaxEnvelope {
		return Item{}, fmt.Errorf("reading an envelope: %w: %d bytes, %d is the limit", ErrTooLarge, len(b), MaxEnvelope)
	}
	var e envelope
	read := e.readProtobuf
	if len(b) > 0 && b[0] == '{' {
		read = e.readJSON
	}
	if err := read(b); err != nil {
		return e.Item, fmt.Errorf("reading an envelope: %w", err)
	}
	item, err := e.finish()
	if err != nil {
		return item, fmt.Errorf("reading the envelope of %s %s: %w", item.Kind, item.ID, err)
	}
	return item, nil
}

func (e *envelope) readProtobuf(b []byte) error {
	var first error // the first bad attribute; the others are read all the same
	keep := func(err error) {
		if first == nil {
			first = err
		}
	}
	err := eachField(b, func(field protowire.Number, _ uint64, body []byte) error {
		switch field {
		case pbID:
			keep(e.set(attrID, string(body)))
		case pbSource:
			keep(e.set(attrSource, string(body)))
		case pbSpec:
			keep(e.set(attrSpec, string(body)))
		case pbType:
			keep(e.set(attrType, string(body)))
		case pbAttributes:
			keep(e.readAttribute(body))
		case pbBinaryData, pbTextData:
			e.Data = body[:len(body):len(body)]
		case pbProtoData:
			return eachField(body, func(field protowire.Number, _ uint64, body []byte) error {
				if field == pbValue {
					e.Data = body[:len(body):len(body)]
				}
				return nil
			})
		}
		return nil
	})
	if err != nil {
		return err
	}
	return first
}

func (e *envelope) readAttribute(entry []byte) error {
	var name, value []byte
	err := eachField(entry, func(field protowire.Number, _ uint64, body []byte) error {
		switch field {
		case pbKey:
			name = body
		case pbValue:
			value = body
		}
		return nil
	})
	if err != nil {
		return err
	}
	return eachField(value, func(field protowire.Number, n uint64, body []byte) error {
		switch field {
		case pbBoolean:
			return e.set(string(name), strconv.FormatBool(n != 0))
		case pbInteger:
			return e.set(string(name), strconv.FormatInt(int64(int32(n)), 10))
		case pbString, pbBytes, pbURI, pbURIRef:
			return e.set(string(name), string(body))
		case pbTimestamp:
			if key := string(name); key == attrTime || key == attrExpiry {
				t, err := readTimestamp(body)
				if err != nil {
					return err
				}
				if key == attrTime {
					e.Time = t
				} else {
					e.Attrs.Expires = t
				}
			}
		}
		return nil
	})
}

func readTimestamp(b []byte) (time.Time, error) {
	var seconds, nanos int64
	err := eachField(b, func(field protowire.Number, n uint64, _ []byte) error {
		switch field {
		case pbSeconds:
			seconds = int64(n)
		case pbNanos:
			nanos = int64(int32(n))
		}
		return nil
	})
	if err != nil {
		return time.Time{}, err
	}
	// Years 1 to 9999, as google.protobuf.Timestamp has it and RFC 3339 can write.
	if seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999 {
		return time.Time{}, fmt.Errorf("%w: time %d.%09d s is out of range", ErrMalformed, seconds, nanos)
	}
	return time.Unix(seconds, nanos).UTC(), nil
}

// eachField walks the fields of a protobuf message, nothing of which is copied. Groups and fixed
// numbers, which CloudEvents does not use, are passed over.
func eachField(b []byte, visit func(field protowire.Number, n uint64, body []byte) error) error {
	for len(b) > 0 {
		field, wire, n := protowire.ConsumeTag(b)
		if n < 0 {
			return fmt.Errorf("%w: protobuf: %w", ErrMalformed, protowire.ParseError(n))
		}
		b = b[n:]
		var number uint64
		var body []byte
		switch wire {
		case protowire.VarintType:
			number, n = protowire.ConsumeVarint(b)
		case protowire.BytesType:
			body, n = protowire.ConsumeBytes(b)
		default:
			if n = protowire.ConsumeFieldValue(field, wire, b); n >= 0 {
				b = b[n:]
				continue
			}
		}
		if n < 0 {
			return fmt.Errorf("%w: protobuf field %d: %w", ErrMalformed, field, protowire.ParseError(n))
		}
		b = b[n:]
		if err := visit(field, number, body); err != nil {
			return err
		}
	}
	return nil
}
