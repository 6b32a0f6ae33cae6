// Package edge is the device side: from a lens to a committed item, and over the link.
//
//	scenes  ─▶ windows ─▶ screen ───────────────▶ tiles, quicklook, manifest ─┐
//	cameras ─▶ frames ──▶ screen ─▶ detect ─────▶ alerts, tracks, detections ─┼▶ outbox ─▶ uplink ─▶ cloud
//	sensors ─▶ readings ─▶ rules ───────────────▶ readings, windows, alerts ──┘     ▲         │
//	                                                                                ├─receipts┤
//	                         read again, made urgent, captured now ◀── queries ◀─── ┴─ ask  ─┘
//
// Each source has a lane of its own, a goroutine that takes its pictures all the way into the
// outbox; the outbox's room is what holds a lane up. One lane's fault is that lane's alone.
package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/power"
	"cloudcanvas/edge/uplink"
	"cloudcanvas/edge/uplink/link"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Parts are what an agent is made of.
type Parts struct {
	Models     *model.Repository
	ModelStore *modelupdate.Store // of versions from the cloud; nil: none are taken
	Version    string
	Log        *slog.Logger
	Metrics    prometheus.Registerer // may be nil
	Memory     *budget.Bytes         // of all decoders of the process; nil: as configured
	// Attempts is the process's ledger where the agent is not alone in it; the agent closes it. nil: it
	// has its own.
	Attempts *crashguard.Guard
	// End lets videos and cameras end in good order once it is closed; may be nil.
	End <-chan struct{}
	// Done hears of each source that has ended: how many pictures, in what time, and the reason where
	// it failed. May be nil.
	Done func(source string, pictures int64, took time.Duration, err error)
}

// Agent is a device's pipeline.
type Agent struct {
	config   Config
	memory   *budget.Bytes // of all decoders
	parts    Parts
	log      *slog.Logger
	box      *outbox.Outbox
	link     *link.Link
	uplink   *uplink.Uplink
	sending  *telemetry.Hand // the uplink's
	local    *local
	networks *networks
	attempts *crashguard.Guard
	lanes    []lane
	hands    telemetry.Hands
	ground   *ground
	scenes   *sceneIndex
	requests captureRequests
	queries  *queries
	taker    *modelupdate.Updater // of models from the cloud; nil: none are taken
	power    *power.Watch         // nil: it is not watched
	trace    *trace.Tracer        // nil: nobody hears of spans
	finite   sync.WaitGroup
	videos   []*capture.Video
	cameras  cameras
	states   states
	lost     lost
	messages map[string]func() capture.DeviceCounts // of the device's own broker
}

// lane takes one source's pictures into the outbox.
type lane struct {
	name   string
	finite bool
	run    func(context.Context) (pictures int64, err error)
}

