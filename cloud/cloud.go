package cloud

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/intake"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/assign"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/cloud/delivery"
	"cloudcanvas/cloud/mosaic"
	mosaicnative "cloudcanvas/cloud/mosaic/native"
	"cloudcanvas/cloud/references"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cloud/worker"
	workernative "cloudcanvas/cloud/worker/native"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/signed"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// Cloud is one process's connections to what the cloud side shares.
type Cloud struct {
	Config   Config
	ID       string // of this process among the members
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Liveness *telemetry.Liveness
	Progress *telemetry.Probe // of the process's loops together
	// Readiness is how a process is, where that is more than being connected.
	Readiness Readiness

	Kafka *kafka.Client
	Coord coord.Coordinator // nil for processes that need none
	Store *store.Store
	Disks *disk.Set // that it writes to
	// Memory is what all decoders of the process may take; parts of one process share it.
	Memory *budget.Bytes
	Trace  *trace.Tracer // nil: no spans
	// Attempts is the process's journal where several roles share it; nil: each opens its own.
	Attempts *crashguard.Guard
	// Opened is called with the engine of each model that a worker opens. May be nil.
	Opened func(infer.Report)
}

// Connect is Dial, and waits until Kafka has the topics: a service that starts before its broker is
// patient, and says what it waits for.
func Connect(ctx context.Context, c Config, id string, log *slog.Logger, metrics prometheus.Registerer) (*Cloud, error) {
	cloud, err := Dial(ctx, c, id, log, metrics)
	if err != nil {
		return nil, err
	}
	if err := cloud.awaitTopics(ctx); err != nil {
		cloud.Close()
		return nil, err
	}
	return cloud, nil
}

// Dial opens the object store and makes Kafka's client, whether Kafka is there or not.
func Dial(ctx context.Context, c Config, id string, log *slog.Logger, metrics prometheus.Registerer) (*Cloud, error) {
	liveness := &telemetry.Liveness{Log: log}
	progress := liveness.Loop("service")
	k, err := kafka.Dial(kafka.Options{Brokers: c.Kafka.Brokers, Security: c.Kafka.Security, Log: log, Step: progress.Step})
	if err != nil {
		return nil, err
	}
	s, err := store.Open(ctx, c.Store)
	if err != nil {
		k.Close()
		return nil, err
	}
	t, err := trace.Open(ctx, trace.Options{Endpoint: c.Telemetry.OTLPEndpoint, Service: "canvas-cloud", Instance: id, Log: log})
	if err != nil {
		k.Close()
		s.Close()
		return nil, err
	}
	disks, err := NewDisks(log, metrics)
	if err != nil {
		k.Close()
		s.Close()
		return nil, err
	}
	return &Cloud{Config: c, ID: id, Log: log, Metrics: metrics, Liveness: liveness, Progress: progress, Kafka: k, Store: s, Disks: disks, Memory: budget.New(c.DecodeBytes), Trace: t}, nil
}

func (c *Cloud) awaitTopics(ctx context.Context) error {
	topics := append(withLimits(bridge.Topics(c.Config.Kafka.Partitions, c.Config.Kafka.Replicas), c.Config.Bridge.DeadLetters), kafka.Topic{
		Name: event.ProductsTopic, Partitions: 1, Replicas: c.Config.Kafka.Replicas, Config: map[string]string{"cleanup.policy": "compact"}})
	return retry.Task{First: time.Second, Most: 30 * time.Second, Tell: func(err error) bool {
		c.Log.Warn("the process waits for Kafka", "brokers", c.Config.Kafka.Brokers, telemetry.Err, err)
		return true
	}}.Do(ctx, func() error { return c.Kafka.EnsureTopics(ctx, topics...) })
}

// Coordinate opens the session with ZooKeeper.
func (c *Cloud) Coordinate() (err error) {
	c.Coord, err = zk.Open(c.Config.ZooKeeper, c.ID, c.Log)
	return err
}

// Close ends the connections.
func (c *Cloud) Close() {
	if c.Coord != nil {
		c.Coord.Close()
	}
	c.Kafka.Close()
	c.Store.Close()
	c.Disks.Close()
	c.Trace.Close()
}

// courierID ends the MQTT client id of the delivery of models: an old word that brokers' access lists know.
const deliveryID = "-courier"

