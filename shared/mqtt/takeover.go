package mqtt

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"syscall"
	"time"
)

// A broker that gives a client id to another client ends the connection that had it. MQTT 3.1.1 has no
// word for that: what can be seen is a broker that is there at once, takes every connection, and soon ends it
// while nothing is under way. A publish that the broker does not like ends a connection as well, but is
// under way when that happens, or was acknowledged just before: mosquitto does so with a message above its
// limit.

const (
	justBefore   = time.Second
	takenWithin  = 2 * time.Minute  // of the connection: longer than two clients that take it from each other wait
	takenBackoff = 30 * time.Second // two agents with one id would else throw each other out every few seconds
)

// takeovers finds out whether connections end as those do whose client id another client uses.
type takeovers struct{ row int }

// ended takes how a connection ended, and says whether thrownOut of them in a row did so.
func (t *takeovers) ended(lasted time.Duration, why error, underway bool) bool {
	if lasted >= takenWithin {
		t.row = 0
	}
	if byPeer(why) && !underway {
		t.row++
	}
	return t.suspected()
}

func (t *takeovers) suspected() bool { return t.row >= thrownOut }

// away takes that the broker could not be reached: then it was the broker that ended, and with it the connections.
func (t *takeovers) away() { t.row = 0 }

// byPeer says whether the other side ended a connection.
func byPeer(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// takenOver is the problem of such a client.
func takenOver(id string) string {
	return fmt.Sprintf("another client with the id %s took the connection: each client needs an id (or certificate) of its own, so look for a second agent or a copied card, or set client_id; the broker's log says who connects under it", id)
}

// Problem says in words why the connection does not hold; empty where nothing is known against it.
func (m *Client) Problem() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current != nil && time.Since(m.current.since) >= takenWithin {
		return ""
	}
	return m.problem
}

func (m *Client) setProblem(problem string) {
	m.mu.Lock()
	m.problem = problem
	m.mu.Unlock()
}

// Ended says whether a connection was ended by the other side, as a broker does that does not like what it
// is sent; and not by silence, as on a link that is dead, nor by this side.
func Ended(err error) bool {
	var fault net.Error
	switch {
	case err == nil, errors.Is(err, context.Canceled), errors.Is(err, net.ErrClosed):
		return false
	case errors.As(err, &fault) && fault.Timeout():
		return false
	}
	return !strings.Contains(err.Error(), "pingresp") // paho's words for silence
}
