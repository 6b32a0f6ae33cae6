package zk

import (
	"context"
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"time"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

func (c *Coordinator) path(parts ...string) string {
	return path.Join(append([]string{c.cfg.Root}, parts...)...)
}

// connection says that err is about the connection or session, not about what was asked: it may
// succeed later. What was asked may have been done all the same.
func connection(err error) bool {
	for _, e := range []error{zk.ErrConnectionClosed, zk.ErrNoServer, zk.ErrSessionExpired, zk.ErrSessionMoved, zk.ErrClosing} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// answer is what a read gives.
type answer struct {
	data     []byte
	children []string
	stat     *zk.Stat
	watch    <-chan zk.Event
	err      error
}

// ask runs an operation, which knows no ctx, until it ends or ctx does. An operation that is left
// ends with the connection's next failure at the latest.
func (c *Coordinator) ask(ctx context.Context, operation func() answer) answer {
	if c.isClosed() {
		return answer{err: coord.ErrClosed}
	}
	select {
	case <-c.ready:
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	case <-c.closed:
		return answer{err: coord.ErrClosed}
	}
	got := make(chan answer, 1)
	c.work.Go(func() { got <- operation() })
	select {
	case a := <-got:
		if a.err != nil && c.isClosed() {
			a.err = coord.ErrClosed
		}
		return a
	case <-ctx.Done():
		return answer{err: ctx.Err()}
	case <-c.closed:
		return answer{err: coord.ErrClosed}
	}
}

// keepAsking runs an operation that may be repeated until the connection lets it through.
func (c *Coordinator) keepAsking(ctx context.Context, operation func() answer) (a answer) {
	err := c.patiently(connection).Do(ctx, func() error {
		a = c.ask(ctx, operation)
		return a.err
	})
	if err != nil {
		return answer{err: err}
	}
	return a
}

// patiently tries again what fails in a way that passes.
func (c *Coordinator) patiently(passes func(error) bool) retry.Task {
	return retry.Task{First: 20 * time.Millisecond, Most: time.Second, Final: func(err error) bool { return !passes(err) }, Pause: c.pause}
}

// pause waits for about d.
func (c *Coordinator) pause(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d/2 + rand.N(d)):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-c.closed:
		return coord.ErrClosed
	}
}

func (c *Coordinator) get(ctx context.Context, path string) answer {
	return c.keepAsking(ctx, func() (a answer) {
		a.data, a.stat, a.err = c.conn.Get(path)
		return a
	})
}

func (c *Coordinator) list(ctx context.Context, path string) answer {
	return c.keepAsking(ctx, func() (a answer) {
		a.children, a.stat, a.err = c.conn.Children(path)
		return a
	})
}

// create makes a node, and the persistent ones above it where they are missing.
func (c *Coordinator) create(path string, data []byte, flags int32) (string, error) {
	made, err := c.conn.Create(path, data, flags, c.acl)
	if !errors.Is(err, zk.ErrNoNode) {
		return made, err
	}
	for at := 1; ; {
		next := strings.IndexByte(path[at:], '/')
		if next < 0 {
			return c.conn.Create(path, data, flags, c.acl)
		}
		at += next
		if _, err := c.conn.Create(path[:at], nil, 0, c.acl); err != nil && !errors.Is(err, zk.ErrNodeExists) {
			return "", err
		}
		at++
	}
}

// erase removes a node of a session again and again until it is surely gone. find says whether it
// is there, and which version; it returns no path when there is nothing to remove.
func (c *Coordinator) erase(session int64, find func() (path string, version int32, err error)) {
	passes := func(err error) bool { return connection(err) || errors.Is(err, zk.ErrBadVersion) }
	var path string
	err := c.patiently(passes).Do(context.Background(), func() (err error) {
		var version int32
		if path, version, err = find(); err == nil && path != "" {
			err = c.conn.Delete(path, version)
		}
		if id := c.conn.SessionID(); errors.Is(err, zk.ErrNoNode) || id != 0 && id != session {
			return nil // the node is gone, alone or with its session
		}
		return err
	})
	if err != nil && !errors.Is(err, coord.ErrClosed) {
		c.log.Error("giving a lease back failed; it will end with the session", "node", path, telemetry.Err, err)
	}
}
