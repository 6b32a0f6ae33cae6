package event

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/oklog/ulid/v2"
)

// The names of the envelope's attributes, the same in every form.
const (
	attrID      = "id"
	attrSource  = "source"
	attrSpec    = "specversion"
	attrType    = "type"
	attrSubject = "subject"
	attrTime    = "time"
	attrMedia   = "datacontenttype"
	attrExpiry  = "expirytime" // an extension of CloudEvents' own
	attrLate    = "late"
	attrAgain   = "redelivered"
)

const (
	specVersion = "1.0"
	typePrefix  = "io.cloudcanvas."
	typeSuffix  = ".v1"
)

// attr is one attribute beyond the four that CloudEvents demands.
type attr struct {
	name   string
	text   string
	number int32
	form   form
}

// form is how an attribute travels in typed forms (protobuf, JSON); in Kafka all are text.
type form uint8

const (
	text form = iota
	number
	instant
)

// attributes appends what the envelope says beyond id, source, specversion and type. Seq is text:
// CloudEvents' integers have 32 bits.
func (i *Item) attributes(to []attr) []attr {
	put := func(name, value string) {
		if value != "" {
			to = append(to, attr{name: name, text: value})
		}
	}
	put(attrMedia, i.Type)
	put(attrSubject, i.Subject)
	if !i.Time.IsZero() {
		to = append(to, attr{name: attrTime, form: instant})
	}
	put("edge", i.Edge)
	if i.Epoch != "" {
		put("epoch", string(i.Epoch))
		put("seq", strconv.FormatUint(i.Seq, 10))
	}
	to = append(to, attr{name: "priority", number: int32(i.Priority), form: number})
	if !i.SHA256.IsZero() {
		put("sha256", i.SHA256.String())
	}
	a := &i.Attrs
	put("scene", a.Scene)
	put("tile", a.Tile)
	put("model", a.Model)
	put("modelversion", a.ModelVersion)
	put("want", a.Want)
	put("level", a.Level)
	put("input", a.Input)
	put("traceparent", a.TraceParent)
	put("dataref", a.DataRef)
	if !a.Expires.IsZero() {
		put(attrExpiry, a.Expires.UTC().Format(time.RFC3339Nano))
	}
	if a.Late {
		put(attrLate, "true")
	}
	if a.Redelivered {
		put(attrAgain, "true")
	}
	if a.Parts != 0 {
		to = append(to,
			attr{name: "part", number: int32(a.Part), form: number},
			attr{name: "parts", number: int32(a.Parts), form: number})
		put("partof", string(a.PartOf))
	}
	return to
}

// source is /edge/<edge>/<stream>, or /cloud/<stream> for what no edge had a hand in.
func (i *Item) source() string {
	s := "/cloud"
	if i.Edge != "" {
		s = "/edge/" + i.Edge
	}
	if i.Stream != "" {
		s += "/" + url.PathEscape(i.Stream)
	}
	return s
}

func (i *Item) ceType() string { return typePrefix + string(i.Kind) + typeSuffix }

// envelope gathers an item from attributes that come in any order.
type envelope struct {
	Item
	spec        string
	sourceEdge  string
	hasPriority bool
	count       int
}

