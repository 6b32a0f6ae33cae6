package edge

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/mqtt"
)

// marksOnly is a buffer's marks.
type marksOnly struct{ marks []outbox.Mark }

func (m *marksOnly) Record(_ context.Context, _ []draft, marks []outbox.Mark) error {
	m.marks = append(m.marks, marks...)
	return nil
}

func (m *marksOnly) Marks(prefix string) (found []outbox.Mark, _ error) {
	for _, k := range m.marks {
		if strings.HasPrefix(k.Name, prefix) {
			found = append(found, k)
		}
	}
	return found, nil
}

func TestASessionThatTheLocalBrokerForgotIsTold(t *testing.T) {
	marks, said := &marksOnly{}, new(bytes.Buffer)
	life := func(own bool) (*sessions, func(bool)) {
		s := &sessions{buffer: marks, log: slog.New(slog.NewTextHandler(said, nil)), ownBroker: own}
		return s, s.watch("gate-readings", func(bool) {})
	}
	s, hear := life(false)
	hear(false) // the first ever
	hear(true)
	if s.forgotten.Load() != 0 || said.Len() > 0 {
		t.Errorf("told without a reason: %s", said)
	}
	hear(false) // the broker was started anew without its sessions
	if s.forgotten.Load() != 1 {
		t.Error("not told within a life")
	}
	s, hear = life(false)
	hear(false)
	if s.forgotten.Load() != 1 || strings.Count(said.String(), "has forgotten the session") != 2 {
		t.Errorf("not told after a restart:\n%s", said)
	}
	s, hear = life(true)
	hear(false)
	if s.forgotten.Load() != 0 {
		t.Error("told of the agent's own broker, which acknowledges only what is safe")
	}
}

func TestDropsOfTheLocalBrokerAreToldAsTheyGrow(t *testing.T) {
	var said bytes.Buffer
	d := &brokerDrops{log: slog.New(slog.NewTextHandler(&said, nil))}
	for _, count := range []string{"7", "7", "9", "nonsense", "-1", "9", "2", "2"} { // the broker begins anew at 2
		d.receive(mqtt.Message{Payload: []byte(count)})
	}
	if n := d.all.Load(); n != 4 || strings.Count(said.String(), "has dropped messages") != 2 || !strings.Contains(said.String(), "since_the_brokers_start=7") {
		t.Errorf("%d dropped:\n%s", n, said.String())
	}
}
