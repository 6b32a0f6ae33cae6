package zk

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
)

// ownerNode is the data of owners/<what>. The token distinguishes one attempt of a process from another.
type ownerNode struct {
	Member string `json:"member"`
	Token  string `json:"token"`
	Note   string `json:"note,omitempty"`
}

// Own waits until what is free, owns it and calls own once.
func (c *Coordinator) Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error {
	if err := coord.CheckName(what); err != nil {
		return fmt.Errorf("owning: %w", err)
	}
	for {
		t, err := c.live(ctx)
		if err != nil {
			return err
		}
		l, err := c.acquire(ctx, t, what)
		switch {
		case err == nil:
			return c.hold(ctx, t, func(ctx context.Context) error { return own(ctx, l) }, l.erase)
		case errors.Is(err, errNotYet):
			continue
		case connection(err) || t.Err() != nil:
			if err := c.pause(ctx, c.dial.session()/50); err != nil {
				return err
			}
		default:
			return fmt.Errorf("owning %s: %w", what, err)
		}
	}
}

// hold lets use work while the term lasts, and gives back what it held with release. What is lost
// is given back in the background: there may be no connection to do it over.
func (c *Coordinator) hold(ctx context.Context, t *term, use func(context.Context) error, release func()) error {
	c.holders.Add(1)
	defer c.holders.Done()
	holding, end := hold(ctx, t)
	err := use(holding)
	lost := holding.Err() != nil && errors.Is(context.Cause(holding), coord.ErrLost)
	end()
	released := make(chan struct{})
	c.work.Go(func() {
		defer close(released)
		release()
	})
	if !lost {
		select {
		case <-released:
		case <-t.Done(): // it ends with the session
		}
		return err
	}
	if err == nil || errors.Is(err, context.Canceled) {
		return coord.ErrLost
	}
	return err
}

// errNotYet says that it was another's, and that it is worth trying again now.
var errNotYet = errors.New("it was another's until now")

// acquire tries to own what. Where another owns it, acquire waits for that to change.
func (c *Coordinator) acquire(ctx context.Context, t *term, what string) (*lease, error) {
	l := &lease{c: c, term: t, what: what, node: ownerNode{Member: c.id, Token: rand.Text()}}
	l.path = c.path("owners", what)
	data, _ := json.Marshal(l.node) // always marshals: text
	made := make(chan error, 1)
	c.work.Go(func() {
		_, err := c.create(l.path, data, zk.FlagEphemeral)
		made <- err
	})
	var err error
	select {
	case err = <-made:
	case <-ctx.Done():
		c.work.Go(func() { // it may yet be made
			<-made
			l.erase()
		})
		return nil, ctx.Err()
	}
	if errors.Is(err, zk.ErrNodeExists) {
		return nil, c.awaitGone(ctx, t, l.path)
	}
	if err == nil {
		err = l.begin(ctx)
	}
	if err != nil {
		c.work.Go(l.erase) // also where the outcome is unknown
		return nil, err
	}
	return l, nil
}

// awaitGone waits until a node may be gone, or the term is over. It gives errNotYet.
func (c *Coordinator) awaitGone(ctx context.Context, t *term, path string) error {
	there := false
	a := c.ask(ctx, func() (a answer) {
		there, a.stat, a.watch, a.err = c.conn.ExistsW(path)
		return a
	})
	if a.err != nil || !there {
		return errors.Join(a.err, errNotYet)
	}
	select {
	case <-a.watch:
	case <-t.Done():
	case <-c.closed:
	case <-ctx.Done():
		return ctx.Err()
	}
	return errNotYet
}

// Owners lists who owns what.
func (c *Coordinator) Owners(ctx context.Context) (map[string]coord.Owner, error) {
	owners := map[string]coord.Owner{}
	all := c.list(ctx, c.path("owners"))
	if errors.Is(all.err, zk.ErrNoNode) {
		return owners, nil
	}
	if all.err != nil {
		return nil, fmt.Errorf("listing owners: %w", all.err)
	}
	for _, what := range all.children {
		a := c.get(ctx, c.path("owners", what))
		if errors.Is(a.err, zk.ErrNoNode) {
			continue // gone since
		}
		if a.err != nil {
			return nil, fmt.Errorf("reading the owner of %s: %w", what, a.err)
		}
		var node ownerNode
		if err := json.Unmarshal(a.data, &node); err != nil {
			return nil, fmt.Errorf("reading the owner of %s: %w", what, err)
		}
		owners[what] = coord.Owner{Member: node.Member, Epoch: coord.Epoch(a.stat.Czxid), Since: time.UnixMilli(a.stat.Ctime), Note: node.Note}
	}
	return owners, nil
}
