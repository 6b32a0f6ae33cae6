package capture

import (
	"context"
	"slices"
	"sync"
)

// newest stands between a live source and a pipeline that may be slower: it holds the newest few
// pictures of each stream and lets go of the oldest when another comes. Drops are counted where
// they happen; nothing behind the outbox is ever dropped this way.
type newest struct {
	depth   int   // pictures held of each stream
	most    int64 // bytes held of all streams; 0: not bounded
	dropped func(stream string)

	mu    sync.Mutex
	queue []Picture // oldest first, from head on
	head  int
	held  map[string]int
	bytes int64
	ready chan struct{}
}

func newNewest(depth int, most int64, dropped func(stream string)) *newest {
	return &newest{depth: max(depth, 1), most: most, dropped: dropped,
		held: map[string]int{}, ready: make(chan struct{}, 1)}
}

func pictureBytes(p Picture) int64 { return int64(len(p.payload) + len(p.Image.Pix)) }

// put never blocks.
func (n *newest) put(p Picture) {
	n.mu.Lock()
	if n.held[p.Stream] >= n.depth {
		n.let(n.head + slices.IndexFunc(n.queue[n.head:], func(q Picture) bool { return q.Stream == p.Stream }))
	}
	for n.most > 0 && n.bytes+pictureBytes(p) > n.most && len(n.queue) > n.head {
		n.let(n.head)
	}
	n.queue = append(n.queue, p)
	n.held[p.Stream]++
	n.bytes += pictureBytes(p)
	n.mu.Unlock()
	select {
	case n.ready <- struct{}{}:
	default:
	}
}

// let goes of the picture at that place, counted: whoever sent it need not send it again.
func (n *newest) let(at int) {
	p := n.remove(at)
	if p.Release != nil {
		p.Release()
	}
	if p.Committed != nil {
		p.Committed()
	}
	n.dropped(p.Stream)
}

func (n *newest) remove(at int) Picture {
	p := n.queue[at]
	copy(n.queue[n.head+1:at+1], n.queue[n.head:at]) // most often the oldest: nothing to move
	n.queue[n.head] = Picture{}
	n.head++
	n.held[p.Stream]--
	n.bytes -= pictureBytes(p)
	if n.head*2 >= len(n.queue) {
		n.queue = slices.Delete(n.queue, 0, n.head)
		n.head = 0
	}
	return p
}

// next takes the oldest picture that is held; false if there is none.
func (n *newest) next() (Picture, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.head == len(n.queue) {
		return Picture{}, false
	}
	return n.remove(n.head), true
}

// drain passes on what comes until ctx ends, or until the source is done and all is passed on.
func (n *newest) drain(ctx context.Context, done <-chan struct{}, emit func(context.Context, Picture) error) error {
	for {
		for p, ok := n.next(); ok; p, ok = n.next() {
			if err := ctx.Err(); err != nil {
				return err
			}
			if err := emit(ctx, p); err != nil {
				return err
			}
		}
		select {
		case <-n.ready:
		case <-ctx.Done():
			return ctx.Err()
		case <-done:
			if n.empty() {
				return nil
			}
		}
	}
}

func (n *newest) empty() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.head == len(n.queue)
}
