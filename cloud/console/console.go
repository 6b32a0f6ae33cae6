package console

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/console/products"
	"cloudcanvas/cloud/console/request"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/attempt"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
)

// Parts are what a console is made of. Log and Products must be there.
type Parts struct {
	Log      Log
	Products string // folder
	Objects  index.Objects
	Statuses Statuses
	Group    live.Group
	Stories  Stories            // nil: the story of an item is not told
	Models   live.Models        // nil: there are none to change
	Dead     deadletter.Actions // without a Group nothing can be decided about dead letters
	Attempts *attempt.Ledger    // of this process; nil: a record that kills it kills it again
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
	config   Config
	index    *index.Index
	audit    *auth.Audit
	box      letterBox
	products *products.Folder
	cluster  *live.ClusterView
	models   *live.ModelsView
	device   *live.DeviceView
	guard    *auth.Guard
	refuser  *request.Refuser
	pages    pages
	started  time.Time
	now      func() time.Time
	stopping chan struct{} // closed when open streams have to end
	stats    *stats
	telling  chan struct{} // a place for each story that is being told
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
	k := &Console{Parts: p, config: c, started: time.Now(), now: time.Now, stopping: make(chan struct{}), telling: make(chan struct{}, storiesAtOnce)}
	k.refuser = &request.Refuser{Log: p.Logger, Statuses: map[error]int{index.ErrUnknown: http.StatusNotFound, errCannot: http.StatusConflict, live.ErrRefused: http.StatusConflict},
		Page: func(w http.ResponseWriter, r *http.Request, p request.Problem) { k.show(w, r, p.Status, "problem", p) }}
	defer func() {
		if err != nil {
			k.Close()
		}
	}()
	if k.index, err = index.Open(ctx, index.Options{Folder: c.Data, Log: p.Log, Objects: p.Objects, Attempts: p.Attempts, Disk: p.Disk, Logger: p.Logger, Step: p.Step, Skipped: k.skipped, Every: p.lookEvery,
		Keep: index.Bounds{Events: c.KeepEvents, Readings: c.KeepReadings, Scenes: c.KeepScenes, PictureBytes: c.PictureBytes}}); err != nil {
		return nil, err
	}
	if k.audit, err = auth.OpenAudit(c.Data, p.Disk, p.Logger); err != nil {
		return nil, err
	}
	k.guard, err = auth.New(auth.Options{TokensFile: c.TokensFile, OIDC: c.OIDC, PublicURL: c.PublicURL, Loopback: c.Loopback(), RequestsPerSecond: c.RequestsPerSecond,
		Audit: k.audit, Refuser: k.refuser, Now: k.now, Log: p.Logger,
		LoginPage: func(w http.ResponseWriter, r *http.Request, status int, ways auth.Ways) {
			k.show(w, r, status, "login", ways)
		}})
	if err != nil {
		return nil, err
	}
	if !c.Loopback() && (!k.guard.Login() || c.Cert == "") {
		return nil, fmt.Errorf("the console does not listen on %s without TLS and a login: set console.cert, console.key and console.tokens_file or console.oidc, or listen on 127.0.0.1", c.Listen)
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
	if k.pages, err = parsePages(); err != nil {
		return nil, err
	}
	if k.stats, err = newStats(p.Metrics, k); err != nil {
		return nil, err
	}
	k.box.actions, k.box.log, k.box.audit = p.Dead, p.Log, k.audit
	k.cluster = live.NewClusterView(p.Log, p.Group, p.Device, k.index)
	k.models = live.NewModelsView(live.ModelsOptions{Models: p.Models, Audit: k.audit, Notices: k.index.Notices, Log: p.Logger})
	k.device = live.NewDeviceView(p.Device)
	return k, nil
}

func (k *Console) skipped(topic string, err error) {
	k.stats.passed.WithLabelValues(topic).Inc()
	var panicked *attempt.Panic
	if errors.As(err, &panicked) || errors.Is(err, attempt.ErrQuarantined) {
		k.Logger.Error("the console skipped a record that made it fail", telemetry.Topic, topic, telemetry.Err, err)
		return
	}
	k.Logger.Debug("the console skipped a record that it can't show", telemetry.Topic, topic, telemetry.Err, err)
}

// Run follows Kafka and serves until ctx ends. ready hears of the address once it listens; it may be
// nil.
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
	group.Go(func() error { return k.followDecisions(ctx) })
	group.Go(func() error { return k.index.Follow(ctx) })
	if k.Statuses != nil {
		k.Statuses.Subscribe(event.StatusFilter, 1, func(m mqtt.Message) { k.heardStatus(ctx, m) })
	}
	return group.Wait()
}

// heardStatus takes in what an edge says of itself.
func (k *Console) heardStatus(ctx context.Context, m mqtt.Message) {
	edge, err := event.ParseStatusTopic(m.Topic)
	if err != nil {
		return
	}
	s, err := event.ParseStatus(m.Payload)
	if err != nil {
		k.Logger.Debug("a status can't be read", telemetry.Topic, m.Topic, telemetry.Err, err)
		return
	}
	s.Edge = edge
	if err := k.index.TakeStatus(ctx, s); err != nil && ctx.Err() == nil && !k.Disk.Blames(err) {
		k.Logger.Warn("an edge's status is not noted", telemetry.Edge, edge, telemetry.Err, err)
	}
}

func (k *Console) listen() (net.Listener, string, error) {
	listener, err := net.Listen("tcp", k.config.Listen)
	if err != nil {
		return nil, "", fmt.Errorf("listen for people on %s: %w (choose another console.listen)", k.config.Listen, err)
	}
	if k.config.Cert == "" {
		return listener, "http://" + listener.Addr().String() + "/", nil
	}
	encryption, err := security.ServerTLS(k.config.Cert, k.config.Key, "")
	if err != nil {
		listener.Close()
		return nil, "", fmt.Errorf("the console's certificate: %w", err)
	}
	encryption.NextProtos = []string{"h2", "http/1.1"}
	return tls.NewListener(listener, encryption), "https://" + listener.Addr().String() + "/", nil
}

// shutdown is how long answers in hand may take when the console stops.
const shutdown = 3 * time.Second

func (k *Console) serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler: k.Handler(), ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(k.Logger.Handler(), slog.LevelDebug),
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		close(k.stopping)
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdown)
		defer cancel()
		if server.Shutdown(patience) != nil {
			server.Close()
		}
	})
	err := server.Serve(listener)
	if !stop() {
		<-stopped
	}
	if !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve people: %w", err)
	}
	return nil
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
