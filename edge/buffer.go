package edge

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// draft is an item to be, and the key of an earlier one that it makes needless.
type draft struct {
	outbox.Draft
	supersedes string // empty: none
}

// buffer is what pipelines need of the outbox.
type buffer interface {
	// Commit makes drafts items, and waits while there is no room.
	Commit(ctx context.Context, drafts ...draft) error
	// Submit is Commit for live sources: where there is no room the least valuable is dropped.
	Submit(ctx context.Context, drafts ...draft) error
	// WaitsUnder says whether what was committed with that key still waits for its receipt.
	WaitsUnder(key string) bool
	// Raise makes what waits with that subject as urgent as that, and says how much that is.
	Raise(ctx context.Context, subject string, to event.Priority) (int, error)
}

// outboxBuffer is the outbox as a buffer.
type outboxBuffer struct {
	*outbox.Outbox
	shed func(ctx context.Context, stream string, err error) error // of live sources
	log  *slog.Logger

	trace *trace.Tracer
}

func (b outboxBuffer) Commit(ctx context.Context, drafts ...draft) error {
	began := time.Now()
	b.traceNew(drafts)
	for _, d := range drafts {
		if d.Key != "" {
			if err := commitPatiently(ctx, b.Outbox, d.Draft, b.log); err != nil {
				return err
			}
		}
	}
	var plain []outbox.Draft
	for _, d := range drafts {
		if d.Key == "" {
			plain = append(plain, d.Draft)
		}
	}
	if _, err := b.Outbox.Commit(ctx, plain...); err != nil {
		return err
	}
	b.traceCommit(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

func (b outboxBuffer) Submit(ctx context.Context, drafts ...draft) error {
	began := time.Now()
	b.traceNew(drafts)
	answers := make([]<-chan outbox.Answer, len(drafts))
	for i, d := range drafts {
		answers[i] = b.Outbox.Submit(ctx, d.Draft)
	}
	var failed error
	for i, answer := range answers {
		if err := (<-answer).Err; err != nil {
			failed = errors.Join(failed, b.shed(ctx, drafts[i].Stream, err))
			drafts[i].supersedes = "" // the earlier one is all there is
		}
	}
	if failed != nil {
		return failed
	}
	b.traceCommit(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

// Record commits what readings became and marks, all or nothing, and tries until it is done: only the
// end of ctx or of the buffer is an error.
func (b outboxBuffer) Record(ctx context.Context, drafts []draft, marks []outbox.Mark) error {
	began := time.Now()
	b.traceNew(drafts)
	plain := make([]outbox.Draft, len(drafts))
	for i, d := range drafts {
		plain[i] = d.Draft
	}
	err := retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.Is(err, outbox.ErrClosed) },
		Tell: func(err error) bool {
			b.log.Warn("readings can't be committed to the buffer; the local broker keeps them until they can", telemetry.Err, err)
			return true
		}}.Do(ctx, func() error {
		_, err := b.CommitMarked(ctx, plain, marks)
		return err
	})
	if err != nil {
		return err
	}
	b.traceCommit(drafts, began)
	b.withdraw(ctx, drafts)
	return nil
}

// withdraw takes back what drafts supersede, now that they are durable themselves. Where that fails
// the earlier ones are sent as well, which is no loss.
func (b outboxBuffer) withdraw(ctx context.Context, drafts []draft) {
	var keys []string
	for _, d := range drafts {
		if d.supersedes != "" {
			keys = append(keys, d.supersedes)
		}
	}
	if len(keys) == 0 {
		return
	}
	if _, err := b.Withdraw(ctx, keys...); err != nil && ctx.Err() == nil {
		b.log.Warn("items that newer ones replace could not be withdrawn from the buffer; they are sent all the same", telemetry.Err, err)
	}
}

// buffer is the outbox as pipelines see it.
func (a *Agent) buffer() outboxBuffer { return outboxBuffer{a.outbox, a.shed, a.log, a.trace} }

// commitPatiently commits a keyed draft of a source that can wait, also for a disk that is full: the
// key makes it one item however often it is tried.
func commitPatiently(ctx context.Context, to committer, d outbox.Draft, log *slog.Logger) error {
	return retry.Task{First: firstWait, Most: mostWait,
		Final: func(err error) bool { return errors.Is(err, outbox.ErrClosed) || errors.Is(err, outbox.ErrTooLarge) },
		Tell: func(err error) bool {
			log.Warn("an item can't be committed to the buffer; the agent tries until it can", telemetry.Stream, d.Stream, "subject", d.Subject, telemetry.Err, err)
			return true
		}}.Do(ctx, func() error {
		_, err := to.Commit(ctx, d)
		return err
	})
}

// Waits between tries to commit what can wait.
const (
	firstWait = 250 * time.Millisecond
	mostWait  = 30 * time.Second
)

// committer is the part of the outbox that commitPatiently asks.
type committer interface {
	Commit(ctx context.Context, drafts ...outbox.Draft) ([]event.Item, error)
}

// shedding counts the items of live sources that the outbox could not take.
type shedding struct {
	count  atomic.Int64
	warned atomic.Int64 // when, Unix nanoseconds
}

// shed decides what a live source does about an item that could not be committed, as on a full disk:
// it goes on without it, counted, with a warning at most every ten seconds. The error is for those that can't
// go on.
func (a *Agent) shed(ctx context.Context, stream string, err error) error {
	if ctx.Err() != nil || errors.Is(err, outbox.ErrClosed) {
		return err
	}
	n := a.shedding.count.Add(1)
	if errors.Is(err, outbox.ErrDisk) {
		return nil // the outbox warns of its disk once, and says at the end how much that was
	}
	now, warned := time.Now().UnixNano(), a.shedding.warned.Load()
	if now-warned > int64(10*time.Second) && a.shedding.warned.CompareAndSwap(warned, now) {
		a.log.Warn("an item of a live source could not be committed and is lost", telemetry.Stream, stream, "shed", n, telemetry.Err, err)
	}
	return nil
}

// captured begins a picture's trace. A picture that does not say when its reading began was there at
// once. It gives "" where nothing is traced.
func captured(t *trace.Tracer, p capture.Picture) (parent string) {
	if !t.On() {
		return ""
	}
	now := time.Now()
	from := p.Began
	if from.IsZero() {
		from = now
	}
	attrs := []trace.Attr{{Key: "canvas.stream", Text: p.Stream}, {Key: "canvas.frame", Number: p.Frame}, {Key: "canvas.time", Text: p.At.UTC().Format(time.RFC3339Nano)}}
	if p.Tile != nil {
		attrs = append(attrs, trace.Attr{Key: "canvas.tile", Text: p.Tile.Name()})
	}
	return t.Span("", trace.Capture, from, now, attrs...)
}

// traceCommit traces drafts' way into the buffer. What belongs to no traced picture (a reading, a
// manifest) has begun its trace in traceNew.
func (b outboxBuffer) traceCommit(drafts []draft, from time.Time) {
	if !b.trace.On() {
		return
	}
	now := time.Now()
	for _, d := range drafts {
		b.trace.Span(d.Attrs.TraceParent, trace.Commit, from, now, describe(d.Draft)...)
	}
}

func (b outboxBuffer) traceNew(drafts []draft) {
	if !b.trace.On() {
		return
	}
	now := time.Now()
	for i := range drafts {
		if d := &drafts[i]; d.Attrs.TraceParent == "" {
			d.Attrs.TraceParent = b.trace.Span("", trace.Capture, now, now, describe(d.Draft)...)
		}
	}
}

func describe(d outbox.Draft) []trace.Attr {
	return []trace.Attr{{Key: "canvas.kind", Text: string(d.Kind)}, {Key: "canvas.stream", Text: d.Stream}, {Key: "canvas.subject", Text: d.Subject},
		{Key: "canvas.bytes", Number: int64(len(d.Data))}}
}
