package deadletter

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Checks are those that the bridge makes of what comes: its form, its sha256, that it is what its
// topic says, and that its edge is let in.
type Checks interface {
	// Message checks a message as it came over MQTT.
	Message(topic string, payload []byte) (event.Item, error)
	// Item checks an item with its data.
	Item(event.Item) error
}

// Objects is the part of the object store that putting back needs.
type Objects interface {
	Get(ctx context.Context, ref string) ([]byte, error)
	Put(ctx context.Context, ref string, data []byte) error
}

// alreadyThere says that Kafka has what a dead letter holds.
type alreadyThere struct {
	topic     string
	partition int
	offset    int64
}

func (a *alreadyThere) Error() string {
	return fmt.Sprintf("its edge has sent it again since: it stands in %s[%d]@%d", a.topic, a.partition, a.offset)
}

func isThere(err error, to **alreadyThere) bool { return errors.As(err, to) }

// prepare reads a dead letter and makes the record that it shall be.
func (a Actions) prepare(ctx context.Context, p Place) (kafka.Record, error) {
	r, err := Read(ctx, a.Log, p)
	if err != nil {
		return kafka.Record{}, err
	}
	l := Describe(r)
	if l.Stands > 0 {
		return kafka.Record{}, fmt.Errorf("dead letter %s stands for %d messages that were counted and not kept", p, l.Stands)
	}
	if l.Quarantine != "" {
		if r.Value, err = a.fetch(ctx, l.Quarantine); err != nil {
			return kafka.Record{}, err
		}
	}
	if l.overMQTT() {
		return a.message(ctx, l, r)
	}
	return a.record(ctx, l, r)
}

func (a Actions) fetch(ctx context.Context, ref string) ([]byte, error) {
	if a.Objects == nil {
		return nil, fmt.Errorf("its bytes rest in the object store as %s, which can't be asked here", ref)
	}
	data, err := a.Objects.Get(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("its bytes rest in the object store as %s and can't be read: %w", ref, err)
	}
	return data, nil
}

// record is a dead letter that was a record of Kafka, as it was: key, value and headers unchanged.
func (a Actions) record(ctx context.Context, l Entry, r kafka.Record) (kafka.Record, error) {
	o := kafka.Record{Topic: l.Topic, Key: r.Key, Value: r.Value, Headers: bare(r.Headers)}
	switch l.Topic {
	case "":
		return o, fmt.Errorf("dead letter %s does not name the topic that it came from (%s)", l.Place, HeadTopic)
	case event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.ProductsTopic:
	default:
		return o, fmt.Errorf("dead letter %s names the topic %.120s, which holds no work", l.Place, l.Topic)
	}
	item, err := o.Item()
	if err == nil && item.Attrs.DataRef != "" {
		item.Data, err = a.fetch(ctx, item.Attrs.DataRef)
		item.Attrs.DataRef = ""
	}
	if err == nil {
		if topic, _ := event.Route(item); topic != l.Topic {
			err = fmt.Errorf("a %s belongs to %s, not to %s", item.Kind, topic, l.Topic)
		}
	}
	if err == nil {
		err = a.Checks.Item(item)
	}
	if err != nil {
		return o, fmt.Errorf("it would become a dead letter again: %w", err)
	}
	return o, nil
}

// message is a dead letter that came over MQTT and never was a record: it becomes the one that the bridge
// would have made of it.
func (a Actions) message(ctx context.Context, l Entry, r kafka.Record) (kafka.Record, error) {
	item, err := a.Checks.Message(l.Topic, r.Value)
	if err == nil && item.Kind == event.Part {
		err = errors.New("it is a part of something larger, which came without it")
	}
	if err != nil {
		return kafka.Record{}, fmt.Errorf("it would become a dead letter again: %w", err)
	}
	if item.Epoch != "" {
		if err := a.lookFor(ctx, item, l.Time); err != nil {
			return kafka.Record{}, err
		}
	}
	if len(item.Data) > event.MaxInline {
		ref := fmt.Sprintf("items/%s/%s/%d-%s", item.Edge, item.Epoch, item.Seq, item.ID)
		if item.Epoch == "" {
			ref = fmt.Sprintf("items/%s/%s", item.Edge, item.ID)
		}
		if a.Objects == nil {
			return kafka.Record{}, errors.New("its data belongs into the object store, which can't be asked here")
		}
		if err := a.Objects.Put(ctx, ref, item.Data); err != nil {
			return kafka.Record{}, err
		}
		item.Attrs.DataRef, item.Data = ref, nil
	}
	record := kafka.RecordOf(item)
	record.Time = time.Time{}
	return record, nil
}

// since is how far before a dead letter the topic is looked through for what its edge sent again.
const since = time.Hour

// lookFor looks for an item in the topic that it belongs to: its edge may have sent it again, intact.
func (a Actions) lookFor(ctx context.Context, item event.Item, heard time.Time) error {
	topic, _ := event.Route(item)
	ranges, err := a.Log.Offsets(ctx, topic)
	if err != nil {
		return err
	}
	from := map[int]int64{}
	if log, can := a.Log.(interface {
		OffsetsAt(ctx context.Context, topic string, at time.Time) (map[int]int64, error)
	}); can && !heard.IsZero() {
		if from, err = log.OffsetsAt(ctx, topic, heard.Add(-since)); err != nil {
			return err
		}
	}
	id := item.ID.String()
	for partition, r := range ranges {
		err := a.Log.Scan(ctx, topic, partition, max(r.First, from[partition]), r.End, func(r kafka.Record) error {
			if Header(r.Headers, "ce_id") == id {
				return &alreadyThere{topic, partition, r.Offset}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func comparePlaces(a, b Place) int {
	return strings.Compare(fmt.Sprintf("%09d %019d", a.Partition, a.Offset), fmt.Sprintf("%09d %019d", b.Partition, b.Offset))
}
