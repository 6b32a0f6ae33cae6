package telemetry

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Progress counts steps of real work: a loop that came round, a message that went out. The
// watchdog is fed only when it has moved, so that a hung pipeline is restarted although its
// process still breathes.
type Progress struct {
	steps atomic.Uint64
	seen  uint64 // by Moved
}

// Step says that something moved.
func (p *Progress) Step() { p.steps.Add(1) }

// Moved says whether there was a step since the last call. One caller only.
func (p *Progress) Moved() bool {
	now := p.steps.Load()
	moved := now != p.seen
	p.seen = now
	return moved
}

// NotifyReady tells systemd (Type=notify) that the service is up. Without systemd it does nothing.
func NotifyReady(status string) {
	daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+status)
}

// NotifyStopping tells systemd that the service is on its way down.
func NotifyStopping() { daemon.SdNotify(false, daemon.SdNotifyStopping) }

// Moving is met by *Progress, for a process of one loop, and by *Hands.
type Moving interface {
	// Moved says whether all is well since the last call.
	Moved() bool
}

// Watchdog feeds systemd's watchdog at half its interval as long as p moves, until ctx ends. A
// process's loops must step at least once in that time even when idle.
func Watchdog(ctx context.Context, p Moving) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if p.Moved() {
				daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}
