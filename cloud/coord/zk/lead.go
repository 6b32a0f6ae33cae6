package zk

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
)

// Lead competes for leadership of what until ctx ends or lead gives it up. (The library's Lock is
// not used: its holder does not learn of a lost session while another gets it.)
func (c *Coordinator) Lead(ctx context.Context, what string, lead func(context.Context, coord.Epoch) error) error {
	if err := coord.CheckName(what); err != nil {
		return fmt.Errorf("leading: %w", err)
	}
	for {
		t, err := c.live(ctx)
		if err != nil {
			return err
		}
		one := &candidate{c: c, term: t, dir: c.path("leader", what), token: rand.Text()}
		epoch, err := one.stand(ctx)
		switch {
		case err == nil:
			err := c.hold(ctx, t, func(ctx context.Context) error { return lead(ctx, epoch) }, one.erase)
			if t.Err() == nil || ctx.Err() != nil {
				return err
			}
		case ctx.Err() != nil:
			return ctx.Err()
		case connection(err) || t.Err() != nil || errors.Is(err, errNotYet):
			if err := c.pause(ctx, c.dial.session()/50); err != nil {
				return err
			}
		default:
			return fmt.Errorf("leading %s: %w", what, err)
		}
	}
}

// candidate is one node of an election. Its name begins with its token, so that it is found again
// where the outcome of making it is unknown.
type candidate struct {
	c     *Coordinator
	term  *term
	dir   string
	token string
}

// number is the sequence number that ZooKeeper appended to a candidate's name: ten digits.
func number(name string) string { return name[max(0, len(name)-10):] }

// stand enters the election and returns when it is won, with the czxid of the winning node.
func (o *candidate) stand(ctx context.Context) (epoch coord.Epoch, err error) {
	data, _ := json.Marshal(ownerNode{Member: o.c.id, Token: o.token}) // always marshals: text
	made := make(chan error, 1)
	o.c.work.Go(func() {
		_, err := o.c.create(o.dir+"/"+o.token+"-", data, zk.FlagEphemeral|zk.FlagSequence)
		made <- err
	})
	defer func() {
		if err != nil {
			o.c.work.Go(func() {
				<-made
				o.erase()
			})
		}
	}()
	select {
	case err := <-made:
		made <- err // for those who wait for it to be settled
		if err != nil {
			return 0, err
		}
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	for {
		all := o.c.list(ctx, o.dir)
		if all.err != nil {
			return 0, all.err
		}
		slices.SortFunc(all.children, func(a, b string) int { return cmp.Compare(number(a), number(b)) })
		at := slices.IndexFunc(all.children, func(name string) bool { return strings.HasPrefix(name, o.token) })
		switch {
		case at < 0 || o.term.Err() != nil:
			return 0, errNotYet
		case at == 0:
			a := o.c.get(ctx, o.dir+"/"+all.children[0])
			if a.err != nil {
				return 0, errors.Join(a.err, errNotYet)
			}
			return coord.Epoch(a.stat.Czxid), nil
		}
		// Each watches the one before it only, so that one leaving wakes one.
		if err := o.c.awaitGone(ctx, o.term, o.dir+"/"+all.children[at-1]); err != nil && !errors.Is(err, errNotYet) {
			return 0, err
		}
		if o.c.isClosed() {
			return 0, coord.ErrClosed
		}
	}
}

func (o *candidate) erase() {
	o.c.erase(o.term.session, func() (string, int32, error) {
		names, _, err := o.c.conn.Children(o.dir)
		for _, name := range names {
			if strings.HasPrefix(name, o.token) {
				return o.dir + "/" + name, -1, err
			}
		}
		return "", 0, err
	})
}
