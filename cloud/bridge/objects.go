package bridge

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// object is something for the store.
type object struct {
	key  string
	data []byte
}

func objectKey(i *event.Item) string {
	if i.Epoch == "" {
		return fmt.Sprintf("items/%s/%s", i.Edge, i.ID)
	}
	return fmt.Sprintf("items/%s/%s/%d-%s", i.Edge, i.Epoch, i.Seq, i.ID)
}

// storeParts puts the parts that are among messages into the store, beside each other.
func (s *session) storeParts(ctx context.Context, messages []*message) error {
	var objects []object
	for _, m := range messages {
		if m.err != nil || m.item.Kind != event.Part {
			continue
		}
		id := parts.IdentityOf(&m.item)
		if !s.Slots.Carries(id.Edge) || !s.wantsPart(m) {
			continue
		}
		var (
			a     *parts.Assembly
			stale []string
		)
		err := s.retry(ctx, "looking for the parts of an item", func() (err error) {
			a, stale, err = s.parts.Open(ctx, &m.item)
			return retriable(err)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			m.err = err
			continue
		}
		if len(stale) > 0 {
			s.Logger.Info("an item comes in other parts than before; its assembly begins anew", "edge", id.Edge, "epoch", id.Epoch, "seq", id.Seq, "parts", a.Of)
			s.remove(ctx, stale...) // before the new ones are written: they may be among them
		}
		m.stored = true // when this returns
		if a.Missing(m.item.Attrs.Part) {
			objects = append(objects, object{a.Key(m.item.Attrs.Part), m.item.Data})
		}
	}
	return s.store(ctx, objects)
}

// maxConcurrentPuts is how many objects are written at a time.
const maxConcurrentPuts = 8

// store writes objects until each is safe.
func (s *session) store(ctx context.Context, objects []object) error {
	if len(objects) == 0 {
		return nil
	}
	return s.retry(ctx, "writing to the object store", func() error {
		var (
			mu     sync.Mutex
			failed []object
			first  error
			all    sync.WaitGroup
			slots  = make(chan struct{}, maxConcurrentPuts)
		)
		for _, o := range objects {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if err := s.Objects.Put(ctx, o.key, o.data); err != nil {
					mu.Lock()
					defer mu.Unlock()
					failed = append(failed, o)
					first = errors.Join(first, fmt.Errorf("%s: %w", o.key, err))
				}
			})
		}
		all.Wait()
		objects = failed
		return first
	})
}

// flush puts the objects that a batch has so far into the store.
func (s *session) flush(ctx context.Context, b *batch) error {
	if err := s.store(ctx, b.objects); err != nil {
		return err
	}
	b.objects, b.objectBytes = nil, 0
	return nil
}

// giveUp lets go of unfinished items: their edge gets a receipt that nothing of them is held, and sends all of
// them again when their turn comes.
func (s *session) giveUp(ctx context.Context, why dedup.Bound, gone []*parts.Assembly) {
	for _, a := range gone {
		s.metrics.givenUp.Inc()
		if s.dedup.ShouldLog(a.ID.Edge, why) {
			s.Logger.Warn("the bridge gives up the parts of an unfinished item: "+why.Explain(), "edge", a.ID.Edge, "epoch", a.ID.Epoch, "seq", a.ID.Seq, "parts", len(a.Parts()), "of", a.Of, "bytes", a.Bytes)
		}
		s.dedup.Lose(a.Cut)
		s.discard(ctx, a.ID)
	}
}

// discard lets go of the parts of an item that is settled.
func (s *session) discard(ctx context.Context, id parts.Identity) {
	s.remove(ctx, s.parts.Discard(id)...)
}

// remove deletes objects. What stays behind costs room, not truth.
func (s *session) remove(ctx context.Context, keys ...string) {
	for _, key := range keys {
		if err := s.Objects.Delete(ctx, key); err != nil && ctx.Err() == nil {
			s.Logger.Warn("a part of an item could not be deleted and stays in the object store", "key", key, telemetry.Err, err)
		}
	}
}
