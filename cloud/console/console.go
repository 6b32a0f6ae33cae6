// Package console is what people see of the appliance: pages, a REST API, a STAC API and map tiles,
// all read from an index on disk that follows Kafka and can be made anew from it at any time.
//
//	Kafka, MQTT status ─▶ index ─────┬─▶ web ──▶ people
//	cluster, device ────▶ live ──────┤
//	products' folder ───▶ products ──┼─▶ api, stac ──▶ programs
//	what operators do ◀─▶ decisions ─┘
//
// auth stands before all of it. Nothing here is the only copy of anything, except the audit of what
// operators did. This package puts the parts together and serves them.
package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/console/api"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/decisions"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/overview"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/console/stac"
	"cloudcanvas/cloud/console/web"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/telemetry"
)

// Parts are what a console is made of. Log and Products must be there.
type Parts struct {
	Log      Log
	Products string // folder
	Objects  index.Objects
	Statuses Statuses
	Group    live.Group
	Lineage  web.Lineage        // nil: what became of single items can't be shown
	Models   live.Models        // nil: there are none to change
	Dead     deadletter.Actions // without a Group nothing can be decided about dead letters
	Attempts *crashguard.Guard  // of this process; nil: a record that kills it kills it again
	Device   live.Device        // where the console runs beside one
	Version  string
	Logger   *slog.Logger
	Metrics  prometheus.Registerer
	Gatherer prometheus.Gatherer // shown on /metrics
	Step     func()              // called as long as the console moves; for a watchdog
	Disk     index.Disk          // under its own files: what could not be noted is refused; nil: it is never to blame

	lookEvery time.Duration // at Kafka, in tests
}

// Console serves pages and APIs. Close it.
type Console struct {
	Parts
	config    Config
	index     *index.Index
	audit     *auth.Audit
	products  *products.Folder
	cluster   *live.ClusterView
	decisions *decisions.Decisions
	guard     *auth.Guard
	refuser   *request.Refuser
	site      *web.Site
	api       *api.API
	stac      *stac.API
	metrics   *metrics
	stopping  chan struct{} // closed when open streams have to end
}

