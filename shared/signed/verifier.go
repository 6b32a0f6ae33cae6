package signed

import (
	"crypto/ed25519"
	"errors"
	"slices"
	"sync"
	"time"
)

// Verifier is a device that believes the holders of some keys and nobody else. It may be used by several at a
// time.
type Verifier struct {
	edge string
	keys map[KeyID]ed25519.PublicKey
	now  func() time.Time

	mu      sync.Mutex
	session Session
	topics  map[string]*topic
	renewed time.Time // when the session was said anew, or a new one was drawn
}

// topic is what has come on one of the topics in this session.
type topic struct {
	highest  uint64
	seen     []uint64 // the last serials, rising: those that may come twice
	accepted time.Time
}

const (
	// maxSeen is more than a broker has unacknowledged at a time, which is what it sends again.
	maxSeen = 256
	// renewAfter is the least time between two answers to messages that are signed for something else.
	renewAfter = 30 * time.Second
)

// NewVerifier believes keys about what is said to edge. At least one key is wanted.
func NewVerifier(edge string, keys []ed25519.PublicKey) *Verifier {
	v := &Verifier{edge: edge, keys: map[KeyID]ed25519.PublicKey{}, now: time.Now, session: NewSession(), topics: map[string]*topic{}}
	for _, key := range keys {
		v.keys[IDOf(key)] = key
	}
	return v
}

// Session is the one that messages must be signed for now.
func (v *Verifier) Session() Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.session
}

// Keys are the ids of the keys that are believed, sorted.
func (v *Verifier) Keys() []string {
	all := make([]string, 0, len(v.keys))
	for id := range v.keys {
		all = append(all, id.String())
	}
	slices.Sort(all)
	return all
}

// Open gives the message without its signature, or says why it is not believed. announce says that the cloud is
// to be told the session once more: it signs, but for another one.
func (v *Verifier) Open(what string, payload []byte) (message []byte, announce bool, err error) {
	message, s, ok := detach(payload)
	if !ok {
		return nil, false, ErrUnsigned
	}
	key, ok := v.keys[s.key]
	if !ok {
		return nil, false, ErrUnknown
	}
	if !ed25519.Verify(key, statement(v.edge, what, s, message), s.signature[:]) {
		return nil, false, ErrForged
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if err = v.take(what, s); err != nil {
		return nil, v.renew(what, err), err
	}
	return message, false, nil
}

// take notes a message whose signature is good, and says what is wrong with its time.
func (v *Verifier) take(what string, s seal) error {
	if s.session != v.session {
		return ErrSession
	}
	t := v.topics[what]
	if t == nil {
		t = &topic{}
		v.topics[what] = t
	}
	if s.serial <= t.highest {
		if _, seen := slices.BinarySearch(t.seen, s.serial); seen {
			return ErrRepeated
		}
		return ErrReplayed
	}
	t.highest, t.accepted = s.serial, v.now()
	if len(t.seen) == maxSeen {
		t.seen = slices.Delete(t.seen, 0, 1)
	}
	t.seen = append(t.seen, s.serial)
	return nil
}

// renew says whether the session is to be said anew after a message that came too late. Where nothing else comes
// on its topic, the cloud's clock may have gone back, or another process with another clock speaks now: then
// serials begin anew in a new session.
func (v *Verifier) renew(what string, err error) bool {
	now := v.now()
	if errors.Is(err, ErrRepeated) || now.Sub(v.renewed) < renewAfter {
		return false
	}
	if errors.Is(err, ErrReplayed) {
		if now.Sub(v.topics[what].accepted) < renewAfter {
			return false
		}
		v.session, v.topics = NewSession(), map[string]*topic{}
	}
	v.renewed = now
	return true
}