// Bridge takes what devices send over MQTT into Kafka, until ctx ends.
func (c *Cloud) Bridge(ctx context.Context) error {
	signer, err := c.Config.Signing.Signer()
	if err != nil {
		return err
	}
	receipts, err := mqtt.Dial(ctx, mqtt.Options{URL: c.Config.MQTT.URL, ClientID: c.ID + "-receipts", Security: c.Config.MQTT.Security, Log: c.Log})
	if err != nil {
		return err
	}
	defer receipts.Close()
	log, err := bridge.DialKafka(kafka.Options{Brokers: c.Config.Kafka.Brokers, Security: c.Config.Kafka.Security, Log: c.Log})
	if err != nil {
		return err
	}
	defer log.Close()
	b, err := bridge.New(c.Config.Bridge, bridge.Parts{
		Intake: hearing{&intake.MQTT{
			Options: mqtt.Options{URL: c.Config.MQTT.URL, ClientID: c.Config.Bridge.ClientID, Security: c.Config.MQTT.Security, Log: c.Log},
			Share:   c.Config.Bridge.Share,
		}, signer},
		Log: log, Objects: c.objects(c.Config.Worker.ObjectBytes), Receipts: newSigning(receipts, signer), Logger: c.Log, Metrics: c.Metrics,
		Leases: c.Coord, Member: coord.Member{ID: c.ID, Role: coord.Bridge, Host: hostname()}, Trace: c.Trace,
		Decisions: c.Coord,
	})
	if err != nil {
		return err
	}
	if signer != nil {
		c.Log.Info("messages to devices are signed", "key", signer.ID())
	}
	c.Readiness.Follow(func() error { return errors.Join(ready(b, receipts), c.Healthy()) })
	go c.stepWhile(ctx, b)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return stopped(ctx, c.deliverModels(ctx, signer)) })
	group.Go(func() error { return stopped(ctx, c.keepDeadLetters(ctx)) })
	if c.Config.References.On() {
		merger, err := references.NewMerger(c.Config.References, c.Store, c.Log, c.Metrics)
		if err != nil {
			return err
		}
		group.Go(func() error { return stopped(ctx, merger.Run(ctx, c.Coord)) })
	}
	group.Go(func() error { return stopped(ctx, b.Run(ctx)) })
	return group.Wait()
}

// deliverModels brings models, and views of the ground, to the devices, where no other process does.
func (c *Cloud) deliverModels(ctx context.Context, signer *signed.Signer) error {
	views, err := references.NewLibrary(c.Config.References, c.Store, c.Metrics)
	if err != nil {
		return err
	}
	return delivery.Run(ctx, delivery.Parts{Group: c.Coord, Objects: c.Store, Views: views, Log: c.Log, Dial: func(ctx context.Context) (delivery.Broker, func(), error) {
		client, err := mqtt.Dial(ctx, mqtt.Options{URL: c.Config.MQTT.URL, ClientID: c.ID + deliveryID, Security: c.Config.MQTT.Security, Log: c.Log})
		if err != nil {
			return nil, nil, err
		}
		return signingBroker{newSigning(client, signer), client}, client.Close, nil
	}})
}

