// Package appliance is the whole pipeline in one process on one machine: the very rooms of canvas-edge
// and canvas-cloud over embedded brokers on loopback. It swaps the brokers, never the code.
package appliance

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/cloud/store"
	"cloudcanvas/edge"
	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/disk"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/mqtt"
)

// Options say what the appliance works on and where.
type Options struct {
	Edge     edge.Config  // without a cloud: that is here
	Cloud    cloud.Config // without brokers and store: those are here
	Work     string       // folder of the buffer, the log and the objects
	Models   *model.Repository
	Version  string
	Log      *slog.Logger
	Metrics  prometheus.Registerer
	Finished func(source string, pictures int64, took time.Duration, err error) // of each source that has ended; may be nil

	End <-chan struct{} // lets videos and cameras end in good order once it is closed; may be nil

	Gatherer     prometheus.Gatherer // of Metrics, for the console; may be nil
	ConsoleReady func(url string)    // serve a console, which says where it is; nil: none
}

// Appliance is a running one.
type Appliance struct {
	Agent *edge.Agent
	Kafka *kafka.Client

	attempts *crashguard.Guard // of all of it: Go writes one crash report
	mqtt     *mqtt.Embedded
	log      *kafka.Embedded
	disks    *disk.Set
	parts    []*cloud.Cloud
	group    *errgroup.Group
	ctx      context.Context
	cancel   context.CancelFunc
	mu       sync.Mutex
	reports  []infer.Report
}

// Start starts everything. The appliance runs until Stop, or until a part of it fails.
func Start(ctx context.Context, o Options) (_ *Appliance, err error) {
	a := &Appliance{}
	a.ctx, a.cancel = context.WithCancel(ctx)
	a.group, a.ctx = errgroup.WithContext(a.ctx)
	defer func() {
		if err != nil {
			a.Stop()
		}
	}()
	if a.mqtt, err = mqtt.Embed(mqtt.EmbedOptions{Log: o.Log}); err != nil {
		return nil, err
	}
	if a.disks, err = cloud.NewDisks(o.Log, o.Metrics); err != nil {
		return nil, err
	}
	if a.log, err = kafka.Embed(filepath.Join(o.Work, "kafka"), kafka.EmbedOptions{Log: o.Log, Disk: a.disks.Of(o.Work)}); err != nil {
		return nil, err
	}
	o.Cloud.MQTT.URL, o.Cloud.Kafka.Brokers = a.mqtt.URL(), a.log.Brokers()
	o.Cloud.Store = store.FolderURL(filepath.Join(o.Work, "objects"))
	o.Cloud.Mosaic.WorkDir = filepath.Join(o.Work, "mosaic")
	o.Edge.Cloud.URL, o.Edge.Data = a.mqtt.URL(), o.Work

	if a.attempts, err = o.Edge.OpenAttempts(o.Log); err != nil {
		return nil, err
	}
	memory := budget.New(max(o.Cloud.DecodeBytes, o.Edge.DecodeBytes)) // of one process
	space, err := local.OpenSpace(filepath.Join(o.Work, "coordinator"))
	if err != nil {
		return nil, err
	}
	for _, role := range []struct {
		id  string
		run func(*cloud.Cloud, context.Context) error
	}{
		{"bridge", (*cloud.Cloud).Bridge},
		{"worker", func(c *cloud.Cloud, ctx context.Context) error { return c.Worker(ctx, o.Models) }},
		{"mosaic", (*cloud.Cloud).Mosaic},
	} {
		c, err := cloud.Connect(a.ctx, o.Cloud, role.id, o.Log, o.Metrics)
		if err != nil {
			return nil, err
		}
		c.Coord, c.Opened, c.Disks, c.Memory, c.Attempts = space.Coordinator(role.id), a.opened, a.disks, memory, a.attempts
		a.parts = append(a.parts, c)
		a.Kafka = c.Kafka
		a.group.Go(func() error {
			if err := role.run(c, a.ctx); err != nil && a.ctx.Err() == nil {
				return fmt.Errorf("%s: %w", role.id, err)
			}
			return nil
		})
	}
	a.Agent, err = edge.Open(a.ctx, o.Edge, edge.Parts{Models: o.Models, Version: o.Version, Log: o.Log, Metrics: o.Metrics, Memory: memory, Done: o.Finished, End: o.End, Attempts: a.attempts})
	if err != nil {
		return nil, err
	}
	a.group.Go(func() error { return a.Agent.Run(a.ctx) })
	if o.ConsoleReady != nil {
		return a, a.serveConsole(o, space)
	}
	return a, nil
}

// serveConsole lets people look at the appliance. Its index and audit lie in the work folder.
func (a *Appliance) serveConsole(o Options, space *local.Space) error {
	o.Cloud.Console.Data = filepath.Join(o.Work, "console")
	c, err := cloud.Connect(a.ctx, o.Cloud, "console", o.Log, o.Metrics)
	if err != nil {
		return err
	}
	c.Coord, c.Disks, c.Attempts = space.Coordinator("console"), a.disks, a.attempts
	a.parts = append(a.parts, c)
	a.group.Go(func() error {
		err := c.Console(a.ctx, cloud.ConsoleOptions{Device: device{a, o.Edge.Edge}, Version: o.Version, Gatherer: o.Gatherer, Ready: o.ConsoleReady})
		if err != nil && a.ctx.Err() == nil {
			return fmt.Errorf("console: %w", err)
		}
		return nil
	})
	return nil
}

// device is what the console asks the appliance's own device.
type device struct {
	*Appliance
	edge string
}

func (d device) Outbox() live.Outbox {
	s := d.Agent.Stats()
	return live.Outbox{Edge: d.edge, Committed: s.Committed, Received: s.Received, Waiting: s.Waiting, Dropped: s.Dropped, Bytes: s.Bytes, Oldest: s.Oldest}
}

func (d device) Link(ctx context.Context) (event.LinkReport, error) { return d.Agent.LinkReport(ctx) }

func (d device) Engines() []live.Engine {
	all := []live.Engine{}
	for _, r := range d.Reports() {
		all = append(all, live.Engine{Model: r.Model, Engine: r.Engine, Device: r.Device, Golden: r.Golden, Ms: r.Ms})
	}
	return all
}

func (a *Appliance) opened(r infer.Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.reports = append(a.reports, r)
}

// Reports say which engine runs each model, on the edge and in the cloud.
func (a *Appliance) Reports() []infer.Report {
	a.mu.Lock()
	defer a.mu.Unlock()
	return append(a.Agent.Reports(), a.reports...)
}

// Failed is closed when a part of the appliance has failed; Stop then gives the reason.
func (a *Appliance) Failed() <-chan struct{} { return a.ctx.Done() }

// Ready says why the appliance can't keep what comes in, or nil.
func (a *Appliance) Ready() error { return a.disks.Err() }

// Stop ends everything and gives the first failure, if there was one.
func (a *Appliance) Stop() error {
	a.cancel()
	err := a.group.Wait()
	if a.Agent != nil {
		a.Agent.Close()
	} else {
		err = errors.Join(err, a.attempts.Close())
	}
	for _, c := range a.parts {
		c.Close()
	}
	if a.mqtt != nil {
		err = errors.Join(err, a.mqtt.Close())
	}
	if a.log != nil {
		err = errors.Join(err, a.log.Close())
	}
	return err
}
