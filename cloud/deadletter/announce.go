package deadletter

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// PutBackName is the document by which bridges at work learn which items operators have put into Kafka,
// so that one of them that its edge sends again is recognised.
const PutBackName = "put-back"

// Bounds of that document. A bridge that starts reads the log itself.
const (
	keptPutBack  = 500
	putBackBytes = 256 << 10
)

// putBack is what a bridge has to know of a record.
type putBack struct {
	Topic   string         `json:"topic"`
	Headers []event.Header `json:"headers"`
	Value   []byte         `json:"value,omitempty"` // of a drop report: the numbers in it count
}

// announce lets bridges know which records were put back.
func (a Actions) announce(ctx context.Context, records []kafka.Record) error {
	doc := a.Group.Document(PutBackName)
	for len(records) > 0 {
		value, version, err := doc.Get(ctx)
		if err != nil {
			return err
		}
		var all []putBack
		json.Unmarshal(value, &all) // what can't be read is made anew
		for _, r := range records {
			p := putBack{Topic: r.Topic, Headers: r.Headers}
			if i, err := r.Item(); err == nil && i.Kind == event.Ack && len(r.Value) < 16<<10 {
				p.Value = r.Value
			}
			all = append(all, p)
		}
		all = all[max(0, len(all)-keptPutBack):]
		b, err := json.Marshal(all)
		for err == nil && len(b) > putBackBytes && len(all) > 1 {
			all = all[len(all)/2:]
			b, err = json.Marshal(all)
		}
		if err != nil {
			return fmt.Errorf("announcing to bridges what was put back: %w", err)
		}
		if _, err := doc.Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
	return nil
}

// Announced are the records that were put back, without their values, as the document says.
func Announced(document []byte) ([]kafka.Record, error) {
	var all []putBack
	if len(document) > 0 {
		if err := json.Unmarshal(document, &all); err != nil {
			return nil, fmt.Errorf("reading what was put back: %w", err)
		}
	}
	records := make([]kafka.Record, len(all))
	for n, p := range all {
		records[n] = kafka.Record{Topic: p.Topic, Headers: p.Headers, Value: p.Value}
	}
	return records, nil
}
