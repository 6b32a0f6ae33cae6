package bridge

import (
	"errors"
	"fmt"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// letter is one message with what is in it.
type letter struct {
	mqtt.Message
	item   event.Item
	err    error         // why it is poison; item then holds what could be read
	status *event.Status // not an item, but what an edge says of itself
	stored bool          // a part that rests in the object store
	over   bound         // why a part is refused
}

// What an envelope can be at fault with beyond what shared/event tells.
var (
	errStray     = errors.New("the topic and the envelope disagree")
	errReference = errors.New("an edge sends data, not a reference to the object store")
	errKind      = errors.New("this kind of item is not made on an edge")
	errSeq       = errors.New("the number is out of range")
	errStranger  = errors.New("the edge is not among those that bridge.edges lets in")
	errBlocked   = errors.New("an operator has blocked the edge")
)

// guests are the names of edges that are let in, as patterns; none: everyone.
type guests []string

func (g guests) welcome(edge string) bool {
	return len(g) == 0 || slices.ContainsFunc(g, func(pattern string) bool {
		fits, _ := path.Match(pattern, edge)
		return fits
	})
}

// read opens a message and checks it: form, sha256, and that it is what its topic says.
func (g guests) read(m mqtt.Message) letter {
	l := letter{Message: m}
	if isRefused(m) {
		l.status = &event.Status{} // says nothing, and keeps its place
		return l
	}
	if edge, isStatus := statusOf(m.Topic); isStatus {
		l.status = g.readStatus(edge, m.Payload)
		return l
	}
	edge, priority, kind, err := event.ParseTopic(m.Topic)
	if err == nil && !g.welcome(edge) {
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
	case i.Seq > maxSeq:
		l.err = fmt.Errorf("%w: seq %d", errSeq, i.Seq)
	case i.Kind == event.Part && i.Epoch == "":
		l.err = fmt.Errorf("%w: a part without epoch and seq", event.ErrIncomplete)
	default:
		l.err = i.CheckContent()
	}
	return l
}

// readSafely is read, where a panic is the message's own fault.
func (g guests) readSafely(m mqtt.Message) (l letter) {
	err := crashguard.Shield(func() error { l = g.read(m); return nil })
	if err != nil {
		l = letter{Message: m, err: fmt.Errorf("%w: reading it failed: %w", event.ErrMalformed, err)}
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

// readStatus gives what an edge says of itself; what can't be read says nothing.
func (g guests) readStatus(edge string, payload []byte) *event.Status {
	status, err := event.ParseStatus(payload)
	if err != nil || !status.Epoch.Valid() || !g.welcome(edge) {
		return &event.Status{}
	}
	status.Edge = edge
	return &status
}

// few is how many messages are not worth a goroutine.
const few = 16

// readAll reads messages beside each other, in their order.
func (g guests) readAll(messages []mqtt.Message) []*letter {
	letters, made := make([]*letter, len(messages)), make([]letter, len(messages))
	part := max(few, (len(messages)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	var all sync.WaitGroup
	for from := 0; from < len(messages); from += part {
		work := func() {
			for n := from; n < min(from+part, len(messages)); n++ {
				made[n] = g.readSafely(messages[n])
				letters[n] = &made[n]
			}
		}
		if from+part >= len(messages) {
			work()
			break
		}
		all.Go(work)
	}
	all.Wait()
	return letters
}
