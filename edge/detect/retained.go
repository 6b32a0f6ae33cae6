package detect

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"sync"
)

// retained is what the broker shall hold of this agent: the latest of each topic, and which of them it
// has not confirmed yet.
type retained struct {
	log  *slog.Logger
	file string        // the topics, for a later run
	due  chan struct{} // there is something to publish

	mu       sync.Mutex
	topics   map[string]*retainedTopic
	waiting  []string // topics that are not confirmed, in the order in which they are published
	pictures []string // topics whose picture is held, the oldest first
	bytes    int      // of those pictures
	fresh    bool     // a topic has come or gone that the file does not know of
	unlisted bool     // the file can't be written, which is logged already
}

// retainedTopic is what the broker shall hold of one topic.
type retainedTopic struct {
	payload []byte // empty: the topic is taken back
	known   bool   // payload is what the broker shall hold; else it has something that stays as it is
	waits   bool
}

// picturesHeld bounds the pictures that are kept to be published again to a broker that forgot.
const picturesHeld = 8 << 20

const (
	snapshotLevel = "/snapshot"
	statusLevels  = "/status/camera"
)

func isCount(topic string) bool {
	levels := strings.Split(topic, "/")
	return len(levels) == 3 || len(levels) == 5 && levels[2] == "zones"
}

// set takes a topic's latest payload.
func (r *retained) set(topic string, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(topic, payload)
}

func (r *retained) put(topic string, payload []byte) {
	t := r.topics[topic]
	if t == nil {
		t = &retainedTopic{}
		r.topics[topic] = t
		r.fresh = r.fresh || topic != AvailableTopic
	}
	if strings.HasSuffix(topic, snapshotLevel) {
		r.hold(topic, t, len(payload))
	}
	t.payload, t.known = payload, true
	r.wait(topic, t)
}

// hold makes room for a picture. One that goes is not published again; the broker has it, most likely.
func (r *retained) hold(topic string, t *retainedTopic, size int) {
	if i := slices.Index(r.pictures, topic); i >= 0 {
		r.pictures = slices.Delete(r.pictures, i, i+1)
		r.bytes -= len(t.payload)
	}
	if size == 0 {
		return
	}
	r.pictures = append(r.pictures, topic)
	for r.bytes += size; r.bytes > picturesHeld && len(r.pictures) > 1; {
		old := r.topics[r.pictures[0]]
		r.bytes -= len(old.payload)
		old.payload, old.known = nil, false
		r.pictures = r.pictures[1:]
	}
}

func (r *retained) wait(topic string, t *retainedTopic) {
	if !t.waits {
		t.waits = true
		r.waiting = append(r.waiting, topic)
	}
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// found sets to 0 a count that an earlier run has left at the broker.
func (r *retained) found(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isCount(topic) && r.topics[topic] == nil {
		r.put(topic, []byte("0"))
	}
}

// next is what has waited longest.
func (r *retained) next() (message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) > 0 {
		topic := r.waiting[0]
		if t := r.topics[topic]; t != nil && t.known {
			return message{topic, t.payload}, true
		}
		if t := r.topics[topic]; t != nil {
			t.waits = false
		}
		r.waiting = r.waiting[1:]
	}
	return message{}, false
}

// confirmed takes the broker's confirmation. A payload that was set meanwhile still waits.
func (r *retained) confirmed(m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topics[m.topic]
	r.waiting = r.waiting[1:]
	t.waits = false
	if !bytes.Equal(t.payload, m.payload) {
		r.wait(m.topic, t)
	} else if len(t.payload) == 0 && t.known {
		delete(r.topics, m.topic)
		r.fresh = true
	}
}

// again lets everything be published once more.
func (r *retained) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, t := range r.topics {
		if t.known {
			r.wait(topic, t)
		}
	}
}

// remind lets what still waits be tried.
func (r *retained) remind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.waiting) > 0 || r.fresh {
		select {
		case r.due <- struct{}{}:
		default:
		}
	}
}

// zero lets every count be 0.
func (r *retained) zero() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, t := range r.topics {
		if isCount(topic) && t.known && len(t.payload) > 0 && string(t.payload) != "0" {
			r.put(topic, []byte("0"))
		}
	}
}
