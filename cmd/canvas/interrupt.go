package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"cloudcanvas/edge"
	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/security"
)

// interrupted lets a job with videos outlive a first interrupt: that closes end, so that its videos and
// cameras end in good order and what came becomes products. A second one ends the context. Other jobs
// end at once. leave is called when the job is done.
func (j job) interrupted(ctx context.Context, w *watch) (_ context.Context, end <-chan struct{}, leave func()) {
	if len(j.videos) == 0 {
		return ctx, nil, func() {}
	}
	lasting, cancel := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan struct{})
	go func() {
		select {
		case <-ctx.Done():
		case <-lasting.Done():
			return
		}
		w.tell("interrupted: videos and cameras end here, and what came is finished; interrupt again to leave it")
		close(ended)
		select {
		case <-time.After(oneInterrupt):
		case <-lasting.Done():
			return
		}
		again := make(chan os.Signal, 1)
		signal.Notify(again, os.Interrupt, syscall.SIGTERM)
		defer signal.Stop(again)
		select {
		case <-again:
			cancel()
		case <-lasting.Done():
		}
	}()
	return lasting, ended, cancel
}

// oneInterrupt is how long further signals count as the same interrupt: timeout(1), for one, signals its
// child and then the child's whole group.
const oneInterrupt = time.Second

// tellLive says of each live camera which one it is and how it ends.
func (w *watch) tellLive(c edge.Config) {
	for _, cam := range c.Cameras {
		switch {
		case !capture.Live(cam.Address):
		case cam.Length > 0:
			w.tell("%s: %s is live: it is followed for %s; Ctrl-C ends it earlier, and what came is kept", cam.Name, security.Redact(cam.Address), cam.Length)
		default:
			w.tell("%s: %s is live: Ctrl-C ends it (or --length 10m), and what came is kept", cam.Name, security.Redact(cam.Address))
		}
	}
}
