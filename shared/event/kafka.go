package event

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Header is a header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// On Kafka an item is a CloudEvent in binary mode: attributes are headers, the data is the value.
// Format: cloudevents/spec, v1.0.2, bindings/kafka-protocol-binding.md.
const (
	headerPrefix = "ce_"
	headerMedia  = "content-type"
)

// Kafka is the item as a Kafka record: key of Route, ce_* headers and content-type, and the data as
// the value. The value is never nil, which on a compacted topic would delete the key.
func (i Item) Kafka() (key []byte, headers []Header, value []byte) {
	_, k := Route(i)
	var room [20]attr
	attrs := i.attributes(room[:0])
	headers = make([]Header, 0, 4+len(attrs))
	put := func(name, value string) {
		headers = append(headers, Header{Key: headerPrefix + name, Value: []byte(value)})
	}
	put(attrSpec, specVersion)
	put(attrID, i.ID.String())
	put(attrSource, i.source())
	put(attrType, i.ceType())
	for _, a := range attrs {
		switch {
		case a.name == attrMedia:
			headers = append(headers, Header{Key: headerMedia, Value: []byte(a.text)})
		case a.form == number:
			put(a.name, strconv.Itoa(int(a.number)))
		case a.form == instant:
			put(a.name, i.Time.UTC().Format(time.RFC3339Nano))
		default:
			put(a.name, a.text)
		}
	}
	value = i.Data
	if value == nil || i.Attrs.DataRef != "" {
		value = []byte{}
	}
	return []byte(k), headers, value
}

// FromKafka reads an item from a record's headers and value: binary mode, or a structured one where
// content-type says so. Its Data may point into value. Errors are those of UnmarshalMQTT.
func FromKafka(headers []Header, value []byte) (Item, error) {
	var e envelope
	var first error
	for _, h := range headers {
		var err error
		name, ours := strings.CutPrefix(h.Key, headerPrefix)
		switch {
		case ours:
			err = e.set(name, string(h.Value))
		case strings.EqualFold(h.Key, headerMedia):
			if strings.HasPrefix(string(h.Value), "application/cloudevents+") {
				return UnmarshalMQTT(value)
			}
			err = e.set(attrMedia, string(h.Value))
		}
		if first == nil {
			first = err
		}
	}
	if e.Attrs.DataRef == "" {
		e.Data = value
	}
	if first != nil {
		return e.Item, fmt.Errorf("reading a record's envelope: %w", first)
	}
	item, err := e.finish()
	if err != nil {
		return item, fmt.Errorf("reading the record's envelope of %s %s: %w", item.Kind, item.ID, err)
	}
	return item, nil
}