// Worker works on its share of canvas.work until ctx ends. Every worker also stands by to lead the
// division of the work.
func (c *Cloud) Worker(ctx context.Context, models *model.Repository) error {
	catalogue := workernative.Catalogue{Repository: models, Engine: c.Config.Models.Engine, Layout: c.Config.Models.Layout, Log: c.Log, Opened: c.Opened}
	registry, err := worker.NewRegistry(c.Config.Worker, catalogue)
	if err != nil {
		return err
	}
	defer registry.Close()
	attempts, closeAttempts, err := c.openAttempts(ctx, coord.Worker)
	if err != nil {
		return err
	}
	defer closeAttempts()
	objects := c.objects(c.Config.Worker.ObjectBytes)
	work := worker.KafkaGroup(c.Kafka)
	var views worker.Views
	var keeper *references.Keeper
	if c.Config.References.On() {
		if keeper, err = references.NewKeeper(c.Store, c.Log, c.Metrics); err != nil {
			return err
		}
		views = keeper
	}
	engine, why, err := sar.OpenEngine(ctx, c.Config.Worker.Focus, "")
	if err != nil {
		return fmt.Errorf("worker.focus: %w", err)
	}
	defer engine.Close()
	if why != "" {
		c.Log.Info(why, "worker.focus", c.Config.Worker.Focus)
	}
	var land *sar.Land
	if c.Config.Worker.Land != "" {
		if land, err = sar.ReadLand(c.Config.Worker.Land); err != nil {
			return fmt.Errorf("worker.land: %w", err)
		}
	}
	w, err := worker.New(c.Config.Worker, worker.Parts{
		Queue: work, Results: worker.KafkaResults{Log: c.Kafka, Keep: objects, Member: c.ID}, Dead: work, Objects: objects, Decoder: workernative.Decoder{}, Focuser: workernative.Focuser{Engine: engine, Land: land, Log: c.Log}, Views: views, Memory: c.Memory, Models: registry,
		Attempts: attempts, ExitReports: c.Coord.Document(worker.ExitReportsDocument),
		Leases: c.Coord, Assignments: worker.Assigned{Coordinator: c.Coord, Member: c.ID}, Log: c.Log, Metrics: c.Metrics, Trace: c.Trace,
	})
	if err != nil {
		return err
	}
	partitions, err := c.Kafka.Partitions(ctx, event.WorkTopic)
	if err != nil {
		return err
	}
	wanted, err := newScaling(c.Metrics)
	if err != nil {
		return fmt.Errorf("registering the metrics of scaling: %w", err)
	}
	member := coord.Member{ID: c.ID, Role: coord.Worker, Host: hostname()}
	settled := make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return stopped(ctx, worker.Join(ctx, c.Coord, member, registry, c.Log)) })
	if keeper != nil {
		group.Go(func() error { keeper.Run(ctx); return nil })
	}
	if c.Config.Worker.Preload {
		group.Go(func() error { return stopped(ctx, registry.Preload(ctx)) })
	}
	group.Go(func() error { return stopped(ctx, c.versions(ctx, registry, catalogue, func() { close(settled) })) })
	group.Go(func() error { return c.lead(ctx, partitions, wanted) })
	group.Go(func() error { return c.scale(ctx, wanted) })
	group.Go(func() error {
		select {
		case <-settled:
		case <-time.After(versionPatience):
			c.Log.Warn("the wanted versions of the models are not loaded yet; the worker begins with those as shipped")
		case <-ctx.Done():
		}
		err := w.Run(ctx)
		if err == nil && ctx.Err() == nil {
			err = errors.New("the worker ended by itself")
		}
		return stopped(ctx, err)
	})
	return group.Wait()
}

// lead competes to divide the work; a term that ends badly is no reason to stop working.
func (c *Cloud) lead(ctx context.Context, partitions int, s *scaling) error {
	for ctx.Err() == nil {
		err := assign.Lead(ctx, c.Coord, map[string]int{event.WorkTopic: partitions}, c.Config.Assign, c.Log, assign.Hooks{Led: s.led, Backlog: c.backlog})
		if err != nil && ctx.Err() == nil {
			c.Log.Warn("dividing the work failed; this process stands for the lead again", telemetry.Err, err)
		}
		_ = retry.Sleep(ctx, time.Second)
	}
	return nil
}

// Mosaic turns results into products until ctx ends.
func (c *Cloud) Mosaic(ctx context.Context) error {
	if err := durable.MkdirAll(c.Config.Products, 0o755); err != nil {
		return fmt.Errorf("make the folder of products: %w (choose another with products:)", err)
	}
	folder, err := filepath.Abs(c.Config.Products)
	if err != nil {
		return err
	}
	disks, err := c.mosaicDisks(folder)
	if err != nil {
		return err
	}
	attempts, closeAttempts, err := c.openAttempts(ctx, coord.Mosaic)
	if err != nil {
		return err
	}
	defer closeAttempts()
	group := mosaic.KafkaGroup(c.Kafka)
	m, err := mosaic.New(c.Config.Mosaic, mosaic.Parts{
		Dead: group, Attempts: attempts, Metrics: c.Metrics,
		Queue: group, Products: mosaic.KafkaProducts{Log: c.Kafka}, Objects: c.objects(c.Config.Worker.ObjectBytes), Store: mosaic.Folder(folder), Annotator: mosaicnative.Annotator{Memory: c.Memory}, Memory: c.Memory, Disk: disks, Log: c.Log, Trace: c.Trace,
	})
	if err != nil {
		return err
	}
	return m.Run(ctx)
}

// stopped leaves out the error of a loop that was told to stop.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "unknown"
	}
	return name
}
