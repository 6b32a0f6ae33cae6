package bridge

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/telemetry"
)

// Decisions is the part of coord.Coordinator that holds what operators have decided.
type Decisions interface {
	Document(name string) coord.Document
}

// decisions are what this bridge knows of them now.
type decisions struct {
	blocked atomic.Pointer[blocklist.List]
	putBack atomic.Pointer[[]kafka.Record] // what the commit loop has not taken in yet

	mu   sync.Mutex
	said map[string]bool // blocked edges that a line has named
}

func (d *decisions) isBlocked(edge string) bool {
	l := d.blocked.Load()
	return l != nil && l.Has(edge)
}

// followDecisions watches the documents until what it gives is called.
func (b *Bridge) followDecisions(ctx context.Context) (end func()) {
	if b.Decisions == nil {
		return func() {}
	}
	ctx, stop := context.WithCancel(ctx)
	var all sync.WaitGroup
	known := make(chan struct{})
	heard := sync.OnceFunc(func() { close(known) })
	all.Go(func() {
		b.follow(ctx, blocklist.Name, func(document []byte) {
			b.heardBlocked(document)
			heard()
		})
	})
	all.Go(func() { b.follow(ctx, deadletter.PutBackName, b.heardPutBack) })
	select { // nobody who is blocked slips in while the bridge starts
	case <-known:
	case <-time.After(blockedPatience):
		b.Logger.Warn("which edges are blocked is not known yet, beginning without")
	case <-ctx.Done():
	}
	return func() {
		stop()
		all.Wait()
	}
}

// blockedPatience is how long a bridge that starts waits for the list of blocked edges.
const blockedPatience = 5 * time.Second

// follow watches one document for as long as ctx lasts.
func (b *Bridge) follow(ctx context.Context, name string, heard func([]byte)) {
	for said := false; ctx.Err() == nil; {
		values, err := b.Decisions.Document(name).Watch(ctx)
		if err == nil {
			said = false
			for v := range values {
				heard(v)
			}
		} else if ctx.Err() == nil && !said {
			said = true
			b.Logger.Warn("what operators decide can't be followed, trying again", "document", name, telemetry.Err, err)
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
		}
	}
}

func (b *Bridge) heardBlocked(document []byte) {
	l, err := blocklist.Parse(document)
	if err != nil {
		b.Logger.Error("the list of blocked edges can't be read; the last one holds", telemetry.Err, err)
		return
	}
	before := b.told.blocked.Swap(&l)
	b.told.mu.Lock()
	defer b.told.mu.Unlock()
	maps.DeleteFunc(b.told.said, func(edge string, _ bool) bool { return !l.Has(edge) })
	if before == nil {
		return
	}
	for _, edge := range slices.Sorted(maps.Keys(*before)) {
		if !l.Has(edge) {
			b.Logger.Info("an edge is let in again", telemetry.Edge, edge)
		}
	}
}

func (b *Bridge) heardPutBack(document []byte) {
	records, err := deadletter.Announced(document)
	if err != nil {
		b.Logger.Warn("what operators have put back can't be read; a repeat of it is recognised after the next start", telemetry.Err, err)
		return
	}
	b.told.putBack.Store(&records)
}

// learn takes the numbers of what operators have put into Kafka into the book.
func (s *shift) learn() {
	records := s.told.putBack.Swap(nil)
	if records == nil {
		return
	}
	for _, r := range *records {
		if err := s.found(r); err != nil {
			s.Logger.Warn("an item that was put back is not noted", telemetry.Err, err)
		}
	}
}

// turnAway marks what comes from edges that are blocked.
func (s *shift) turnAway(letters []*letter) []*letter {
	if l := s.told.blocked.Load(); l == nil || len(*l) == 0 {
		return letters
	}
	for _, l := range letters {
		if !s.told.isBlocked(edgeNamed(l.Topic)) {
			continue
		}
		if l.status != nil {
			l.status = &event.Status{}
		} else {
			l.err, l.item.Data = errBlocked, nil
		}
	}
	return letters
}

// refuseBlocked counts a message of a blocked edge, and says so once.
func (s *shift) refuseBlocked(topic string) {
	edge := edgeNamed(topic)
	s.metrics.blocked.count(edge)
	s.told.mu.Lock()
	defer s.told.mu.Unlock()
	if s.told.said[edge] {
		return
	}
	if s.told.said == nil {
		s.told.said = map[string]bool{}
	}
	s.told.said[edge] = true
	s.Logger.Warn("messages of a blocked edge are refused and counted; it gets no receipts and keeps its items", telemetry.Edge, edge)
}

// namedEdges is how many edges a metric names; all others count together.
const namedEdges = 256

// byEdge is a counter by edge whose labels are bounded.
type byEdge struct {
	*prometheus.CounterVec
	mu    sync.Mutex
	named map[string]bool
}

func newByEdge(name, help string, labels ...string) *byEdge {
	return &byEdge{CounterVec: prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, append([]string{"edge"}, labels...)), named: map[string]bool{}}
}

func (c *byEdge) count(edge string, labels ...string) {
	c.mu.Lock()
	if !c.named[edge] && len(c.named) >= namedEdges {
		edge = otherEdges
	} else {
		c.named[edge] = true
	}
	c.mu.Unlock()
	c.WithLabelValues(append([]string{edge}, labels...)...).Inc()
}
