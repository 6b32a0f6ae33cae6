package signed

import (
	"crypto/ed25519"
	"fmt"
	"sync"
	"time"
)

// Signer signs for all devices. It may be used by several at a time.
type Signer struct {
	key ed25519.PrivateKey
	id  KeyID
	now func() time.Time

	mu       sync.Mutex
	last     uint64             // serial
	sessions map[string]Session // of devices that have said one
}

// maxSessions bounds the devices whose sessions are known: beyond, all are forgotten and heard again.
const maxSessions = 1 << 16

// NewSigner signs with key.
func NewSigner(key ed25519.PrivateKey) *Signer {
	return &Signer{key: key, id: IDOf(key.Public().(ed25519.PublicKey)), now: time.Now, sessions: map[string]Session{}}
}

// ID is the key's.
func (s *Signer) ID() KeyID { return s.id }

// Heard notes the session that a device said last; the zero session is one that said none.
func (s *Signer) Heard(edge string, session Session) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if session == (Session{}) {
		delete(s.sessions, edge)
		return
	}
	if len(s.sessions) >= maxSessions {
		clear(s.sessions)
	}
	s.sessions[edge] = session
}

// Sign gives a message to a device on one of its downward topics (receipts, models, …) with a signature for
// the session that was heard last. Serials are the time in nanoseconds, so that they rise also from one
// process to the next; within a process they rise whatever the clock does.
func (s *Signer) Sign(edge, what string, message []byte) ([]byte, error) {
	s.mu.Lock()
	s.last = max(s.last+1, uint64(max(s.now().UnixNano(), 0)))
	mark := seal{key: s.id, session: s.sessions[edge], serial: s.last}
	s.mu.Unlock()
	copy(mark.signature[:], ed25519.Sign(s.key, statement(edge, what, mark, message)))
	payload, err := attach(message, mark)
	if err != nil {
		return nil, fmt.Errorf("signing a message for %s on %s: %w", edge, what, err)
	}
	return payload, nil
}
