package mqtt

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// turnTimeout is how long paho is left to wait for the message before the one it is given. Then it
// is given it anew: a large message on a thin link takes long, but a paho that has stopped does not
// say so, and would keep its caller that long.
const turnTimeout = time.Second

// session is one connection.
type session struct {
	client      paho.Client
	turnTimeout time.Duration // as paho is configured
	since       time.Time
	cut         func()        // breaks the network connection
	turn        chan struct{} // held by the one who hands a message to paho, which would not let go of others at the end
	begun       chan struct{} // closed once OnSession was called: messages wait for it
	lost        chan struct{} // closed when it is gone
	once        sync.Once
	why         error
	flying      atomic.Int64 // publishes handed to paho whose fate is not known to be good
	taken       atomic.Int64 // when the broker took the last one
	underway    bool         // there were some when the connection ended, or it had taken one just before
}

func (s *session) end(err error) {
	s.once.Do(func() {
		s.why = cmp.Or(err, io.EOF)
		s.underway = s.flying.Load() > 0 || time.Since(time.Unix(0, s.taken.Load())) < justBefore
		close(s.lost)
	})
}

// alive says whether the connection is still there, as far as is known.
func (s *session) alive() bool {
	select {
	case <-s.lost:
		return false
	default:
		return true
	}
}

// send hands a message to paho and sends its fate to result.
func (s *session) send(ctx context.Context, result chan<- error, topic string, qos byte, retain bool, payload []byte, passed func()) {
	select {
	case s.turn <- struct{}{}:
	case <-s.lost:
		result <- ErrOffline // not handed on yet
		return
	case <-ctx.Done():
		result <- ctx.Err()
		return
	}
	s.flying.Add(1)
	handed := make(chan paho.Token, 1)
	go func() {
		handed <- s.hand(topic, qos, retain, payload)
		<-s.turn
		passed()
	}()
	select {
	case token := <-handed:
		select {
		case <-token.Done():
			err := token.Error()
			if err == nil {
				s.taken.Store(time.Now().UnixNano())
				s.flying.Add(-1)
			}
			result <- fate(err)
		case <-s.lost:
			result <- fate(s.why)
		}
	case <-s.lost:
		result <- fate(s.why)
		<-handed
	}
}

// hand gives a message to paho, again while paho only says that others were before it.
func (s *session) hand(topic string, qos byte, retain bool, payload []byte) paho.Token {
	for {
		start := time.Now()
		token := s.client.Publish(topic, qos, retain, payload)
		if time.Since(start) < s.turnTimeout {
			return token
		}
		select {
		case <-token.Done():
			if token.Error() == nil {
				return token
			}
		default:
			return token // its turn came late
		}
		select {
		case <-s.lost:
			return token
		default:
		}
	}
}

// fate says in our terms how a publish ended.
func fate(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, paho.ErrNotConnected):
		return ErrOffline
	}
	return fmt.Errorf("%w: %w", ErrConnectionLost, err)
}
