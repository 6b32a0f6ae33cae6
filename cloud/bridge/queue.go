package bridge

import (
	"context"
	"slices"
	"strings"
	"sync"

	"cloudcanvas/shared/mqtt"
)

// queue holds what has come and is not settled yet, bounded in messages and bytes. When it is full
// the intake waits, and with it the MQTT broker: also for those behind, as there is one session for
// all. So an edge that has filled its share of the queue while others are in it is refused what is
// beyond: such a message keeps its place, for its PUBACK, but not its payload.
type queue struct {
	mu       sync.Mutex
	waiting  []mqtt.Message
	messages int   // waiting or being worked on
	bytes    int64 // of those
	limit    room
	share    room // of one edge while others are there
	edges    map[string]*shared
	spare    *shared           // one that is not needed now
	refused  func(edge string) // called for each message that is refused
	came     chan struct{}     // something is waiting
	freed    chan struct{}     // there is room again
}

// room is so many messages with so many bytes.
type room struct {
	messages int
	bytes    int64
}

// shared is what one edge holds of the queue.
type shared struct {
	room
	refusing bool // until it holds half of its share, so that runs of messages are refused rather than every other one
}

func newQueue(messages int, bytes int64, share float64, refused func(edge string)) *queue {
	return &queue{
		limit: room{messages, bytes}, share: room{max(1, int(share*float64(messages))), int64(share * float64(bytes))},
		edges: map[string]*shared{}, refused: refused,
		came: make(chan struct{}, 1), freed: make(chan struct{}, 1),
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// size is what a message counts for: its bytes, and what surrounds them in memory.
func size(m mqtt.Message) int64 { return int64(len(m.Payload) + len(m.Topic) + 256) }

// edgeOf is whose topic that is, without a look at the rest of it; "" where it is no edge's.
func edgeOf(topic string) string {
	rest, ours := strings.CutPrefix(topic, "canvas/v1/")
	edge, _, more := strings.Cut(rest, "/")
	if !ours || !more {
		return ""
	}
	return edge
}

// isRefused says whether nothing is left of a message but its place in the order of PUBACKs.
func isRefused(m mqtt.Message) bool { return m.Topic == "" }

// put waits for room. A message larger than everything there is room
// for is let in when it is alone, so that it can become a dead letter.
func (q *queue) put(ctx context.Context, m mqtt.Message) {
	edge := edgeOf(m.Topic)
	for {
		q.mu.Lock()
		if !isRefused(m) && q.refuses(edge, m) {
			m.Topic, m.Payload = "", nil
			q.refused(edge)
		}
		if q.messages == 0 || q.messages < q.limit.messages && q.bytes+size(m) <= q.limit.bytes {
			q.waiting = append(q.waiting, m)
			q.messages++
			q.bytes += size(m)
			q.hold(m, edge)
			q.mu.Unlock()
			signal(q.came)
			signal(q.freed) // there may be room for another who waits
			return
		}
		q.mu.Unlock()
		select {
		case <-q.freed:
		case <-ctx.Done():
			return // not acknowledged: it will come again
		}
	}
}

// refuses says whether an edge has its share of the queue already. Its status is small
// and always let in.
func (q *queue) refuses(edge string, m mqtt.Message) bool {
	s := q.edges[edge]
	if s == nil || len(q.edges) == 1 || strings.HasSuffix(m.Topic, "/status") {
		return false
	}
	if s.refusing {
		s.refusing = s.messages > q.share.messages/2 || s.bytes > q.share.bytes/2
	} else {
		s.refusing = s.messages >= q.share.messages || s.bytes+size(m) > q.share.bytes
	}
	return s.refusing
}

func (q *queue) hold(m mqtt.Message, edge string) {
	if isRefused(m) {
		return
	}
	s := q.edges[edge]
	if s == nil {
		if s = q.spare; s == nil {
			s = &shared{}
		}
		q.spare = nil
		q.edges[edge] = s
	}
	s.messages++
	s.bytes += size(m)
}

func (q *queue) letGo(m mqtt.Message) {
	q.messages--
	q.bytes -= size(m)
	if isRefused(m) {
		return
	}
	edge := edgeOf(m.Topic)
	s := q.edges[edge]
	s.messages--
	s.bytes -= size(m)
	if s.messages == 0 {
		s.refusing = false
		delete(q.edges, edge)
		q.spare = s
	}
}

// take gives what is waiting, in order, up to those bounds but at least one if there is any.
func (q *queue) take(messages int, bytes int64) []mqtt.Message {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := 0
	for ; n < len(q.waiting) && n < messages; n++ {
		if bytes -= size(q.waiting[n]); bytes < 0 && n > 0 {
			break
		}
	}
	if n == 0 {
		return nil
	}
	taken := slices.Clone(q.waiting[:n])
	clear(q.waiting[:n]) // payloads are not held on to by what is behind the slice
	if n == len(q.waiting) {
		q.waiting = nil
	} else {
		q.waiting = q.waiting[n:]
		signal(q.came)
	}
	return taken
}

// done makes room for what was settled.
func (q *queue) done(messages []*message) {
	q.mu.Lock()
	for _, l := range messages {
		q.letGo(l.Message)
	}
	q.mu.Unlock()
	signal(q.freed)
}

// clear forgets what is waiting: its connection is gone, and it will come again.
func (q *queue) clear() {
	q.mu.Lock()
	for _, m := range q.waiting {
		q.letGo(m)
	}
	q.waiting = nil
	q.mu.Unlock()
	signal(q.freed)
}

// held is what is in the bridge and not settled.
func (q *queue) held() (messages int, bytes int64) {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages, q.bytes
}
