package bridge

import (
	"errors"
	"fmt"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// Checks are what a bridge asks of a message, for those who put one back in its place.
type Checks struct {
	Edges   []string               // that are let in, as Config.Edges
	Blocked func(edge string) bool // by operators; may be nil
}

// Message checks a message as it came over MQTT.
func (c Checks) Message(topic string, payload []byte) (event.Item, error) {
	if c.Blocked != nil && c.Blocked(edgeNamed(topic)) {
		return event.Item{}, fmt.Errorf("%w: %s", errBlocked, edgeNamed(topic))
	}
	l := allowlist(c.Edges).readSafely(mqtt.Message{Topic: topic, Payload: payload})
	if l.status != nil {
		return event.Item{}, errors.New("it is an edge's status, not an item")
	}
	return l.item, l.err
}

// Item checks an item that is a record of Kafka, with its data. What an edge made must be what the
// bridge would take; what the cloud made must be whole.
func (c Checks) Item(i event.Item) error {
	if c.Blocked != nil && c.Blocked(i.Edge) {
		return fmt.Errorf("%w: %s", errBlocked, i.Edge)
	}
	if i.Epoch == "" || len(i.Data) > event.MaxEnvelope-64<<10 {
		if i.Edge != "" && !allowlist(c.Edges).allows(i.Edge) {
			return fmt.Errorf("%w: %q", errStranger, i.Edge)
		}
		return errors.Join(i.Check(), i.Verify(), i.CheckContent())
	}
	payload, err := i.MarshalMQTT()
	if err != nil {
		return err
	}
	_, err = c.Message(fmt.Sprintf("canvas/v1/%s/up/%d/%s", i.Edge, i.Priority, i.Kind), payload)
	return err
}
