package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What can be wrong with an envelope. Decoders return what they could read beside the error, so
// that a bad item can still be accounted for.
var (
	ErrMalformed   = errors.New("not a readable envelope")
	ErrUnknownKind = errors.New("unknown kind of item")
	ErrIncomplete  = errors.New("the envelope lacks what every item must have")
	ErrDigest      = errors.New("the data does not match its sha256")
	ErrTooLarge    = errors.New("too large")
)

// Bounds of what is read from outside.
const (
	MaxEnvelope = 4 << 20   // bytes of one MQTT message, before anything is decoded
	MaxInline   = 512 << 10 // bytes of data in a record of Kafka, whose usual limit is 1 MB; more lies in the object store
	maxAttr     = 4 << 10   // bytes of one attribute
	maxAttrs    = 64        // attributes of one envelope
	maxParts    = 64 << 10  // parts of one item
)

// Check says what is wrong with the item's envelope. It does not look at Data: that is Verify's.
func (i *Item) Check() error {
	if !i.Kind.known() {
		return fmt.Errorf("%w: %.80q", ErrUnknownKind, i.Kind)
	}
	if i.ID.IsZero() {
		return fmt.Errorf("%w: id", ErrIncomplete)
	}
	if i.Edge != "" {
		if err := CheckName(i.Edge); err != nil {
			return fmt.Errorf("%w: edge: %w", ErrMalformed, err)
		}
	}
	// Both are there (made by an edge) or neither (made in the cloud).
	switch {
	case (i.Epoch == "") != (i.Seq == 0):
		return fmt.Errorf("%w: epoch and seq go together, here are epoch %.40q and seq %d", ErrIncomplete, i.Epoch, i.Seq)
	case i.Epoch != "" && i.Edge == "":
		return fmt.Errorf("%w: edge (there is an epoch)", ErrIncomplete)
	case i.Epoch != "" && !i.Epoch.Valid():
		return fmt.Errorf("%w: epoch %.40q is not made of letters and digits", ErrMalformed, i.Epoch)
	case i.Priority > Low:
		return fmt.Errorf("%w: priority %d, must be 0 to 3", ErrMalformed, i.Priority)
	case i.Attrs.DataRef != "" && len(i.Data) > 0:
		return fmt.Errorf("%w: both data and dataref", ErrMalformed)
	}
	if err := i.checkPart(); err != nil {
		return err
	}
	return i.checkTexts()
}

func (i *Item) checkPart() error {
	a := &i.Attrs
	if i.Kind != Part {
		if a.Parts != 0 || a.Part != 0 || a.PartOf != "" {
			return fmt.Errorf("%w: a %s with part attributes, only kind part has them", ErrMalformed, i.Kind)
		}
		return nil
	}
	switch {
	case a.Parts == 0:
		return fmt.Errorf("%w: parts of a part", ErrIncomplete)
	case a.Parts > maxParts:
		return fmt.Errorf("%w: %d parts, %d is the limit", ErrTooLarge, a.Parts, maxParts)
	case a.Part >= a.Parts:
		return fmt.Errorf("%w: part %d of %d (the first is 0)", ErrMalformed, a.Part, a.Parts)
	case !a.PartOf.known() || a.PartOf == Part:
		return fmt.Errorf("%w: part of %.80q", ErrUnknownKind, a.PartOf)
	case i.SHA256.IsZero():
		return fmt.Errorf("%w: sha256 of the whole that a part belongs to", ErrIncomplete)
	}
	return nil
}

func (i *Item) checkTexts() error {
	a := &i.Attrs
	for _, t := range [...]struct{ name, text string }{
		{"stream", i.Stream}, {"subject", i.Subject}, {"datacontenttype", i.Type},
		{"scene", a.Scene}, {"tile", a.Tile}, {"model", a.Model}, {"modelversion", a.ModelVersion},
		{"want", a.Want}, {"level", a.Level}, {"input", a.Input}, {"traceparent", a.TraceParent}, {"dataref", a.DataRef},
	} {
		if len(t.text) > maxAttr {
			return fmt.Errorf("%w: %s has %d bytes, %d is the limit", ErrTooLarge, t.name, len(t.text), maxAttr)
		}
		if !utf8.ValidString(t.text) || strings.ContainsFunc(t.text, isControl) {
			return fmt.Errorf("%w: %s %.80q is not plain UTF-8 text", ErrMalformed, t.name, t.text)
		}
	}
	return nil
}

// isControl tells the characters that CloudEvents strings must not hold.
func isControl(r rune) bool { return r < 0x20 || r >= 0x7f && r < 0xa0 || r&0xfffe == 0xfffe }

// Verify says ErrDigest when Data is here whole and is not what SHA256 promises. Parts and
// references are not whole here and pass.
func (i *Item) Verify() error {
	if i.Kind == Part || i.Attrs.DataRef != "" {
		return nil
	}
	if got := Sum(i.Data); got != i.SHA256 {
		return fmt.Errorf("%w: %d bytes with sha256 %s, promised %s", ErrDigest, len(i.Data), got, i.SHA256)
	}
	return nil
}
