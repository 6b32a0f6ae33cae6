package console

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	_ "image/jpeg" // previews
	"image/png"
	"strings"
	"time"
	"unicode/utf8"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// What operators do with dead letters.
const (
	actReplay  = "replay"
	actDiscard = "discard"
	actFailed  = "replay failed" // the letter waits for a decision again
)

// errCannot marks what can't be done with a letter, whoever asks.
var errCannot = errors.New("this letter can't be replayed")

// name tells a letter from all others, also from one of another Kafka that stands where it stood.
func (l Letter) name() string {
	return fmt.Sprintf("%s-%d@%d of %s", event.DLQTopic, l.Partition, l.Offset, l.Heard.UTC().Format(time.RFC3339Nano))
}

// letterBox does what operators decide about dead letters. The letter itself stays in Kafka until
// retention takes it: what was done with it stands in the audit.
type letterBox struct {
	log   Log
	audit *audit
	now   func() time.Time
}

// discard notes that nothing more is to be done about a letter.
func (b letterBox) discard(who string, l Letter) error {
	return b.audit.write(Act{Time: b.now().UTC(), Who: who, Action: actDiscard, What: l.name(), Detail: cut(l.Reason, maxName)})
}

// replay writes a letter once more to where it was bound for. It is noted before it is done: a
// replay that nobody knows of would be worse than a note of one that failed.
func (b letterBox) replay(ctx context.Context, who string, l Letter) error {
	if l.Quarantine != "" {
		return fmt.Errorf("%w: its %s rest in the object store, they are more than a record holds", errCannot, l.Quarantine)
	}
	letter, err := b.fetch(ctx, l)
	if err != nil {
		return err
	}
	record, err := unsealed(letter, l.Topic)
	if err != nil {
		return err
	}
	if err := b.audit.write(Act{Time: b.now().UTC(), Who: who, Action: actReplay, What: l.name(), Detail: "to " + record.Topic}); err != nil {
		return err
	}
	if err := b.log.Append(ctx, record); err != nil {
		failed := b.audit.write(Act{Time: b.now().UTC(), Who: who, Action: actFailed, What: l.name(), Detail: "to " + record.Topic})
		return errors.Join(fmt.Errorf("replay dead letter %s: %w", l.name(), err), failed)
	}
	return nil
}

// fetch reads the letter's record.
func (b letterBox) fetch(ctx context.Context, l Letter) (found broker.Record, err error) {
	there := false
	err = b.log.Scan(ctx, event.DLQTopic, l.Partition, l.Offset, l.Offset+1, func(r broker.Record) error {
		found, there = r, true
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("fetch dead letter %s: %w", l.name(), err)
	}
	if !there {
		return found, fmt.Errorf("dead letter %s is %w: Kafka keeps it no longer", l.name(), errUnknown)
	}
	return found, nil
}

// unsealed is the record as it was before it was set aside: without the headers that say why. What
// the bridge could not read came as an MQTT message; it is bound for where its envelope says, if the
// envelope can be read now.
func unsealed(letter broker.Record, topic string) (broker.Record, error) {
	r := broker.Record{Topic: topic, Key: letter.Key, Value: letter.Value}
	for _, h := range letter.Headers {
		if !strings.HasPrefix(strings.ToLower(h.Key), "__connect.errors.") {
			r.Headers = append(r.Headers, h)
		}
	}
	switch topic {
	case event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic:
		return r, nil
	}
	item, err := event.UnmarshalMQTT(letter.Value)
	if err == nil {
		err = item.Verify()
	}
	if err == nil && item.Kind == event.Part {
		err = errors.New("it is a part of something larger, which came without it")
	}
	if err != nil {
		return r, fmt.Errorf("%w, it would be set aside again: %w", errCannot, err)
	}
	return broker.RecordOf(item), nil
}

// Preview is what can safely be shown of bytes that nobody trusts.
type Preview struct {
	Text    string // where they are text
	Hex     string // else
	Picture bool   // they are a JPEG or PNG that was decoded here; it is shown drawn anew
}

// preview shows the first bytes of a letter as text or as numbers.
func preview(head []byte, all int) Preview {
	text := head
	if len(head) < all && len(text) > utf8.UTFMax {
		text = []byte(strings.ToValidUTF8(string(text[:len(text)-utf8.UTFMax+1]), "")) // the cut may be within a character
	}
	plain := utf8.Valid(text) && !bytes.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' && r != '\r' })
	p := Preview{}
	if len(head) > 0 && plain {
		p.Text = string(text)
	} else {
		p.Hex = hex.Dump(head[:min(len(head), 512)])
	}
	config, format, err := image.DecodeConfig(bytes.NewReader(head))
	p.Picture = err == nil && (format == "jpeg" || format == "png") && showable(config)
	return p
}

// maxPreview bounds the picture that is decoded for a preview, in pixels.
const maxPreview = 16 << 20

func showable(c image.Config) bool {
	most := maxPreview
	switch c.ColorModel {
	case color.RGBA64Model, color.NRGBA64Model, color.Gray16Model: // twice as many bytes, and more on the way
		most /= 4
	}
	return c.Width > 0 && c.Height > 0 && c.Width <= most && c.Height <= most && c.Width*c.Height <= most
}

// redraw decodes a picture in Go, without native code, and encodes it anew: nothing of the original
// bytes reaches the browser.
func redraw(data []byte) ([]byte, error) {
	config, _, err := image.DecodeConfig(bytes.NewReader(data))
	if err == nil && !showable(config) {
		err = fmt.Errorf("it has %d x %d pixels", config.Width, config.Height)
	}
	if err != nil {
		return nil, fmt.Errorf("the picture can't be shown: %w", err)
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("the picture can't be shown: %w", err)
	}
	var out bytes.Buffer
	if err := png.Encode(&out, picture); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