// set takes one attribute in its text form. Unknown ones are passed over: newer writers add them.
func (e *envelope) set(name, value string) (err error) {
	if e.count++; e.count > maxAttrs {
		return fmt.Errorf("%w: more than %d attributes", ErrMalformed, maxAttrs)
	}
	if len(value) > maxAttr {
		return fmt.Errorf("%w: attribute %.80q has %d bytes, %d is the limit", ErrTooLarge, name, len(value), maxAttr)
	}
	switch name {
	case attrID:
		if e.ID, err = ulid.ParseStrict(value); err != nil {
			return fmt.Errorf("%w: id %.80q is not a ULID", ErrMalformed, value)
		}
	case attrSource:
		return e.setSource(value)
	case attrSpec:
		e.spec = value
	case attrType:
		kind, ok := strings.CutPrefix(value, typePrefix)
		kind, end := strings.CutSuffix(kind, typeSuffix)
		if e.Kind = Kind(kind); !ok || !end || !e.Kind.known() {
			return fmt.Errorf("%w: type %.120q", ErrUnknownKind, value)
		}
	case attrSubject:
		e.Subject = value
	case attrTime:
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return fmt.Errorf("%w: time %.80q is not RFC 3339", ErrMalformed, value)
		}
		e.Time = t.UTC()
	case attrExpiry:
		t, err := time.Parse(time.RFC3339Nano, value)
		if err != nil {
			return fmt.Errorf("%w: expirytime %.80q is not RFC 3339", ErrMalformed, value)
		}
		e.Attrs.Expires = t.UTC()
	case attrLate:
		e.Attrs.Late = value == "true"
	case attrAgain:
		e.Attrs.Redelivered = value == "true"
	case attrMedia:
		e.Type = value
	case "edge":
		e.Edge = value
	case "epoch":
		e.Epoch = Epoch(value)
	case "seq":
		if e.Seq, err = strconv.ParseUint(value, 10, 64); err != nil {
			return fmt.Errorf("%w: seq %.80q is not a number", ErrMalformed, value)
		}
	case "priority":
		var p uint32
		if p, err = small(name, value, uint32(Low)); err != nil {
			return err
		}
		e.Priority, e.hasPriority = Priority(p), true
	case "sha256":
		if len(value) != hex.EncodedLen(len(e.SHA256)) {
			return fmt.Errorf("%w: sha256 %.80q is not 64 hex digits", ErrMalformed, value)
		}
		if _, err = hex.Decode(e.SHA256[:], []byte(value)); err != nil {
			return fmt.Errorf("%w: sha256 %.80q is not 64 hex digits", ErrMalformed, value)
		}
	case "part":
		e.Attrs.Part, err = small(name, value, maxParts)
	case "parts":
		e.Attrs.Parts, err = small(name, value, maxParts)
	case "partof":
		e.Attrs.PartOf = Kind(value)
	default:
		if field := e.Attrs.text(name); field != nil {
			*field = value
		}
	}
	return err
}

// text is where the extension of that name rests, or nil.
func (a *Attrs) text(name string) *string {
	switch name {
	case "scene":
		return &a.Scene
	case "tile":
		return &a.Tile
	case "model":
		return &a.Model
	case "modelversion":
		return &a.ModelVersion
	case "want":
		return &a.Want
	case "level":
		return &a.Level
	case "input":
		return &a.Input
	case "traceparent":
		return &a.TraceParent
	case "dataref":
		return &a.DataRef
	}
	return nil
}

func small(name, value string, limit uint32) (uint32, error) {
	n, err := strconv.ParseUint(value, 10, 32)
	if err != nil || n > uint64(limit) {
		return 0, fmt.Errorf("%w: %s %.80q is not a number from 0 to %d", ErrMalformed, name, value, limit)
	}
	return uint32(n), nil
}

func (e *envelope) setSource(source string) error {
	rest, edge := strings.CutPrefix(source, "/edge/")
	if edge {
		e.sourceEdge, rest, _ = strings.Cut(rest, "/")
	} else if rest, edge = strings.CutPrefix(source, "/cloud"); !edge || rest != "" && rest[0] != '/' {
		return fmt.Errorf("%w: source %.120q is neither /edge/<edge>/<stream> nor /cloud/<stream>", ErrMalformed, source)
	} else {
		rest = strings.TrimPrefix(rest, "/")
	}
	stream, err := url.PathUnescape(rest)
	if err != nil {
		return fmt.Errorf("%w: source %.120q: %w", ErrMalformed, source, err)
	}
	e.Stream = stream
	return nil
}

// finish gives the item once all attributes and the data are in.
func (e *envelope) finish() (Item, error) {
	if e.Edge == "" {
		e.Edge = e.sourceEdge
	}
	if !e.hasPriority {
		e.Priority = Normal
	}
	switch {
	case e.spec != specVersion:
		return e.Item, fmt.Errorf("%w: specversion %.20q, must be %s", ErrMalformed, e.spec, specVersion)
	case e.sourceEdge != "" && e.sourceEdge != e.Edge:
		return e.Item, fmt.Errorf("%w: edge is %.80q but source names %.80q", ErrMalformed, e.Edge, e.sourceEdge)
	}
	// Other programs' events may come without a digest: it is made where they are first read.
	if e.SHA256.IsZero() && e.Kind != Part && e.Attrs.DataRef == "" {
		e.SHA256 = Sum(e.Data)
	}
	if err := e.Check(); err != nil {
		return e.Item, err
	}
	return e.Item, e.Verify()
}
