package mosaic

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
)

// follow reads every partition of a topic from where it is committed.
func (m *Mosaic) follow(ctx context.Context, topic string, readers *errgroup.Group, entries chan<- queue.Entry) error {
	partitions := 0
	err := m.retry(ctx, "looking for topic "+topic, func() (err error) {
		partitions, err = m.Queue.Partitions(ctx, topic)
		return err
	})
	if err != nil {
		return err
	}
	for p := range partitions {
		readers.Go(func() error { return m.read(ctx, topic, p, entries) })
	}
	return nil
}

func (m *Mosaic) read(ctx context.Context, topic string, partition int, entries chan<- queue.Entry) error {
	next := int64(-1)
	return m.retry(ctx, fmt.Sprintf("reading %s partition %d", topic, partition), func() (err error) {
		if next < 0 {
			if next, err = m.Queue.Committed(ctx, topic, partition); err != nil {
				next = -1
				return err
			}
		}
		err = m.Queue.Read(ctx, topic, partition, next, func(some []queue.Entry) error {
			for _, e := range some {
				if e.Offset < next {
					continue
				}
				if err := m.loadSafely(ctx, &e); err != nil {
					return err
				}
				select {
				case entries <- e:
				case <-ctx.Done():
					return ctx.Err()
				}
				next = e.Offset + 1
			}
			return nil
		})
		if err == nil {
			err = errors.New("the reader of the topic ended")
		}
		return err
	})
}

// loadSafely is load, where a panic is the entry's own fault.
func (m *Mosaic) loadSafely(ctx context.Context, e *queue.Entry) error {
	err := crashguard.Shield(func() error { return m.load(ctx, e) })
	var panicked *crashguard.Panic
	if errors.As(err, &panicked) {
		m.metrics.panics.Inc()
		e.Err = err
		return nil
	}
	return err
}

// load fetches data that rests in the object store and checks what is there. What is wrong with
// an entry is said in it; the error is ctx's.
func (m *Mosaic) load(ctx context.Context, e *queue.Entry) error {
	if e.Err != nil || e.Topic == event.DLQTopic || !concerns(&e.Item) {
		return nil
	}
	if ref := e.Item.Attrs.DataRef; ref != "" && staysAway(&e.Item) {
		return nil // it is checked when it is read
	}
	if ref := e.Item.Attrs.DataRef; ref != "" {
		err := m.retry(ctx, "fetching from the object store", func() (err error) {
			e.Item.Data, err = m.Objects.Get(ctx, ref)
			if errors.Is(err, fs.ErrNotExist) {
				e.Err = fmt.Errorf("the object store has no %q", ref)
				return nil
			}
			if errors.Is(err, event.ErrTooLarge) { // however often it is asked for
				e.Err = err
				return nil
			}
			return err
		})
		if err != nil || e.Err != nil {
			return err
		}
		e.Item.Attrs.DataRef = ""
	}
	e.Err = e.Item.Verify()
	return nil
}

// concerns says whether an item has to do with products at all.
func concerns(i *event.Item) bool {
	switch i.Kind {
	case event.Scene, event.Track:
		return true
	case event.Frame, event.Crop:
		return i.Attrs.Want == ""
	case event.Result:
		// What workers found in other pictures is for those who read canvas.results.
		return i.Attrs.Scene != "" || i.Epoch != "" || isSecondLook(i)
	}
	return false
}

// keyOf is the record that an entry is about.
func keyOf(e *queue.Entry) (k key, ok bool) {
	i := &e.Item
	dead := e.Topic == event.DLQTopic
	if dead && i.Kind != event.Tile && !asksSecondLook(i) {
		return k, false
	}
	if i.Attrs.Scene != "" {
		return key{sceneProduct, i.Edge, i.Attrs.Scene}, true
	}
	if i.Kind == event.Scene {
		return key{sceneProduct, i.Edge, i.Subject}, i.Subject != ""
	}
	return key{cameraProduct, i.Edge, i.Stream}, i.Stream != "" && (!dead || asksSecondLook(i))
}
