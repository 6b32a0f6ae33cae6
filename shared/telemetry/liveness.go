package telemetry

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Liveness says whether a process works, by a probe in each thing that it does at once: loops, pipelines,
// native calls. A probe that is idle is well; a busy one must step between two looks; one that waits for
// what may take any time, such as room in a full buffer, is well too. So systemd's watchdog is fed by an
// idle process, and not by one that hangs although it still breathes.
type Liveness struct {
	Log *slog.Logger

	mu     sync.Mutex
	probes []*Probe
	hung   []string
}

// Probe watches one of them. Safe for concurrent use; several works at once may share it.
type Probe struct {
	name  string
	works atomic.Int64 // under way, less those that wait
	steps atomic.Uint64
	seen  uint64      // steps at the last look
	idle  bool        // whether it was idle then
	check func() bool // instead of steps: whether it hangs
}

// Probe is another probe, idle.
func (l *Liveness) Probe(name string) *Probe { return l.add(&Probe{name: name}) }

// Loop is a probe that is always busy: it must step, also when there is nothing to do.
func (l *Liveness) Loop(name string) *Probe {
	p := &Probe{name: name}
	p.works.Add(1)
	return l.add(p)
}

// Check adds what another part of the process watches by itself: hangs says whether it does.
func (l *Liveness) Check(name string, hangs func() bool) { l.add(&Probe{name: name, check: hangs}) }

func (l *Liveness) add(p *Probe) *Probe {
	l.mu.Lock()
	defer l.mu.Unlock()
	p.idle = true
	l.probes = append(l.probes, p)
	return p
}

// Step says that something moved.
func (p *Probe) Step() { p.steps.Add(1) }

// Work says that there is something to do, until done is called.
func (p *Probe) Work() (done func()) { return p.during(1) }

// Wait says that work is held up by what is watched elsewhere, until done is called.
func (p *Probe) Wait() (done func()) { return p.during(-1) }

func (p *Probe) during(works int64) (done func()) {
	p.works.Add(works)
	return func() {
		p.works.Add(-works)
		p.Step()
	}
}

// hangs says whether the probe was busy at the last look and has not stepped since.
func (p *Probe) hangs() bool {
	if p.check != nil {
		return p.check()
	}
	steps, idle := p.steps.Load(), p.works.Load() <= 0
	hangs := !idle && !p.idle && steps == p.seen
	p.seen, p.idle = steps, idle
	return hangs
}

// Alive says whether nothing has hung since the last call, and logs what does. One caller only.
func (l *Liveness) Alive() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var hung []string
	for _, p := range l.probes {
		if p.hangs() {
			hung = append(hung, p.name)
		}
	}
	if l.Log != nil && !slices.Equal(hung, l.hung) {
		if len(hung) > 0 {
			l.Log.Error("parts of this service hang; systemd's watchdog gets no signal until they move again, and restarts the service if that takes too long", "parts", hung)
		} else {
			l.Log.Info("all parts of this service move again")
		}
	}
	l.hung = hung
	return len(hung) == 0
}

// NotifyReady tells systemd (Type=notify) that the service is up. Without systemd it does nothing.
func NotifyReady(status string) {
	daemon.SdNotify(false, daemon.SdNotifyReady+"\nSTATUS="+status)
}

// NotifyStopping tells systemd that the service is on its way down.
func NotifyStopping() { daemon.SdNotify(false, daemon.SdNotifyStopping) }

// Watchdog feeds systemd's watchdog at half its interval as long as l is alive, until ctx ends. A
// process's loops must step at least once in that time even when idle.
func Watchdog(ctx context.Context, l *Liveness) {
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
			if l.Alive() {
				daemon.SdNotify(false, daemon.SdNotifyWatchdog)
			}
		}
	}
}
