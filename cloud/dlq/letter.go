// Package dlq is what operators do with dead letters: look at them, and put them back to where they
// came from once the cause is mended. A letter stays where it is; what was put back is written down
// beside the other agreements of the cloud, so that it is put back once.
package dlq

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// Headers by which Kafka Connect says why a record is a dead letter (KIP-298).
const (
	errorsPrefix = "__connect.errors."

	headTopic     = errorsPrefix + "topic"
	headPartition = errorsPrefix + "partition"
	headOffset    = errorsPrefix + "offset"
	headConnector = errorsPrefix + "connector.name"
	headStage     = errorsPrefix + "stage"
	headClass     = errorsPrefix + "exception.class.name"
	headMessage   = errorsPrefix + "exception.message"
)

// Place is where a letter stands in canvas.dlq. It is written partition-offset: 0-17.
type Place struct {
	Partition int
	Offset    int64
}

func (p Place) String() string { return fmt.Sprintf("%d-%d", p.Partition, p.Offset) }

// MarshalText writes partition-offset.
func (p Place) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads partition-offset.
func (p *Place) UnmarshalText(b []byte) (err error) {
	*p, err = ParsePlace(string(b))
	return err
}

// ParsePlace reads partition-offset.
func ParsePlace(s string) (p Place, err error) {
	partition, offset, ok := strings.Cut(s, "-")
	if ok {
		if p.Partition, err = strconv.Atoi(partition); err == nil {
			p.Offset, err = strconv.ParseInt(offset, 10, 64)
		}
	}
	if !ok || err != nil || p.Partition < 0 || p.Offset < 0 {
		return Place{}, fmt.Errorf("%.40q is no letter's place: write partition-offset as `dlq ls` shows it, such as 0-17", s)
	}
	return p, nil
}

// Letter is what is worth knowing of a dead letter.
type Letter struct {
	Place     Place     `json:"id"`
	Time      time.Time `json:"time"`                // when it was written
	Topic     string    `json:"topic"`               // that it came from
	Partition string    `json:"partition,omitempty"` // of that topic
	Offset    string    `json:"offset,omitempty"`
	Connector string    `json:"connector,omitempty"` // who gave it up
	Stage     string    `json:"stage,omitempty"`
	Class     string    `json:"class,omitempty"`
	Reason    string    `json:"reason"`
	Bytes     int       `json:"bytes"`
	Item      string    `json:"item,omitempty"` // the id in its envelope, where that can be read
	Edge      string    `json:"edge,omitempty"`
	Kind      string    `json:"kind,omitempty"`
	Subject   string    `json:"subject,omitempty"`
	Replayed  bool      `json:"replayed"`
}

// Describe reads the headers. Whatever is in them, it gives what can be read.
func Describe(r broker.Record) Letter {
	l := Letter{Place: Place{r.Partition, r.Offset}, Time: r.Time, Bytes: len(r.Value)}
	for _, h := range r.Headers {
		value := string(h.Value)
		switch strings.ToLower(h.Key) {
		case headTopic:
			l.Topic = value
		case headPartition:
			l.Partition = value
		case headOffset:
			l.Offset = value
		case headConnector:
			l.Connector = value
		case headStage:
			l.Stage = value
		case headClass:
			l.Class = value
		case headMessage:
			l.Reason = value
		}
	}
	item, err := r.Item()
	if err != nil {
		item, err = event.UnmarshalMQTT(r.Value) // what the bridge gave up is a message as it came
	}
	if err == nil {
		l.Item, l.Edge, l.Kind, l.Subject = item.ID.String(), item.Edge, string(item.Kind), item.Subject
	}
	return l
}

// original is the record as it was before it became a letter: key, value and headers unchanged.
func original(r broker.Record) (broker.Record, error) {
	o := broker.Record{Topic: Describe(r).Topic, Key: r.Key, Value: r.Value}
	for _, h := range r.Headers {
		if !strings.HasPrefix(strings.ToLower(h.Key), errorsPrefix) {
			o.Headers = append(o.Headers, h)
		}
	}
	switch {
	case o.Topic == "":
		return o, fmt.Errorf("letter %s does not name the topic that it came from (%s)", Place{r.Partition, r.Offset}, headTopic)
	case strings.Contains(o.Topic, "/"):
		return o, fmt.Errorf("letter %s came over MQTT (%.120s) and was never a record of Kafka: its edge sends the item again when asked; `dlq show --out` writes its bytes",
			Place{r.Partition, r.Offset}, o.Topic)
	case strings.HasPrefix(o.Topic, "__"), o.Topic == event.DLQTopic, o.Topic == event.BridgeTopic:
		return o, fmt.Errorf("letter %s names the topic %.120s, which holds no work", Place{r.Partition, r.Offset}, o.Topic)
	}
	return o, nil
}
