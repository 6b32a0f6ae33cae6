package zk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
)

// lease is an owner's side of owners/<what>.
type lease struct {
	c     *Coordinator
	term  *term
	what  string
	path  string
	node  ownerNode
	epoch coord.Epoch

	previous string
	mu       sync.Mutex
	fence    int32 // the version of notes/<what>: each owner moves it on, so that no earlier one can write
}

// noteNode is the data of notes/<what>: what the last owner that noted something wrote.
type noteNode struct {
	Member string      `json:"member"`
	Epoch  coord.Epoch `json:"epoch"`
	Note   string      `json:"note"`
}

func (l *lease) Epoch() coord.Epoch { return l.epoch }
func (l *lease) Previous() string   { return l.previous }

func (l *lease) notes() string { return l.c.path("notes", l.what) }

// begin learns the epoch and the previous note, and shuts earlier owners out from writing one.
func (l *lease) begin(ctx context.Context) error {
	a := l.c.get(ctx, l.path)
	if a.err != nil {
		return fmt.Errorf("reading the epoch: %w", a.err)
	}
	var node ownerNode
	if err := json.Unmarshal(a.data, &node); err != nil || node.Token != l.node.Token {
		return errors.Join(err, errNotYet) // lost already
	}
	l.epoch = coord.Epoch(a.stat.Czxid)
	for {
		a = l.c.get(ctx, l.notes())
		if errors.Is(a.err, zk.ErrNoNode) {
			a = l.c.keepAsking(ctx, func() (a answer) {
				_, a.err = l.c.create(l.notes(), []byte("{}"), 0)
				return a
			})
			if a.err != nil && !errors.Is(a.err, zk.ErrNodeExists) {
				return fmt.Errorf("making room for notes: %w", a.err)
			}
			continue
		}
		if a.err != nil {
			return fmt.Errorf("reading the previous note: %w", a.err)
		}
		var before noteNode
		if err := json.Unmarshal(a.data, &before); err != nil {
			return fmt.Errorf("reading the previous note: %w", err)
		}
		moved := l.c.ask(ctx, func() (m answer) {
			m.stat, m.err = l.c.conn.Set(l.notes(), a.data, a.stat.Version)
			return m
		})
		if errors.Is(moved.err, zk.ErrBadVersion) {
			continue
		}
		if moved.err != nil {
			return fmt.Errorf("fencing the notes: %w", moved.err)
		}
		l.previous, l.fence = before.Note, moved.stat.Version
		return nil
	}
}

// Note records a note for the next owner and for Owners, in one transaction.
func (l *lease) Note(ctx context.Context, note string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	kept, _ := json.Marshal(noteNode{l.node.Member, l.epoch, note}) // always marshal: text and numbers
	shown, _ := json.Marshal(ownerNode{l.node.Member, l.node.Token, note})
	for {
		if l.term.Err() != nil {
			return fmt.Errorf("noting on %s: %w", l.what, coord.ErrLost)
		}
		a := l.c.ask(ctx, func() (a answer) {
			results, err := l.c.conn.Multi(
				&zk.SetDataRequest{Path: l.notes(), Data: kept, Version: l.fence},
				&zk.SetDataRequest{Path: l.path, Data: shown, Version: -1},
			)
			a.err = err
			for n, r := range results {
				if a.err == nil && r.Error != nil {
					a.err = r.Error
				}
				if n == 0 && r.Stat != nil {
					a.stat = r.Stat
				}
			}
			return a
		})
		switch {
		case a.err == nil && a.stat != nil:
			l.fence = a.stat.Version
			return nil
		case errors.Is(a.err, zk.ErrBadVersion), errors.Is(a.err, zk.ErrNoNode):
			return fmt.Errorf("noting on %s: %w", l.what, coord.ErrLost)
		case a.err != nil && !connection(a.err):
			return fmt.Errorf("noting on %s: %w", l.what, a.err)
		}
		if err := l.c.pause(ctx, l.c.dial.session()/50); err != nil {
			return err
		}
		if err := l.settle(ctx, string(kept)); err != nil {
			return err
		}
	}
}

// settle finds out whether a note whose outcome is unknown was written, by the fence's version.
func (l *lease) settle(ctx context.Context, kept string) error {
	a := l.c.get(ctx, l.notes())
	if a.err != nil {
		return fmt.Errorf("noting on %s: %w", l.what, a.err)
	}
	if a.stat.Version == l.fence+1 && string(a.data) == kept {
		l.fence++ // it was; writing it once more does no harm
	}
	return nil
}

// erase gives the lease back.
func (l *lease) erase() {
	l.c.erase(l.term.session, func() (string, int32, error) {
		data, stat, err := l.c.conn.Get(l.path)
		if err != nil {
			return "", 0, err
		}
		var node ownerNode
		if json.Unmarshal(data, &node) != nil || node.Token != l.node.Token {
			return "", 0, nil // another's by now
		}
		return l.path, stat.Version, nil
	})
}
