package zk

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"

	"github.com/go-zookeeper/zk"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/telemetry"
)

// maxDocument is below the server's limit of a node, 1 MiB (jute.maxbuffer).
const maxDocument = 900 << 10

// Document is a small shared value with versions: ZooKeeper's, counted from 1.
func (c *Coordinator) Document(name string) coord.Document { return &document{c, name} }

// Documents lists the documents directly below a path.
func (c *Coordinator) Documents(ctx context.Context, below string) ([]string, error) {
	if err := coord.CheckPath(below); err != nil {
		return nil, fmt.Errorf("listing documents: %w", err)
	}
	a := c.list(ctx, c.path(below))
	if a.err != nil && !errors.Is(a.err, zk.ErrNoNode) {
		return nil, fmt.Errorf("listing documents below %s: %w", below, a.err)
	}
	slices.Sort(a.children)
	return a.children, nil
}

type document struct {
	c    *Coordinator
	name string
}

func (d *document) path() string { return d.c.path(d.name) }

func (d *document) Get(ctx context.Context) ([]byte, int64, error) {
	if err := coord.CheckPath(d.name); err != nil {
		return nil, 0, fmt.Errorf("reading a document: %w", err)
	}
	a := d.c.get(ctx, d.path())
	if errors.Is(a.err, zk.ErrNoNode) {
		return nil, 0, nil
	}
	if a.err != nil {
		return nil, 0, fmt.Errorf("reading document %s: %w", d.name, a.err)
	}
	return a.data, int64(a.stat.Version) + 1, nil
}

func (d *document) Put(ctx context.Context, value []byte, version int64) (int64, error) {
	if err := coord.CheckPath(d.name); err != nil {
		return 0, fmt.Errorf("writing a document: %w", err)
	}
	if len(value) > maxDocument || version < 0 || version > math.MaxInt32 {
		return 0, fmt.Errorf("writing document %s: %d bytes at version %d: %d bytes are the limit", d.name, len(value), version, maxDocument)
	}
	for {
		a := d.c.ask(ctx, func() (a answer) {
			if version == 0 {
				_, a.err = d.c.create(d.path(), value, 0)
				return a
			}
			a.stat, a.err = d.c.conn.Set(d.path(), value, int32(version-1))
			return a
		})
		switch {
		case a.err == nil:
			return version + 1, nil
		case errors.Is(a.err, zk.ErrNodeExists), errors.Is(a.err, zk.ErrBadVersion), errors.Is(a.err, zk.ErrNoNode):
			return 0, fmt.Errorf("writing document %s: %w", d.name, coord.ErrChanged)
		case !connection(a.err):
			return 0, fmt.Errorf("writing document %s: %w", d.name, a.err)
		}
		// It may have been written: then it stands there, one version on.
		if err := d.c.pause(ctx, d.c.dial.session()/50); err != nil {
			return 0, err
		}
		now, at, err := d.Get(ctx)
		if err != nil {
			return 0, err
		}
		if at == version+1 && bytes.Equal(now, value) {
			return at, nil
		}
		if at != version {
			return 0, fmt.Errorf("writing document %s: %w", d.name, coord.ErrChanged)
		}
	}
}

func (d *document) Watch(ctx context.Context) (<-chan []byte, error) {
	if err := coord.CheckPath(d.name); err != nil {
		return nil, fmt.Errorf("watching a document: %w", err)
	}
	out := make(chan []byte)
	d.c.work.Go(func() {
		defer close(out)
		d.follow(ctx, out)
	})
	return out, nil
}

// follow reads the document anew whenever its watch fires: on a change, or because the session that
// kept the watch is gone.
func (d *document) follow(ctx context.Context, out chan<- []byte) {
	sent := int64(-1)
	for ctx.Err() == nil && !d.c.isClosed() {
		a := d.c.keepAsking(ctx, func() (a answer) {
			a.data, a.stat, a.watch, a.err = d.c.conn.GetW(d.path())
			if errors.Is(a.err, zk.ErrNoNode) {
				var there bool
				there, a.stat, a.watch, a.err = d.c.conn.ExistsW(d.path())
				if a.data = nil; a.err == nil && there { // made in between
					a.data, a.stat, a.watch, a.err = d.c.conn.GetW(d.path())
				} else if a.err == nil {
					a.stat = nil
				}
			}
			return a
		})
		if a.err != nil {
			if ctx.Err() == nil && !d.c.isClosed() {
				d.c.log.Error("watching a document in ZooKeeper failed; this process tries again", "document", d.name, telemetry.Err, a.err)
				d.c.pause(ctx, d.c.dial.session())
			}
			continue
		}
		version := int64(0)
		if a.stat != nil {
			version = int64(a.stat.Version) + 1
		}
		send := out
		if version == sent {
			send = nil
		}
		for fired := false; !fired; {
			select {
			case send <- a.data:
				send, sent = nil, version
			case <-a.watch:
				fired = true
			case <-ctx.Done():
				return
			case <-d.c.closed:
				return
			}
		}
	}
}