// Open opens the buffer, the link, the networks and the sources; nothing moves before Run.
func Open(ctx context.Context, c Config, p Parts) (_ *Agent, err error) {
	if p.Memory == nil {
		p.Memory = budget.New(c.DecodeBytes)
	}
	a := &Agent{config: c, parts: p, memory: p.Memory, log: p.Log.With(telemetry.Edge, c.Edge)}
	a.hands.Log = a.log
	a.cameras.news = make(chan struct{}, 1)
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	a.networks = &networks{config: c.Models, models: p.Models, store: p.ModelStore, log: a.log, spare: max(c.Detect.InFlight, 2), open: map[string]*loaded{}}
	a.trace, err = trace.Open(ctx, trace.Options{Endpoint: c.Telemetry.OTLPEndpoint, Service: "canvas-edge", Instance: c.Edge, Version: p.Version, Log: a.log})
	if err != nil {
		return nil, err
	}
	if err := a.openAttempts(); err != nil {
		return nil, err
	}
	if c.Power.Enabled {
		a.power = power.New(c.Power, a.log)
	}
	if a.box, err = outbox.Open(c.OutboxFolder(), c.Edge, c.Outbox, a.log); err != nil {
		return nil, err
	}
	if err := a.makeLanes(ctx); err != nil { // with the local broker's clients, which ask the buffer at once
		return nil, err
	}
	if a.ground != nil {
		a.ground.life = a.box.DatabaseID()
	}
	a.link, err = link.Dial(ctx, link.Options{URL: c.Cloud.URL, ClientID: c.Cloud.ClientID, Security: c.Cloud.Security,
		Edge: c.Edge, Buffer: a.box, Version: p.Version, Cameras: a.liveCameras, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.uplink, err = uplink.New(a.box, a.link, c.Uplink, uplink.Options{Step: func() { a.sending.Step() }, Log: a.log, Metrics: p.Metrics, StateFile: c.folder("uplink.json"), Broker: brokerName(c.Cloud.URL), Trace: a.trace})
	if err != nil {
		return nil, err
	}
	a.queries = newQueries(a.buffer(), a.scenes, &a.requests, a.log)
	a.link.Down(event.DownQuery, a.queries.receive)
	if err := a.takeModels(); err != nil {
		return nil, err
	}
	return a, a.register(p.Metrics)
}

// Run lets everything flow until ctx ends, or until it is to begin anew with other models
// (modelupdate.ErrChanged).
func (a *Agent) Run(ctx context.Context) error {
	a.sending = a.hands.Loop("uplink")
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, a.attempts.Stopping)()
	group.Go(func() error { return a.uplink.Run(ctx) })
	group.Go(func() error { a.expire(ctx, a.box.Expire); return nil })
	group.Go(func() error { a.report(ctx, a.box.Report); return nil })
	group.Go(func() error { return a.lookOut(ctx) })
	group.Go(func() error { a.queries.run(ctx); return nil })
	group.Go(func() error { a.tellLink(ctx); return nil })
	group.Go(func() error { a.tellTroubles(ctx); return nil })
	group.Go(func() error { a.tellCameras(ctx); return nil })
	group.Go(func() error { telemetry.Watchdog(ctx, &a.hands); return nil })
	if a.taker != nil {
		group.Go(func() error { return a.taker.Run(ctx) })
	}
	if a.power != nil {
		group.Go(func() error { a.power.Run(ctx); return nil })
	}
	for _, l := range a.lanes {
		group.Go(func() error { a.follow(ctx, l); return nil })
	}
	return group.Wait()
}

// lookOut ends the agent when its buffer turns out to be corrupt: a new start salvages it.
func (a *Agent) lookOut(ctx context.Context) error {
	select {
	case <-a.box.Corrupt():
		return errors.New("the buffer is corrupt: start again to have it salvaged")
	case <-ctx.Done():
		return nil
	}
}

// follow runs a lane to its end. What goes wrong in it is told, and leaves the others alone.
func (a *Agent) follow(ctx context.Context, l lane) {
	if l.finite {
		defer a.finite.Done()
	}
	start := time.Now()
	pictures, err := l.run(ctx)
	if ctx.Err() != nil {
		return
	}
	if err != nil {
		a.log.Error("a source has ended", telemetry.Stream, l.name, telemetry.Err, err)
	}
	if a.parts.Done != nil {
		a.parts.Done(l.name, pictures, time.Since(start), err)
	}
}

// ledgerEvery is how often expired items go and drops are reported.
const ledgerEvery = 2 * time.Second

// expire lets expired items go. The outbox's owner answers it in its turn: while it does, the outbox
// does not hang.
func (a *Agent) expire(ctx context.Context, expire func(context.Context) (int, error)) {
	hand := a.hands.Loop("outbox")
	a.keepLedger(ctx, func() error {
		_, err := expire(ctx)
		hand.Step()
		return err
	})
}

// report tells the cloud of drops. It waits where the buffer has no room for the report, which must
// not keep expired items from making some.
func (a *Agent) report(ctx context.Context, report func(context.Context) (int, error)) {
	a.keepLedger(ctx, func() error { _, err := report(ctx); return err })
}

func (a *Agent) keepLedger(ctx context.Context, keep func() error) {
	tick := time.NewTicker(ledgerEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if err := keep(); err != nil && ctx.Err() == nil && !errors.Is(err, outbox.ErrDisk) { // that is told once
			a.log.Warn("keeping the ledger of drops", telemetry.Err, err)
		}
	}
}

// Drained waits until every finite source has ended and every item is received or in the ledger.
func (a *Agent) Drained(ctx context.Context) error {
	ended := make(chan struct{})
	go func() { a.finite.Wait(); close(ended) }()
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	for tick := time.NewTicker(10 * time.Millisecond); ; {
		if s := a.box.Stats(); s.Waiting == 0 {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d items still wait for their receipt: %w", a.box.Stats().Waiting, ctx.Err())
		}
	}
}

// buffer is the outbox as lanes see it.
func (a *Agent) buffer() box { return box{a.box, a.shed, a.log, a.trace} }

// Stats counts the items of the buffer.
func (a *Agent) Stats() outbox.Stats { return a.box.Stats() }

// Quarantined counts the inputs that are left out because they killed the process.
func (a *Agent) Quarantined() int { return a.attempts.Quarantined() }

// Epoch is the one in which is committed now.
func (a *Agent) Epoch() event.Epoch { return a.box.Epoch() }

// Knows says whether an epoch is one of this buffer's.
func (a *Agent) Knows(epoch event.Epoch) bool { return a.box.Knows(epoch) }

// tellTroubles tells the cloud at once when the buffer has a trouble, or is rid of one, or begins
// another epoch.
func (a *Agent) tellTroubles(ctx context.Context) {
	for {
		select {
		case <-a.box.Changed():
			a.link.Announce(ctx)
		case <-ctx.Done():
			return
		}
	}
}

// Close gives back what Open took.
func (a *Agent) Close() {
	if a.link != nil {
		a.link.Close()
	}
	if a.box != nil {
		a.box.Close()
	}
	if a.local != nil {
		a.local.close()
	}
	a.networks.close()
	if a.attempts != nil {
		a.attempts.Close()
	}
	a.trace.Close()
}

// Ready says whether the device can deliver now, and if not, why.
func (a *Agent) Ready() error {
	select {
	case <-a.link.Up():
		return nil
	default:
		return errors.New("no connection to the cloud's broker; items wait in the buffer")
	}
}