// New opens the console's index and reads who may come in. Nothing is served before Run.
func New(ctx context.Context, c Config, p Parts) (_ *Console, err error) {
	if p.Logger == nil {
		p.Logger = slog.New(slog.DiscardHandler)
	}
	if p.Step == nil {
		p.Step = func() {}
	}
	if p.Disk == nil {
		p.Disk = noDisk{}
	}
	k := &Console{Parts: p, config: c, metrics: newMetrics(), stopping: make(chan struct{})}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	k.index, err = index.Open(ctx, index.Options{Folder: c.Data, Log: p.Log, Objects: p.Objects, Attempts: p.Attempts, Disk: p.Disk, Logger: p.Logger, Step: p.Step,
		Skipped: k.skipped, Every: p.lookEvery,
		Keep: index.Bounds{Events: c.KeepEvents, Readings: c.KeepReadings, Scenes: c.KeepScenes, PictureBytes: c.PictureBytes}})
	if err != nil {
		return nil, err
	}
	if k.audit, err = auth.OpenAudit(c.Data, p.Disk, p.Logger); err != nil {
		return nil, err
	}
	if err := k.openGuard(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(p.Products, 0o755); err != nil {
		return nil, fmt.Errorf("open the folder of products: %w", err)
	}
	folder, err := filepath.Abs(p.Products)
	if err != nil {
		return nil, fmt.Errorf("open the folder of products: %w", err)
	}
	if k.products, err = products.Open(folder, c.TileBytes); err != nil {
		return nil, err
	}
	if err := k.wire(); err != nil {
		return nil, err
	}
	return k, k.metrics.register(p.Metrics, k)
}

// openGuard reads who may come in, and refuses to let strangers.
func (k *Console) openGuard() (err error) {
	c := k.config
	k.refuser = &request.Refuser{Log: k.Logger,
		Statuses: map[error]int{index.ErrUnknown: http.StatusNotFound, decisions.ErrCannot: http.StatusConflict, live.ErrRefused: http.StatusConflict},
		Page: func(w http.ResponseWriter, r *http.Request, p request.Problem) {
			k.site.Show(w, r, p.Status, "problem", p)
		}}
	k.guard, err = auth.New(auth.Options{TokensFile: c.TokensFile, OIDC: c.OIDC, PublicURL: c.PublicURL, Loopback: c.Loopback(), RequestsPerSecond: c.RequestsPerSecond,
		Audit: k.audit, Refuser: k.refuser, Now: time.Now, Log: k.Logger,
		LoginPage: func(w http.ResponseWriter, r *http.Request, status int, ways auth.Ways) {
			k.site.Show(w, r, status, "login", ways)
		}})
	if err != nil {
		return err
	}
	if !c.Loopback() && (!k.guard.Login() || c.Cert == "") {
		return fmt.Errorf("the console does not listen on %s without TLS and a login: set console.cert, console.key and console.tokens_file or console.oidc, or listen on 127.0.0.1", c.Listen)
	}
	return nil
}

// wire puts together what answers.
func (k *Console) wire() (err error) {
	k.cluster = live.NewClusterView(k.Log, k.Group, k.Device, k.index)
	models := live.NewModelsView(live.ModelsOptions{Models: k.Models, Audit: k.audit, Notices: k.index.Notices, Log: k.Logger})
	device := live.NewDeviceView(k.Device)
	k.decisions = decisions.New(decisions.Options{Actions: k.Dead, Index: k.index, Audit: k.audit, Log: k.Log, Logger: k.Logger})
	state := overview.Overview{Index: k.index, Cluster: k.cluster, Device: device, Decisions: k.decisions, Now: time.Now}
	k.api = api.New(api.Options{Overview: state, Products: k.products, Models: models, Audit: k.audit, Log: k.Log, Refuser: k.refuser})
	k.stac = &stac.API{Scenes: k.index.Scenes, Products: k.products, PublicURL: k.config.PublicURL, OpenAPI: api.OpenAPIMedia, Refuser: k.refuser, Now: time.Now, Log: k.Logger}
	k.site, err = web.New(web.Options{Overview: state, Products: k.products, Models: models, Lineage: k.Lineage, Audit: k.audit, Refuser: k.refuser,
		Login: k.guard.Login, Version: k.Version, Log: k.Logger})
	return err
}

func (k *Console) skipped(topic string, err error) {
	k.metrics.skipped.WithLabelValues(topic).Inc()
	var panicked *crashguard.Panic
	if errors.As(err, &panicked) || errors.Is(err, crashguard.ErrQuarantined) {
		k.Logger.Error("the console skipped a record that made it fail", telemetry.Topic, topic, telemetry.Err, err)
		return
	}
	k.Logger.Debug("the console skipped a record that it can't show", telemetry.Topic, topic, telemetry.Err, err)
}

// Run follows Kafka and serves until ctx ends. ready gets the address once it listens; it may
// be nil.
func (k *Console) Run(ctx context.Context, ready func(url string)) error {
	listener, url, err := k.listen()
	if err != nil {
		return err
	}
	if ready != nil {
		ready(url)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return k.serve(ctx, listener) })
	group.Go(func() error { return k.decisions.Follow(ctx) })
	group.Go(func() error { return k.index.Follow(ctx) })
	if k.Statuses != nil {
		k.Statuses.Subscribe(event.StatusFilter, 1, func(m mqtt.Message) { k.takeStatus(ctx, m) })
	}
	return group.Wait()
}

// takeStatus takes in what an edge says of itself.
func (k *Console) takeStatus(ctx context.Context, m mqtt.Message) {
	edge, err := event.ParseStatusTopic(m.Topic)
	if err != nil {
		return
	}
	s, err := event.ParseStatus(m.Payload)
	if err != nil {
		k.Logger.Debug("the console can't read the status of an edge", telemetry.Topic, m.Topic, telemetry.Err, err)
		return
	}
	s.Edge = edge
	if err := k.index.TakeStatus(ctx, s); err != nil && ctx.Err() == nil && !k.Disk.Blames(err) {
		k.Logger.Warn("the console could not keep the status of an edge", telemetry.Edge, edge, telemetry.Err, err)
	}
}

// Close gives back what New took.
func (k *Console) Close() {
	if k.products != nil {
		k.products.Close()
	}
	if k.audit != nil {
		k.audit.Close()
	}
	if k.index != nil {
		k.index.Close()
	}
}

// noDisk is never to blame.
type noDisk struct{}

func (noDisk) Blames(error) bool { return false }
func (noDisk) Err() error        { return nil }
