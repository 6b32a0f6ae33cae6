package zk

import (
	"context"
	"sync"
	"time"

	"cloudcanvas/cloud/coord"
)

// term is the time during which a session is surely alive on the servers. It ends by itself when no
// proof of life has come for long enough, on this process's own monotonic clock.
//
// The servers end a session no sooner than its timeout after they last heard from it. So a request
// that was answered proves the session until its sending + timeout, and work stops at its sending +
// 2/3 of that: the last third is for stopping, and for clocks that run unequally. Counting from
// StateDisconnected, as is common, is not enough: where packets vanish silently the client sees the
// loss only 2/3 of a timeout later, and 2/3 after that the servers have long given the node away.
type term struct {
	context.Context
	session int64 // the id
	end     context.CancelCauseFunc

	mu    sync.Mutex
	until time.Time
	timer *time.Timer
}

func newTerm(session int64, until time.Time) *term {
	t := &term{session: session, until: until}
	t.Context, t.end = context.WithCancelCause(context.Background())
	t.timer = time.AfterFunc(time.Until(until), t.check)
	return t
}

// extend proves the term until then.
func (t *term) extend(until time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if until.After(t.until) && time.Now().Before(t.until) {
		t.until = until
		t.timer.Reset(time.Until(until))
	}
}

// check ends the term when its time is over.
func (t *term) check() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.Context.Err() == nil && !time.Now().Before(t.until) {
		t.end(coord.ErrLost)
	}
}

// over ends the term now.
func (t *term) over(why error) {
	t.end(why)
	t.timer.Stop()
}

// Err asks the clock: a process that was stopped (SIGSTOP, a suspended machine) learns from it that
// the term is over even before the timers have run.
func (t *term) Err() error {
	t.check()
	return t.Context.Err()
}

// held is a holder's ctx: it ends with the caller's and with the term.
type held struct {
	context.Context
	term   *term
	cancel context.CancelCauseFunc
}

func hold(ctx context.Context, t *term) (h held, release func()) {
	h.term = t
	h.Context, h.cancel = context.WithCancelCause(ctx)
	stop := context.AfterFunc(t.Context, func() { h.cancel(context.Cause(t)) })
	return h, func() {
		stop()
		h.cancel(context.Canceled)
	}
}

// Err is not nil as soon as the term is over.
func (h held) Err() error {
	if h.term.Err() != nil {
		h.cancel(context.Cause(h.term))
	}
	return h.Context.Err()
}
