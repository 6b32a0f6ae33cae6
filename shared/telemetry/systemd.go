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
type Progress struct{ steps atomic.Uint64 }

// Step says that something moved.
func (p *Progress) Step() { p.steps.Add(1) }

// NotifyReady tells systemd (Type=notify) that the service is up. Without systemd it does nothing.
func NotifyReady(status string) {
	daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+status)
}

// NotifyStopping tells systemd that the service is on its way down.
func NotifyStopping() { daemon.SdNotify(false, daemon.SdNotifyStopping) }

// Watchdog feeds systemd's watchdog at half its interval as long as p moves, until ctx ends. The
// process's loops must step at least once in that time even when idle.
func Watchdog(ctx context.Context, p *Progress) {
	interval, err := daemon.SdWatchdogEnabled(false)
	if err != nil || interval == 0 {
		return
	}
	tick := time.NewTicker(interval / 2)
	defer tick.Stop()
	var last uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			if now := p.steps.Load(); now != last {
				last = now
				daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}
