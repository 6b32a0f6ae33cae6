package capture

import (
	"context"
	"sync"
)

// newest stands between a live source and a pipeline that may be slower: it holds the newest few
// pictures of each stream and lets go of the oldest when another comes. Drops are counted where
// they happen; nothing behind the outbox is ever dropped this way.
type newest struct {
	depth   int // pictures held of each stream
	dropped func(stream string)

	mu    sync.Mutex
	queue []Picture
	ready chan struct{}
}

func newNewest(depth int, dropped func(stream string)) *newest {
	return &newest{depth: max(depth, 1), dropped: dropped, ready: make(chan struct{}, 1)}
}

// put never blocks.
func (n *newest) put(p Picture) {
	var old Picture
	var full bool
	n.mu.Lock()
	held, first := 0, -1
	for i := range n.queue {
		if n.queue[i].Stream == p.Stream {
			if first < 0 {
				first = i
			}
			held++
		}
	}
	if full = held >= n.depth; full {
		old = n.queue[first]
		copy(n.queue[first:], n.queue[first+1:])
		n.queue = n.queue[:len(n.queue)-1]
	}
	n.queue = append(n.queue, p)
	n.mu.Unlock()
	select {
	case n.ready <- struct{}{}:
	default:
	}
	if full {
		if old.Release != nil {
			old.Release()
		}
		n.dropped(old.Stream)
	}
}

// next takes the oldest picture that is held; false if there is none.
func (n *newest) next() (Picture, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.queue) == 0 {
		return Picture{}, false
	}
	p := n.queue[0]
	copy(n.queue, n.queue[1:])
	n.queue[len(n.queue)-1] = Picture{}
	n.queue = n.queue[:len(n.queue)-1]
	return p, true
}

// drain hands on what comes until ctx ends, or until the source is done and all is handed on.
func (n *newest) drain(ctx context.Context, done <-chan struct{}, emit func(context.Context, Picture) error) error {
	for {
		p, ok := n.next()
		if ok {
			if err := emit(ctx, p); err != nil {
				return err
			}
			continue
		}
		select {
		case <-n.ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			if p, ok := n.next(); ok { // put just before the end
				if err := emit(ctx, p); err != nil {
					return err
				}
				continue
			}
			return nil
		}
	}
}
