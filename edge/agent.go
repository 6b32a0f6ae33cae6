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
	// Done is called for each source that has ended: how many pictures, in what time, and the reason where
	// it failed. May be nil.
	Done func(source string, pictures int64, took time.Duration, err error)
}

// Agent is what runs on a device.
type Agent struct {
	config    Config
	memory    *budget.Bytes // of all decoders
	parts     Parts
	log       *slog.Logger
	outbox    *outbox.Outbox
	link      *link.Link
	uplink    *uplink.Uplink
	sending   *telemetry.Probe // the uplink's
	local     *local
	networks  *networks
	attempts  *crashguard.Guard
	pipelines []pipeline
	liveness  telemetry.Liveness
	changes   *sceneChange // nil: tiles are not compared with earlier ones
	scenes    *sceneIndex
	requests  captureRequests
	queries   *queries
	updates   *modelupdate.Updater // of models from the cloud; nil: none are taken
	power     *power.Watch         // nil: it is not watched
	trace     *trace.Tracer        // nil: nothing is traced
	finite    sync.WaitGroup
	videos    []*capture.Video
	cameras   cameras
	states    streamStates
	shedding  shedding
	messages  map[string]func() capture.DeviceCounts // of the device's own broker
}

// Open opens the buffer, the link, the networks and the sources; nothing moves before Run.
func Open(ctx context.Context, c Config, p Parts) (_ *Agent, err error) {
	if p.Memory == nil {
		p.Memory = budget.New(c.DecodeBytes)
	}
	a := &Agent{config: c, parts: p, memory: p.Memory, log: p.Log.With(telemetry.Edge, c.Edge)}
	a.liveness.Log = a.log
	a.cameras.news = make(chan struct{}, 1)
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	a.networks = &networks{config: c.Models, models: p.Models, carried: c.folder("carried-models"), store: p.ModelStore, log: a.log, spare: max(c.Detect.InFlight, 2), open: map[string]*loadedModel{}}
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
	if a.outbox, err = outbox.Open(c.OutboxFolder(), c.Edge, c.Outbox, a.log); err != nil {
		return nil, err
	}
	if err := a.openSources(ctx); err != nil { // with the local broker's clients, which ask the buffer at once
		return nil, err
	}
	if a.changes != nil {
		a.changes.database = a.outbox.DatabaseID()
	}
	trust, err := c.Cloud.trust(c.Edge)
	if err != nil {
		return nil, err
	}
	a.link, err = link.Dial(ctx, link.Options{Trust: trust, URL: c.Cloud.URL, ClientID: c.Cloud.ClientID, Security: c.Cloud.Security,
		Edge: c.Edge, Buffer: a.outbox, Version: p.Version, Cameras: a.liveCameras, Log: a.log})
	if err != nil {
		return nil, err
	}
	a.uplink, err = uplink.New(a.outbox, a.link, c.Uplink, uplink.Options{Step: func() { a.sending.Step() }, Log: a.log, Metrics: p.Metrics, StateFile: c.folder("uplink.json"), Broker: brokerName(c.Cloud.URL), Trace: a.trace})
	if err != nil {
		return nil, err
	}
	a.queries = newQueries(a.buffer(), a.scenes, &a.requests, a.log)
	a.link.Down(event.DownQuery, a.queries.receive)
	if err := errors.Join(a.acceptModels(), a.acceptViews()); err != nil {
		return nil, err
	}
	return a, a.register(p.Metrics)
}

