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
	file string        // the topics, for a later life
	due  chan struct{} // there is something to say

	mu       sync.Mutex
	words    map[string]*word
	waiting  []string // topics whose word is not confirmed, in the order in which they are said
	pictures []string // topics whose picture is held, the oldest first
	bytes    int      // of those pictures
	fresh    bool     // a topic has come or gone that the file does not know of
	unlisted bool     // the file can't be written, and that was told
}

// word is what one topic shall say.
type word struct {
	payload []byte // empty: the topic is taken back
	known   bool   // payload is what the broker shall hold; else it has something that is let be
	waits   bool
}

// picturesHeld bounds the pictures that are kept to be said again to a broker that forgot.
const picturesHeld = 8 << 20

const (
	snapshotLevel = "/snapshot"
	statusLevels  = "/status/camera"
)

func isCount(topic string) bool {
	levels := strings.Split(topic, "/")
	return len(levels) == 3 || len(levels) == 5 && levels[2] == "zones"
}

// say takes a topic's latest word.
func (r *retained) say(topic string, payload []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.put(topic, payload)
}

func (r *retained) put(topic string, payload []byte) {
	w := r.words[topic]
	if w == nil {
		w = &word{}
		r.words[topic] = w
		r.fresh = r.fresh || topic != AvailableTopic
	}
	if strings.HasSuffix(topic, snapshotLevel) {
		r.hold(topic, w, len(payload))
	}
	w.payload, w.known = payload, true
	r.wait(topic, w)
}

// hold makes room for a picture. One that goes is not said again; the broker has it, most likely.
func (r *retained) hold(topic string, w *word, size int) {
	if i := slices.Index(r.pictures, topic); i >= 0 {
		r.pictures = slices.Delete(r.pictures, i, i+1)
		r.bytes -= len(w.payload)
	}
	if size == 0 {
		return
	}
	r.pictures = append(r.pictures, topic)
	for r.bytes += size; r.bytes > picturesHeld && len(r.pictures) > 1; {
		old := r.words[r.pictures[0]]
		r.bytes -= len(old.payload)
		old.payload, old.known = nil, false
		r.pictures = r.pictures[1:]
	}
}

func (r *retained) wait(topic string, w *word) {
	if !w.waits {
		w.waits = true
		r.waiting = append(r.waiting, topic)
	}
	select {
	case r.due <- struct{}{}:
	default:
	}
}

// found sets to 0 a count that an earlier life has left at the broker.
func (r *retained) found(topic string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if isCount(topic) && r.words[topic] == nil {
		r.put(topic, []byte("0"))
	}
}

// next is what has waited longest.
func (r *retained) next() (message, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for len(r.waiting) > 0 {
		topic := r.waiting[0]
		if w := r.words[topic]; w != nil && w.known {
			return message{topic, w.payload}, true
		}
		if w := r.words[topic]; w != nil {
			w.waits = false
		}
		r.waiting = r.waiting[1:]
	}
	return message{}, false
}

// said takes the broker's confirmation. What was said anew meanwhile still waits.
func (r *retained) said(m message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.words[m.topic]
	r.waiting = r.waiting[1:]
	w.waits = false
	if !bytes.Equal(w.payload, m.payload) {
		r.wait(m.topic, w)
	} else if len(w.payload) == 0 && w.known {
		delete(r.words, m.topic)
		r.fresh = true
	}
}

// again lets everything be said once more.
func (r *retained) again() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for topic, w := range r.words {
		if w.known {
			r.wait(topic, w)
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
	for topic, w := range r.words {
		if isCount(topic) && w.known && len(w.payload) > 0 && string(w.payload) != "0" {
			r.put(topic, []byte("0"))
		}
	}
}
