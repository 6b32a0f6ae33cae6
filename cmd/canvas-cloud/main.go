// Command canvas-cloud is the cloud side: bridge, workers, mosaic, and what operators ask.
package main

import (
	"context"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/telemetry"
)

// version is set by the build.
var version = "dev"

// configFile is read where --config names none.
const configFile = "/etc/canvas/cloud.yaml"

func main() {
	cli.Main(cli.App("canvas-cloud", "take what devices send, look again with heavy models, make products", version,
		process("bridge", "take what devices send over MQTT into Kafka", runBridge),
		process("worker", "run heavy models on this machine's share of the work", work),
		process("mosaic", "turn results into products", (*cloud.Cloud).Mosaic),
		configCommand(), modelsCommand(), scenesCommand(), dlqCommand(), edgesCommand(), traceCommand(), consoleCommand(), importCommand(), submitCommand(), statusCommand(), topCommand(), doctorCommand()))
}

func loadConfig(c *urfave.Context) (cloud.Config, error) {
	cfg := cloud.DefaultConfig()
	err := cli.LoadConfig(c, configFile, &cfg)
	return cfg, err
}

func configCommand() *urfave.Command {
	cfg := cloud.DefaultConfig()
	return cli.ConfigCommand("cloud.yaml", &cfg)
}

// process is a command that runs one of the cloud's processes until it is told to stop.
func process(name, usage string, run func(*cloud.Cloud, context.Context) error) *urfave.Command {
	return &urfave.Command{Name: name, Usage: usage,
		Flags: []urfave.Flag{&urfave.StringFlag{Name: "id", Usage: "this process's name among the others; default: host name and process id"}},
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "info")
			if err != nil {
				return err
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			id := c.String("id")
			if id == "" {
				host, _ := os.Hostname()
				id = fmt.Sprintf("%s-%d", host, os.Getpid())
			}
			metrics := telemetry.NewRegistry()
			group, ctx := errgroup.WithContext(c.Context)
			var readiness cloud.Readiness // until there is a process to ask
			group.Go(func() error { return telemetry.Serve(ctx, cfg.Telemetry, metrics, readiness.Ready) })
			group.Go(func() error {
				p, err := cloud.Connect(ctx, cfg, id, log, metrics)
				if err != nil {
					return err
				}
				defer p.Close()
				if err := p.Coordinate(); err != nil {
					return err
				}
				p.Readiness.Follow(p.Healthy)
				readiness.Follow(p.Readiness.Ready)
				log.Info(name+" runs", "id", id, "version", version)
				telemetry.NotifyReady(name + " runs")
				defer telemetry.NotifyStopping()
				go telemetry.Watchdog(ctx, p.Progress)
				return run(p, ctx)
			})
			return group.Wait()
		}}
}

// runBridge is a bridge that has its process for itself.
func runBridge(c *cloud.Cloud, ctx context.Context) error {
	c.Config.Bridge.BoundMemory()
	return c.Bridge(ctx)
}

func work(c *cloud.Cloud, ctx context.Context) error {
	models, err := model.Open(c.ModelFolders(cli.Home())...)
	if err != nil {
		return err
	}
	for _, p := range models.Problems() {
		c.Log.Warn("a model is passed over", telemetry.Err, p)
	}
	return c.Worker(ctx, models)
}