// Run runs everything until ctx ends, or until the agent must restart with other models
// (modelupdate.ErrChanged).
func (a *Agent) Run(ctx context.Context) error {
	a.sending = a.liveness.Loop("uplink")
	group, ctx := errgroup.WithContext(ctx)
	defer context.AfterFunc(ctx, a.attempts.Stopping)()
	group.Go(func() error { return a.uplink.Run(ctx) })
	group.Go(func() error { a.expire(ctx, a.outbox.Expire); return nil })
	group.Go(func() error { a.report(ctx, a.outbox.Report); return nil })
	group.Go(func() error { return a.watchBuffer(ctx) })
	group.Go(func() error { a.queries.run(ctx); return nil })
	group.Go(func() error { a.reportLink(ctx); return nil })
	group.Go(func() error { a.reportTroubles(ctx); return nil })
	group.Go(func() error { a.reportCameras(ctx); return nil })
	group.Go(func() error {
		(&certificateWatch{security: a.config.Cloud.Security, edge: a.config.Edge, log: a.log}).run(ctx)
		return nil
	})
	group.Go(func() error { telemetry.Watchdog(ctx, &a.liveness); return nil })
	if a.updates != nil {
		group.Go(func() error { return a.updates.Run(ctx) })
	}
	if a.changes != nil && a.changes.shared != nil {
		group.Go(func() error { a.changes.shared.Run(ctx); return nil })
	}
	if a.power != nil {
		group.Go(func() error { a.power.Run(ctx); return nil })
	}
	for _, p := range a.pipelines {
		group.Go(func() error { a.follow(ctx, p); return nil })
	}
	return group.Wait()
}

// watchBuffer ends the agent when its buffer turns out to be corrupt: a new start salvages it.
func (a *Agent) watchBuffer(ctx context.Context) error {
	select {
	case <-a.outbox.Corrupt():
		return errors.New("the buffer is corrupt: restart the agent, which then salvages what it can read of it")
	case <-ctx.Done():
		return nil
	}
}

// follow runs a pipeline to its end. What goes wrong in it is logged, and leaves the others alone.
func (a *Agent) follow(ctx context.Context, p pipeline) {
	if p.finite {
		defer a.finite.Done()
	}
	start := time.Now()
	pictures, err := p.run(ctx)
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && p.finite && pictures > 0:
		a.log.Error("a source could not be read wholly", telemetry.Stream, p.name, telemetry.Err, err)
	case err != nil:
		a.log.Error("a source has failed and is not read any further", telemetry.Stream, p.name, telemetry.Err, err)
	}
	if a.parts.Done != nil {
		a.parts.Done(p.name, pictures, time.Since(start), err)
	}
}

// ledgerEvery is how often expired items go and drops are reported.
const ledgerEvery = 2 * time.Second

// expire drops expired items. The outbox's goroutine answers it in its turn: while it does, the outbox
// does not hang.
func (a *Agent) expire(ctx context.Context, expire func(context.Context) (int, error)) {
	probe := a.liveness.Loop("outbox")
	a.keepLedger(ctx, func() error {
		_, err := expire(ctx)
		probe.Step()
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
		if err := keep(); err != nil && ctx.Err() == nil && !errors.Is(err, outbox.ErrDisk) { // which the outbox logs once
			a.log.Warn("the ledger of drops can't be brought up to date; the agent tries again", telemetry.Err, err)
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
		if s := a.outbox.Stats(); s.Waiting == 0 {
			tick.Stop()
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d items still wait for their receipt: %w", a.outbox.Stats().Waiting, ctx.Err())
		}
	}
}

// Close gives back what Open took.
func (a *Agent) Close() {
	if a.link != nil {
		a.link.Close()
	}
	if a.outbox != nil {
		a.outbox.Close()
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

// Stats counts the items of the buffer.
func (a *Agent) Stats() outbox.Stats { return a.outbox.Stats() }

// Quarantined counts the inputs that are left out because they killed the process.
func (a *Agent) Quarantined() int { return a.attempts.Quarantined() }

// Epoch is the one in which is committed now.
func (a *Agent) Epoch() event.Epoch { return a.outbox.Epoch() }

// Knows says whether an epoch is one of this buffer's.
func (a *Agent) Knows(epoch event.Epoch) bool { return a.outbox.Knows(epoch) }
