// Package local is a coordinator within one process, for one machine: the same doors as coord/zk
// with nothing to install. Who is there and owns what ends with the process; a space with a folder keeps
// notes and documents, so that the next process knows what the last one had in hand.
package local

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"cloudcanvas/cloud/coord"
)

// Space is what the coordinators of one process share.
type Space struct {
	mu      sync.Mutex
	changed chan struct{} // closed and made anew with each change
	epoch   coord.Epoch
	members map[string]entry // by role and id
	held    map[string]*lease
	notes   map[string]string // the last note of each thing that was ever owned
	docs    map[string]document
	file    string // where notes and documents are kept; empty: nowhere
}

type entry struct {
	coord.Member
	session *session
}

type document struct {
	value   []byte
	version int64
}

// NewSpace makes an empty one.
func NewSpace() *Space {
	return &Space{
		changed: make(chan struct{}), members: map[string]entry{}, held: map[string]*lease{},
		notes: map[string]string{}, docs: map[string]document{},
	}
}

// touch wakes all who wait for a change. The caller holds mu.
func (s *Space) touch() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// Coordinator is the view of one member, by the name that Owners shows. It is safe for concurrent use.
func (s *Space) Coordinator(id string) *Coordinator {
	return &Coordinator{space: s, id: id, session: newSession()}
}

// Coordinator is one party's view of a Space.
type Coordinator struct {
	space   *Space
	id      string
	session *session // the space's mu guards the pointer; nil when closed
}

var _ coord.Coordinator = (*Coordinator)(nil)

// session is what leases and memberships live under. Within a process none is lost but by Close.
type session struct {
	context.Context
	end context.CancelCauseFunc
}

func newSession() *session {
	ctx, end := context.WithCancelCause(context.Background())
	return &session{ctx, end}
}

// live gives the session. The caller holds mu.
func (c *Coordinator) live() (*session, error) {
	if c.session == nil {
		return nil, coord.ErrClosed
	}
	return c.session, nil
}

// expire ends the session and all that lives under it: first their contexts, then what others see.
func (c *Coordinator) expire(next *session, why error) {
	s := c.space
	s.mu.Lock()
	defer s.mu.Unlock()
	old := c.session
	if old == nil {
		return
	}
	c.session = next
	old.end(why)
	for key, m := range s.members {
		if m.session == old {
			delete(s.members, key)
		}
	}
	for key, l := range s.held {
		if l.session == old {
			l.cancel(coord.ErrLost)
			delete(s.held, key)
		}
	}
	s.touch()
}

// Close gives back all that is held.
func (c *Coordinator) Close() error {
	c.expire(nil, coord.ErrClosed)
	return nil
}

// Document is a small shared value with versions.
func (c *Coordinator) Document(name string) coord.Document { return &documentOf{c, name} }

// Documents lists the documents directly below a path.
func (c *Coordinator) Documents(ctx context.Context, below string) (names []string, err error) {
	if err := coord.CheckPath(below); err != nil {
		return nil, fmt.Errorf("listing documents: %w", err)
	}
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	if _, err := c.live(); err != nil {
		return nil, err
	}
	for path := range c.space.docs {
		if name, ok := strings.CutPrefix(path, below+"/"); ok && !strings.Contains(name, "/") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, ctx.Err()
}

type documentOf struct {
	*Coordinator
	name string
}

func (d *documentOf) Get(ctx context.Context) ([]byte, int64, error) {
	d.space.mu.Lock()
	defer d.space.mu.Unlock()
	if _, err := d.live(); err != nil {
		return nil, 0, err
	}
	at := d.space.docs[d.name]
	return bytes.Clone(at.value), at.version, ctx.Err()
}

func (d *documentOf) Put(ctx context.Context, value []byte, version int64) (int64, error) {
	if err := coord.CheckPath(d.name); err != nil {
		return 0, fmt.Errorf("writing a document: %w", err)
	}
	d.space.mu.Lock()
	defer d.space.mu.Unlock()
	if _, err := d.live(); err != nil {
		return 0, err
	}
	if d.space.docs[d.name].version != version {
		return 0, fmt.Errorf("writing document %s: %w", d.name, coord.ErrChanged)
	}
	before, there := d.space.docs[d.name]
	d.space.docs[d.name] = document{append([]byte{}, value...), version + 1}
	if err := d.space.keep(); err != nil {
		if delete(d.space.docs, d.name); there {
			d.space.docs[d.name] = before
		}
		return 0, fmt.Errorf("writing document %s: %w", d.name, err)
	}
	d.space.touch()
	return version + 1, ctx.Err()
}

func (d *documentOf) Watch(ctx context.Context) (<-chan []byte, error) {
	return watch(ctx, d.Coordinator, func() ([]byte, int64) {
		at := d.space.docs[d.name]
		return bytes.Clone(at.value), at.version
	})
}

// watch sends what look gives at once and whenever its mark has changed. look runs under mu.
func watch[V any, M comparable](ctx context.Context, c *Coordinator, look func() (V, M)) (<-chan V, error) {
	s := c.space
	s.mu.Lock()
	_, err := c.live()
	s.mu.Unlock()
	if err != nil {
		return nil, err
	}
	out := make(chan V)
	go func() {
		defer close(out)
		var sent M
		for first := true; ; {
			s.mu.Lock()
			value, mark := look()
			changed, closed := s.changed, c.session == nil
			s.mu.Unlock()
			if closed {
				return
			}
			send := out
			if !first && mark == sent {
				send = nil
			}
			select {
			case send <- value:
				first, sent = false, mark
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return out, nil
}
