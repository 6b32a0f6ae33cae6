package local

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudcanvas/cloud/coord"
)

// Things owned and things led lie side by side, told apart by how their key begins.
const (
	ownKey  = "own "
	leadKey = "lead "
)

// lease is what is held, and its side towards the holder.
type lease struct {
	space    *Space
	key      string
	session  *session
	owner    coord.Owner
	previous string
	cancel   context.CancelCauseFunc
}

func (l *lease) Epoch() coord.Epoch { return l.owner.Epoch }
func (l *lease) Previous() string   { return l.previous }

func (l *lease) Note(ctx context.Context, note string) error {
	l.space.mu.Lock()
	defer l.space.mu.Unlock()
	if l.space.held[l.key] != l {
		return fmt.Errorf("noting on %s: %w", l.key, coord.ErrLost)
	}
	l.owner.Note = note
	l.space.notes[l.key] = note
	return errors.Join(l.space.keep(), ctx.Err())
}

// Own waits until what is free, owns it and calls own once.
func (c *Coordinator) Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error {
	return c.hold(ctx, ownKey, what, func(ctx context.Context, l *lease) error { return own(ctx, l) })
}

// Lead competes for leadership of what until ctx ends or lead gives it up.
func (c *Coordinator) Lead(ctx context.Context, what string, lead func(context.Context, coord.Epoch) error) error {
	for {
		lost := false
		err := c.hold(ctx, leadKey, what, func(ctx context.Context, l *lease) error {
			err := lead(ctx, l.Epoch())
			lost = errors.Is(context.Cause(ctx), coord.ErrLost)
			return err
		})
		if !lost || ctx.Err() != nil {
			return err
		}
	}
}

func (c *Coordinator) hold(ctx context.Context, prefix, what string, use func(context.Context, *lease) error) error {
	if err := coord.CheckName(what); err != nil {
		return fmt.Errorf("owning or leading: %w", err)
	}
	l, holding, err := c.acquire(ctx, prefix+what)
	if err != nil {
		return err
	}
	err = use(holding, l)
	lost := errors.Is(context.Cause(holding), coord.ErrLost)
	l.cancel(context.Canceled)
	s := c.space
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[l.key] == l {
		delete(s.held, l.key)
		s.touch()
	}
	if lost && (err == nil || errors.Is(err, context.Canceled)) {
		return coord.ErrLost
	}
	return err
}

// acquire waits until key is free and takes it.
func (c *Coordinator) acquire(ctx context.Context, key string) (*lease, context.Context, error) {
	s := c.space
	for {
		s.mu.Lock()
		session, err := c.live()
		if err != nil || ctx.Err() != nil {
			s.mu.Unlock()
			return nil, nil, errors.Join(err, ctx.Err())
		}
		if s.held[key] == nil {
			s.epoch++
			l := &lease{space: s, key: key, session: session, previous: s.notes[key], owner: coord.Owner{Member: c.id, Epoch: s.epoch, Since: time.Now()}}
			var holding context.Context
			holding, l.cancel = context.WithCancelCause(ctx)
			s.held[key] = l
			s.touch()
			s.mu.Unlock()
			return l, holding, nil
		}
		changed := s.changed
		s.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// Owners lists who owns what.
func (c *Coordinator) Owners(ctx context.Context) (map[string]coord.Owner, error) {
	c.space.mu.Lock()
	defer c.space.mu.Unlock()
	if _, err := c.live(); err != nil {
		return nil, err
	}
	owners := map[string]coord.Owner{}
	for key, l := range c.space.held {
		if what, own := strings.CutPrefix(key, ownKey); own {
			owners[what] = l.owner
		}
	}
	return owners, ctx.Err()
}
