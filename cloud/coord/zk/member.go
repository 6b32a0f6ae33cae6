package zk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

func (c *Coordinator) memberPath(m coord.Member) (string, error) {
	if err := errors.Join(coord.CheckName(m.ID), coord.CheckName(m.Role)); err != nil {
		return "", fmt.Errorf("joining as a member: %w", err)
	}
	return c.path(m.Role+"s", m.ID), nil
}

// Join keeps m among the members until ctx ends.
func (c *Coordinator) Join(ctx context.Context, m coord.Member) error {
	path, err := c.memberPath(m)
	if err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("joining as member %s: %w", m.ID, err)
	}
	c.descriptions.Store(path, data)
	var session int64 // under which the node was last made
	defer func() {
		// In the background: there may be no connection to do it over.
		c.work.Go(func() {
			c.erase(session, func() (string, int32, error) {
				_, stat, err := c.conn.Get(path)
				if err != nil || stat.EphemeralOwner != session {
					return "", 0, err
				}
				return path, -1, nil
			})
		})
	}()
	for {
		t, err := c.live(ctx)
		if err != nil {
			return err
		}
		session = t.session
		made := make(chan answer, 1)
		c.work.Go(func() {
			var a answer
			latest, _ := c.descriptions.Load(path) // what was described since is what the member is now
			_, a.err = c.create(path, latest.([]byte), zk.FlagEphemeral)
			made <- a
		})
		if a := <-made; a.err != nil && !errors.Is(a.err, zk.ErrNodeExists) && !connection(a.err) {
			return fmt.Errorf("joining as member %s: %w", m.ID, a.err)
		}
		// Whether it is this session's or a former life's that still lingers: when it goes, and the
		// member is to stay, it is made again.
		switch err := c.awaitGone(ctx, t, path); {
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, coord.ErrClosed):
			return err
		case err != nil && connection(err):
			if err := c.pause(ctx, c.dial.session()/50); err != nil {
				return err
			}
		}
	}
}

// Describe brings the description of a joined member up to date.
func (c *Coordinator) Describe(ctx context.Context, m coord.Member) error {
	path, err := c.memberPath(m)
	if err != nil {
		return err
	}
	data, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("describing member %s: %w", m.ID, err)
	}
	t, err := c.live(ctx)
	if err != nil {
		return err
	}
	a := c.get(ctx, path)
	if a.err == nil && a.stat.EphemeralOwner != t.session {
		a.err = errors.New("it has not joined here")
	}
	if a.err == nil {
		c.descriptions.Store(path, data)
		version := a.stat.Version
		a = c.ask(ctx, func() (a answer) {
			a.stat, a.err = c.conn.Set(path, data, version)
			return a
		})
	}
	if a.err != nil {
		return fmt.Errorf("describing member %s: %w", m.ID, a.err)
	}
	return nil
}

// Members sends the members of a role whenever they change. A member is read again only when it has
// changed itself, so that the traffic follows what happens.
func (c *Coordinator) Members(ctx context.Context, role string) (<-chan []coord.Member, error) {
	if err := coord.CheckName(role); err != nil {
		return nil, fmt.Errorf("watching the members of a role: %w", err)
	}
	out := make(chan []coord.Member)
	r := &roll{c: c, dir: c.path(role + "s"), members: map[string]coord.Member{}, watched: map[string]bool{}, stale: make(chan string)}
	c.work.Go(func() {
		defer close(out)
		r.follow(ctx, out)
	})
	return out, nil
}

// roll is the list of members as it was last read.
type roll struct {
	c       *Coordinator
	dir     string
	members map[string]coord.Member
	watched map[string]bool // members with a watch that has not fired
	stale   chan string     // names of members that changed; "" for the list itself
}

func (r *roll) follow(ctx context.Context, out chan<- []coord.Member) {
	for name := ""; ; {
		if name == "" {
			r.readList(ctx)
		} else {
			delete(r.watched, name)
			r.readMember(ctx, name)
		}
		if ctx.Err() != nil || r.c.isClosed() {
			return
		}
		now := slices.SortedFunc(maps.Values(r.members), func(a, b coord.Member) int { return cmp.Compare(a.ID, b.ID) })
		send := out
		for waiting := true; waiting; {
			select {
			case send <- now:
				send = nil
			case name = <-r.stale:
				waiting = false
			case <-ctx.Done():
				return
			case <-r.c.closed:
				return
			}
		}
	}
}

// await signals r when a watch fires: on a change, or because its session is gone.
func (r *roll) await(ctx context.Context, name string, watch <-chan zk.Event) {
	r.c.work.Go(func() {
		select {
		case <-watch:
		case <-ctx.Done():
			return
		case <-r.c.closed:
			return
		}
		select {
		case r.stale <- name:
		case <-ctx.Done():
		case <-r.c.closed:
		}
	})
}

func (r *roll) readList(ctx context.Context) {
	a := r.c.keepAsking(ctx, func() (a answer) {
		a.children, a.stat, a.watch, a.err = r.c.conn.ChildrenW(r.dir)
		if errors.Is(a.err, zk.ErrNoNode) {
			if _, a.err = r.c.create(r.dir, nil, 0); a.err == nil || errors.Is(a.err, zk.ErrNodeExists) {
				a.children, a.stat, a.watch, a.err = r.c.conn.ChildrenW(r.dir)
			}
		}
		return a
	})
	if a.err != nil {
		r.retry(ctx, "", a.err)
		return
	}
	r.await(ctx, "", a.watch)
	maps.DeleteFunc(r.members, func(id string, _ coord.Member) bool { return !slices.Contains(a.children, id) })
	for _, id := range a.children {
		r.readMember(ctx, id)
	}
}

// readMember reads one that is not watched already.
func (r *roll) readMember(ctx context.Context, id string) {
	if r.watched[id] {
		return
	}
	a := r.c.keepAsking(ctx, func() (a answer) {
		a.data, a.stat, a.watch, a.err = r.c.conn.GetW(r.dir + "/" + id)
		return a
	})
	switch {
	case errors.Is(a.err, zk.ErrNoNode):
		delete(r.members, id)
		return
	case a.err != nil:
		r.retry(ctx, id, a.err)
		return
	}
	r.watched[id] = true
	r.await(ctx, id, a.watch)
	var m coord.Member
	if err := json.Unmarshal(a.data, &m); err != nil || m.ID != id {
		r.c.log.Warn("the node of a member is not readable and passed over", "node", r.dir+"/"+id, telemetry.Err, err)
		delete(r.members, id)
		return
	}
	r.members[id] = m
}

// retry reads again later what could not be read for another reason than the connection.
func (r *roll) retry(ctx context.Context, name string, err error) {
	if ctx.Err() != nil || r.c.isClosed() {
		return
	}
	r.c.log.Error("reading the members from ZooKeeper failed; this process tries again", "node", r.dir+"/"+name, telemetry.Err, err)
	later := make(chan zk.Event)
	time.AfterFunc(5*time.Second, func() { close(later) })
	r.await(ctx, name, later)
}
