package mosaic

import (
	"context"
	"time"

	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// partition is a partition of a topic.
type partition struct {
	topic     string
	partition int
}

// progress is how far each partition was read, and how far that was committed.
type progress struct{ next, committed map[partition]int64 }

func newProgress() progress {
	return progress{next: map[partition]int64{}, committed: map[partition]int64{}}
}

func (p progress) pass(at partition, offset int64) { p.next[at] = max(p.next[at], offset+1) }

// safe is the offset from which a restarted mosaic must read: that of the first entry of what is
// still open, or else the next one.
func (p progress) safe(at partition, open map[key]*record) int64 {
	offset := p.next[at]
	for _, r := range open {
		if first, ok := r.holds[at]; ok {
			offset = min(offset, first)
		}
	}
	return offset
}

// commit records what need not be read again. It is tried at every tick, so a failure is only logged.
func (m *Mosaic) commit(ctx context.Context) {
	for at := range m.progress.next {
		safe := m.progress.safe(at, m.open)
		if safe <= m.progress.committed[at] {
			continue
		}
		if err := m.Queue.Commit(ctx, at.topic, at.partition, safe); err != nil {
			if ctx.Err() == nil {
				m.Log.Warn("the mosaic could not commit an offset, and tries again", "topic", at.topic, "partition", at.partition, "offset", safe, telemetry.Err, err)
			}
			continue
		}
		m.progress.committed[at] = safe
	}
}

// retry does something until it succeeds or ctx ends. It logs once that it fails and once that it
// works again.
func (m *Mosaic) retry(ctx context.Context, what string, do func() error) error {
	return retry.Task{First: 50 * time.Millisecond, Most: 5 * time.Second,
		Tell: func(err error) bool {
			if m.Disk.Blames(err) {
				return false
			}
			m.Log.Warn(what+" fails; the mosaic tries again until it works", telemetry.Err, err)
			return true
		},
		Works: func(after time.Duration, told bool) {
			if told {
				m.Log.Info(what+" works again", "after", after.Round(time.Millisecond))
			}
		}}.Do(ctx, do)
}

// finished is what canvas.products says of a complete product, so that what is read a second time
// does not take its place.
type finished struct {
	of      string
	epoch   event.Epoch
	through uint64
}

// recall learns from canvas.products what is finished.
func (m *Mosaic) recall(ctx context.Context) error {
	return m.retry(ctx, "reading finished products", func() error {
		return eachProduct(ctx, m.Queue, func(e queue.Entry, p Product) {
			m.remember(p)
			m.folders.locate(e, p)
		})
	})
}

func (m *Mosaic) remember(p Product) {
	k := key{p.Kind, p.Edge, p.Name}
	if !p.Complete {
		delete(m.finished, k)
		return
	}
	f := finished{of: p.Of}
	if p.Camera != nil {
		f.epoch, f.through = p.Camera.Epoch, p.Camera.Through
	}
	m.finished[k] = f
}
