// Package deadletter is what everybody knows of dead letters: how they are written and read, which
// decisions operators took about them, and how they are put back to where they came from once the
// cause is mended. A dead letter stays where it is; decisions are written down beside the other agreements
// of the cloud, in one document that the command, the console and the bridges read:
//
//	canvas-cloud dlq ──┐                           ┌─▶ checks of the bridge ─▶ Kafka, marked
//	console ───────────┴─▶ Actions ─▶ decisions ───┤
//	                                  (coordinator)└─▶ bridges learn which numbers Kafka has now
package deadletter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Place is where a dead letter stands in canvas.dlq. It is written partition-offset: 0-17.
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
		return Place{}, fmt.Errorf("%.40q is no dead letter's place: write partition-offset as `dlq ls` shows it, such as 0-17", s)
	}
	return p, nil
}

// Entry is what is known of a dead letter without its value.
type Entry struct {
	Place      Place     `json:"id"`
	Time       time.Time `json:"time"`                // when it was written
	Topic      string    `json:"topic"`               // that it came from
	Partition  string    `json:"partition,omitempty"` // of that topic
	Offset     string    `json:"offset,omitempty"`
	Connector  string    `json:"connector,omitempty"` // who gave it up
	Stage      string    `json:"stage,omitempty"`
	Class      string    `json:"class,omitempty"` // the kind of fault
	Reason     string    `json:"reason"`
	Bytes      int       `json:"bytes"`
	Quarantine string    `json:"quarantine,omitempty"` // the object with its bytes
	Stands     uint64    `json:"stands_for,omitempty"` // how many that were not kept it stands for
	Item       string    `json:"item,omitempty"`       // the id in its envelope, where that can be read
	Edge       string    `json:"edge,omitempty"`
	Kind       string    `json:"kind,omitempty"`
	Subject    string    `json:"subject,omitempty"`
	Replayed   bool      `json:"replayed"`
	Decision   *Decision `json:"decision,omitempty"` // what was done about it, by whom and when
}

// Describe reads the headers. Whatever is in them, it gives what can be read.
func Describe(r kafka.Record) Entry {
	l := Entry{Place: Place{r.Partition, r.Offset}, Time: r.Time, Bytes: len(r.Value)}
	for _, h := range r.Headers {
		value := string(h.Value)
		switch strings.ToLower(h.Key) {
		case HeadTopic:
			l.Topic = value
		case HeadPartition:
			l.Partition = value
		case HeadOffset:
			l.Offset = value
		case HeadConnector:
			l.Connector = value
		case HeadStage:
			l.Stage = value
		case HeadException:
			l.Class = value
		case HeadReason:
			l.Reason = value
		case HeadQuarantine:
			l.Quarantine = value
		case HeadSummary:
			l.Stands, _ = strconv.ParseUint(value, 10, 64)
		}
	}
	item, err := r.Item()
	if err != nil {
		item, err = event.UnmarshalMQTT(r.Value) // what the bridge gave up is a message as it came
	}
	if err == nil {
		l.Item, l.Edge, l.Kind, l.Subject = item.ID.String(), item.Edge, string(item.Kind), item.Subject
	} else {
		_, _, kind, _ := event.ParseTopic(l.Topic)
		l.Edge, l.Kind = EdgeOf(l.Topic), string(kind) // who sent it is known even where it can't be read
	}
	return l
}

// EdgeOf is the edge in whose name an MQTT topic is, also where the rest of it means nothing; "" where
// that is not known.
func EdgeOf(topic string) string {
	rest, ours := strings.CutPrefix(topic, "canvas/v1/")
	edge, _, _ := strings.Cut(rest, "/")
	if !ours || event.CheckName(edge) != nil {
		return ""
	}
	return edge
}

// overMQTT says that a dead letter was a message and never a record of Kafka.
func (l Entry) overMQTT() bool { return strings.Contains(l.Topic, "/") }
