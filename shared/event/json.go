package event

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"mime"
	"strconv"
	"strings"
	"time"
)

// JSON structured mode: cloudevents/spec, v1.0.2, formats/json-format.md. It is what other
// programs send and what a person reads; edges send protobuf.

// MarshalJSON is the item as a CloudEvent in JSON. Data that is compact JSON stands as it is under
// "data", all other data under "data_base64", so that its sha256 holds on the other side.
func (i Item) MarshalJSON() ([]byte, error) {
	if err := i.Check(); err != nil {
		return nil, fmt.Errorf("writing the envelope of %s %s: %w", i.Kind, i.ID, err)
	}
	b := make([]byte, 0, 512+len(i.Data)*4/3)
	b = append(b, '{')
	put := func(name, value string) {
		b = append(b, '"')
		b = append(b, name...)
		b = append(b, `":`...)
		quoted, _ := json.Marshal(value) // a string always marshals
		b = append(append(b, quoted...), ',')
	}
	put(attrSpec, specVersion)
	put(attrID, i.ID.String())
	put(attrSource, i.source())
	put(attrType, i.ceType())
	var room [20]attr
	for _, a := range i.attributes(room[:0]) {
		switch a.form {
		case number:
			b = append(append(b, '"'), a.name...)
			b = strconv.AppendInt(append(b, `":`...), int64(a.number), 10)
			b = append(b, ',')
		case instant:
			put(a.name, i.Time.UTC().Format(time.RFC3339Nano))
		default:
			put(a.name, a.text)
		}
	}
	switch {
	case i.Attrs.DataRef != "":
		b = b[:len(b)-1]
	case isJSON(i.Type) && isCompact(i.Data):
		b = append(append(b, `"data":`...), i.Data...)
	default:
		b = append(b, `"data_base64":"`...)
		b = append(base64.StdEncoding.AppendEncode(b, i.Data), '"')
	}
	return append(b, '}'), nil
}

// isCompact says that encoding data as JSON again would not change a byte of it.
func isCompact(data []byte) bool {
	var c bytes.Buffer
	if !json.Valid(data) || json.Compact(&c, data) != nil || !bytes.Equal(c.Bytes(), data) {
		return false
	}
	json.HTMLEscape(&c, data)
	return bytes.Equal(c.Bytes()[len(data):], data)
}

// isJSON says whether a media type promises JSON. None at all does, in this format.
func isJSON(media string) bool {
	if media == "" {
		return true
	}
	t, _, err := mime.ParseMediaType(media)
	return err == nil && (t == "application/json" || t == "text/json" || strings.HasSuffix(t, "+json"))
}

// UnmarshalJSON reads a CloudEvent in JSON, with the checks of UnmarshalMQTT.
func (i *Item) UnmarshalJSON(b []byte) error {
	item, err := UnmarshalMQTT(bytes.TrimLeft(b, " \t\r\n"))
	*i = item
	return err
}

func (e *envelope) readJSON(b []byte) error {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(b, &members); err != nil {
		return fmt.Errorf("%w: JSON: %w", ErrMalformed, err)
	}
	var first error
	for name, raw := range members {
		if name == "data" || name == "data_base64" || string(raw) == "null" {
			continue
		}
		value, err := attributeText(name, raw)
		if err == nil {
			err = e.set(name, value)
		}
		if first == nil {
			first = err
		}
	}
	if first != nil {
		return first
	}
	if raw, ok := members["data_base64"]; ok {
		if err := json.Unmarshal(raw, &e.Data); err != nil {
			return fmt.Errorf("%w: data_base64: %w", ErrMalformed, err)
		}
		return nil
	}
	if raw, ok := members["data"]; ok {
		return e.readData(raw)
	}
	return nil
}

// attributeText is the text of a JSON string, number or boolean.
func attributeText(name string, raw json.RawMessage) (string, error) {
	switch raw[0] {
	case '"':
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return "", fmt.Errorf("%w: %.80q: %w", ErrMalformed, name, err)
		}
		return s, nil
	case '{', '[':
		return "", fmt.Errorf("%w: attribute %.80q must be text, a number or a boolean", ErrMalformed, name)
	}
	return string(raw), nil
}

// readData takes "data": a JSON value where the media type says JSON, else a text.
func (e *envelope) readData(raw json.RawMessage) error {
	if !isJSON(e.Type) {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return fmt.Errorf("%w: data is not text although datacontenttype is %.80q: use data_base64", ErrMalformed, e.Type)
		}
		e.Data = []byte(s)
		return nil
	}
	e.Data = raw
	if Sum(raw) == e.SHA256 {
		return nil
	}
	// Between the sender and here someone may have indented the JSON or escaped <, > and &, as
	// Go's encoders do. Its meaning is the same; the digest tells which form was signed for.
	var compact bytes.Buffer
	if err := json.Compact(&compact, raw); err != nil {
		return fmt.Errorf("%w: data: %w", ErrMalformed, err)
	}
	plain := []byte(unescape.Replace(compact.String()))
	switch e.SHA256 {
	case Hash{}, Sum(compact.Bytes()):
		e.Data = compact.Bytes()
	case Sum(plain):
		e.Data = plain
	}
	return nil
}

var unescape = strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&", `\u2028`, "\u2028", `\u2029`, "\u2029")
