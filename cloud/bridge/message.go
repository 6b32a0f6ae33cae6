package bridge

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// message is one of MQTT with what is in it.
type message struct {
	mqtt.Message
	item   event.Item
	err    error         // why it becomes a dead letter; item then holds what could be read
	status *event.Status // not an item, but an edge's status
	stored bool          // a part that rests in the object store
	over   dedup.Bound   // why a part is refused
}

// What can be wrong with an envelope beyond what shared/event finds.
var (
	errStray     = errors.New("the topic and the envelope disagree")
	errReference = errors.New("an edge sends data, not a reference to the object store")
	errKind      = errors.New("this kind of item is not made on an edge")
	errSeq       = errors.New("the number is out of range")
	errStranger  = errors.New("the edge is not among those that bridge.edges lets in")
	errBlocked   = errors.New("an operator has blocked the edge")
)

// allowlist names the edges that are let in, as patterns; none: everyone.
type allowlist []string

func (g allowlist) allows(edge string) bool {
	return len(g) == 0 || slices.ContainsFunc(g, func(pattern string) bool {
		fits, _ := path.Match(pattern, edge)
		return fits
	})
}

// read opens a message and checks it: form, sha256, and that it is what its topic says.
func (g allowlist) read(m mqtt.Message) message {
	l := message{Message: m}
	if isRefused(m) {
		l.status = &event.Status{} // empty, and keeps its place
		return l
	}
	if edge, isStatus := statusOf(m.Topic); isStatus {
		l.status = g.readStatus(edge, m.Payload)
		return l
	}
	edge, priority, kind, err := event.ParseTopic(m.Topic)
	if err == nil && !g.allows(edge) {
		err = fmt.Errorf("%w: %q", errStranger, edge)
	}
	if err != nil {
		l.err = err
		return l
	}
	l.item, l.err = event.UnmarshalMQTT(m.Payload)
	i := &l.item
	switch {
	case l.err != nil:
	case i.Edge != edge || i.Priority != priority || i.Kind != kind:
		l.err = fmt.Errorf("%w: %s carries a %s of edge %q with priority %d", errStray, m.Topic, i.Kind, i.Edge, i.Priority)
	case i.Kind == event.Product:
		l.err = fmt.Errorf("%w: %s", errKind, i.Kind)
	case i.Attrs.DataRef != "":
		l.err = fmt.Errorf("%w: dataref %q", errReference, i.Attrs.DataRef)
	case i.Seq > parts.MaxSeq:
		l.err = fmt.Errorf("%w: seq %d", errSeq, i.Seq)
	case i.Kind == event.Part && i.Epoch == "":
		l.err = fmt.Errorf("%w: a part without epoch and seq", event.ErrIncomplete)
	default:
		l.err = i.CheckContent()
	}
	return l
}

// readSafely is read, where a panic is the message's own fault.
func (g allowlist) readSafely(m mqtt.Message) (l message) {
	err := crashguard.Shield(func() error { l = g.read(m); return nil })
	if err != nil {
		l = message{Message: m, err: fmt.Errorf("%w: reading it failed: %w", event.ErrMalformed, err)}
	}
	return l
}

// statusOf gives the edge whose status topic that is.
func statusOf(topic string) (edge string, is bool) {
	if !strings.HasSuffix(topic, "/status") {
		return "", false // most topics: no error is made for them
	}
	edge, err := event.ParseStatusTopic(topic)
	return edge, err == nil
}

// readStatus gives an edge's status; an empty one where it can't be read.
func (g allowlist) readStatus(edge string, payload []byte) *event.Status {
	status, err := event.ParseStatus(payload)
	if err != nil || !status.Epoch.Valid() || !g.allows(edge) {
		return &event.Status{}
	}
	status.Edge = edge
	return &status
}

// messagesPerGoroutine is the least that a goroutine is worth.
const messagesPerGoroutine = 16

// readAll reads messages beside each other, in their order.
func (g allowlist) readAll(messages []mqtt.Message) []*message {
	all, made := make([]*message, len(messages)), make([]message, len(messages))
	part := max(messagesPerGoroutine, (len(messages)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var readers sync.WaitGroup
	for from := 0; from < len(messages); from += part {
		work := func() {
			for n := from; n < min(from+part, len(messages)); n++ {
				made[n] = g.readSafely(messages[n])
				all[n] = &made[n]
			}
		}
		if from+part >= len(messages) {
			work()
			break
		}
		readers.Go(work)
	}
	readers.Wait()
	return all
}
