package main

import (
	"fmt"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/cmd/internal/appliance"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// applianceFile is read where --config names none.
const applianceFile = "/etc/canvas/canvas.yaml"

// applianceConfig is the whole pipeline on one machine: what edge.yaml and cloud.yaml say, but for what
// the appliance brings itself: the brokers, the coordinator and the object store.
type applianceConfig struct {
	Data   string       `yaml:"data" desc:"folder of the buffer, the log, the objects, the console's index and, unless cloud.products says otherwise, products/"`
	Device edge.Config  `yaml:"device" omit:"cloud data" desc:"as edge.yaml, without cloud and data"`
	Cloud  cloud.Config `yaml:"cloud" omit:"mqtt kafka zookeeper store" desc:"as cloud.yaml; mqtt, kafka, zookeeper and store are the appliance's own"`
}

func defaultAppliance() applianceConfig {
	c := applianceConfig{Data: "/var/lib/canvas", Device: edge.DefaultConfig(), Cloud: cloud.DefaultConfig()}
	c.Device.Edge = "local"
	return c
}

// Problems lists every mistake in c.
func (c applianceConfig) Problems(add func(field, message, hint string)) {
	in := func(group string) func(field, message, hint string) {
		return func(field, message, hint string) { add(group+"."+field, message, hint) }
	}
	if c.Data == "" {
		add("data", "is missing", "name a folder that survives restarts, such as /var/lib/canvas")
	}
	if c.Device.Cloud.URL != "" {
		add("device.cloud.url", "is set, but the appliance is its own cloud", "leave it out, or run canvas-edge")
	}
	c.Device.Cloud.URL, c.Device.Data = "tcp://127.0.0.1:1883", c.Data
	c.Device.Problems(in("device"))
	c.Cloud.Problems(in("cloud"))
}

func configCommand() *urfave.Command {
	cfg := defaultAppliance()
	return cli.ConfigCommand("canvas.yaml", &cfg)
}

func runCommand() *urfave.Command {
	return &urfave.Command{Name: "run", Usage: "the whole pipeline as a service, with a console",
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "info")
			if err != nil {
				return err
			}
			cfg := defaultAppliance()
			if err := cli.LoadConfig(c, applianceFile, &cfg); err != nil {
				return err
			}
			models, err := model.Open(append(cfg.Device.ModelFolders(cli.Home()), cfg.Cloud.Models.Folders...)...)
			if err != nil {
				return err
			}
			for _, p := range models.Problems() {
				log.Warn("a model is skipped", telemetry.Err, p)
			}
			if err := durable.MkdirAll(cfg.Data, 0o755); err != nil {
				return fmt.Errorf("make the appliance's folder: %w (choose another with data:)", err)
			}
			if cfg.Cloud.Products == cloud.DefaultConfig().Products {
				cfg.Cloud.Products = filepath.Join(cfg.Data, "products")
			}
			cfg.Cloud.Worker.Models = present(cfg.Cloud.Worker.Models, models)
			metrics := telemetry.NewRegistry()
			group, ctx := errgroup.WithContext(c.Context)
			var readiness cloud.Readiness
			group.Go(func() error { return telemetry.Serve(ctx, cfg.Cloud.Telemetry, metrics, readiness.Ready) })
			group.Go(func() error {
				a, err := appliance.Start(ctx, appliance.Options{Edge: cfg.Device, Cloud: cfg.Cloud, Work: cfg.Data, Models: models, Version: version, Log: log,
					Metrics: metrics, Gatherer: metrics, ConsoleReady: func(url string) { visible.Fprintf(c.App.Writer, "console  %s\n", url) }})
				if err != nil {
					return err
				}
				readiness.Follow(a.Ready)
				telemetry.NotifyReady("the appliance runs")
				defer telemetry.NotifyStopping()
				<-a.Failed()
				return a.Stop()
			})
			return group.Wait()
		}}
}

// present are the heavy models that are there, and the rule that needs none.
func present(choices []worker.Choice, models *model.Repository) (there []worker.Choice) {
	for _, choice := range choices {
		if _, err := models.Find(choice.Model); err == nil || choice.Model == worker.SpectralRGB {
			there = append(there, choice)
		}
	}
	return there
}
