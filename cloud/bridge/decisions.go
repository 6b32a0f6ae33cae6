package bridge

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/retry"
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

	mu     sync.Mutex
	logged map[string]bool // blocked edges that a line has named
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
	first := sync.OnceFunc(func() { close(known) })
	all.Go(func() {
		b.follow(ctx, blocklist.Name, func(document []byte) {
			b.setBlocked(document)
			first()
		})
	})
	all.Go(func() { b.follow(ctx, deadletter.PutBackName, b.setPutBack) })
	select { // no blocked edge slips in while the bridge starts
	case <-known:
	case <-time.After(blockedPatience):
		b.Logger.Warn("the list of blocked edges is not known yet; the bridge begins without it")
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
func (b *Bridge) follow(ctx context.Context, name string, handle func([]byte)) {
	patiently := retry.Task{First: time.Second, Most: time.Second, Tell: func(err error) bool {
		b.Logger.Warn("a document with what operators decide can't be followed; the bridge tries again", "document", name, telemetry.Err, err)
		return true
	}}
	for {
		var values <-chan []byte
		err := patiently.Do(ctx, func() (err error) {
			values, err = b.Decisions.Document(name).Watch(ctx)
			return err
		})
		if err != nil {
			return
		}
		for v := range values {
			handle(v)
		}
		if retry.Sleep(ctx, time.Second) != nil {
			return
		}
	}
}

func (b *Bridge) setBlocked(document []byte) {
	l, err := blocklist.Parse(document)
	if err != nil {
		b.Logger.Error("the list of blocked edges can't be read; the last one holds", telemetry.Err, err)
		return
	}
	before := b.decided.blocked.Swap(&l)
	b.decided.mu.Lock()
	defer b.decided.mu.Unlock()
	maps.DeleteFunc(b.decided.logged, func(edge string, _ bool) bool { return !l.Has(edge) })
	if before == nil {
		return
	}
	for _, edge := range slices.Sorted(maps.Keys(*before)) {
		if !l.Has(edge) {
			b.Logger.Info("an edge is no longer blocked", telemetry.Edge, edge)
		}
	}
}

func (b *Bridge) setPutBack(document []byte) {
	records, err := deadletter.Announced(document)
	if err != nil {
		b.Logger.Warn("the document of what operators have put back can't be read; a repeat of it is recognised after the next start", telemetry.Err, err)
		return
	}
	b.decided.putBack.Store(&records)
}

// recordPutBack takes the numbers of what operators have put into Kafka into dedup.
func (s *session) recordPutBack() {
	records := s.decided.putBack.Swap(nil)
	if records == nil {
		return
	}
	for _, r := range *records {
		if err := s.recordFound(r); err != nil {
			s.Logger.Warn("an item that was put back could not be recorded; a repeat of it may be written twice", telemetry.Err, err)
		}
	}
}

// markBlocked marks what comes from edges that are blocked.
func (s *session) markBlocked(messages []*message) []*message {
	if l := s.decided.blocked.Load(); l == nil || len(*l) == 0 {
		return messages
	}
	for _, l := range messages {
		if !s.decided.isBlocked(edgeNamed(l.Topic)) {
			continue
		}
		if l.status != nil {
			l.status = &event.Status{}
		} else {
			l.err, l.item.Data = errBlocked, nil
		}
	}
	return messages
}

// refuseBlocked counts a message of a blocked edge, and logs that once.
func (s *session) refuseBlocked(topic string) {
	edge := edgeNamed(topic)
	s.metrics.blocked.count(edge)
	s.decided.mu.Lock()
	defer s.decided.mu.Unlock()
	if s.decided.logged[edge] {
		return
	}
	if s.decided.logged == nil {
		s.decided.logged = map[string]bool{}
	}
	s.decided.logged[edge] = true
	s.Logger.Warn("messages of a blocked edge are refused and counted; it gets no receipts and keeps its items", telemetry.Edge, edge)
}
