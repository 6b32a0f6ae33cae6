// Command canvas-cloud is the cloud side: bridge, workers, mosaic, console, and the commands of operators.
package main

import (
	"cmp"
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
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
	cli.Main(cli.App("canvas-cloud", "receive what devices send, run heavy models on it, make products", version,
		process("bridge", "carry what devices send over MQTT into Kafka", runBridge),
		process("worker", "run heavy models on this machine's share of the work", runWorker),
		process("mosaic", "turn results into products", (*cloud.Cloud).Mosaic),
		configCommand(), modelsCommand(), scenesCommand(), dlqCommand(), edgesCommand(), keysCommand(), queryCommand(), traceCommand(), consoleCommand(), importCommand(), submitCommand(), statusCommand(), topCommand(), doctorCommand(), caCommand()))
}

func loadConfig(c *urfave.Context) (cloud.Config, error) {
	cfg := cloud.DefaultConfig()
	err := cli.LoadConfig(c, configFile, &cfg)
	return cfg, err
}

var idFlag = &urfave.StringFlag{Name: "id", Usage: "this process's name among the others; default: host name and process id"}

func configCommand() *urfave.Command {
	cfg := cloud.DefaultConfig()
	return cli.ConfigCommand("cloud.yaml", &cfg)
}

// process is a command that runs one of the cloud's processes until it is told to stop.
func process(name, usage string, run func(*cloud.Cloud, context.Context) error) *urfave.Command {
	return &urfave.Command{Name: name, Usage: usage, Flags: []urfave.Flag{idFlag},
		Action: func(c *urfave.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			return serve(c, cfg, telemetry.NewRegistry(), cloud.Connect, func(ctx context.Context, p *cloud.Cloud, ready func(status string, attrs ...any)) error {
				p.Readiness.Follow(p.Healthy)
				ready(name + " runs")
				return run(p, ctx)
			})
		}}
}

// serve runs a process with its metrics, readiness and watchdog. run calls ready once it works.
func serve(c *urfave.Context, cfg cloud.Config, metrics *prometheus.Registry,
	connect func(ctx context.Context, cfg cloud.Config, id string, log *slog.Logger, metrics prometheus.Registerer) (*cloud.Cloud, error),
	run func(ctx context.Context, p *cloud.Cloud, ready func(status string, attrs ...any)) error) error {
	log, err := cli.Logger(c, "info")
	if err != nil {
		return err
	}
	id := cmp.Or(c.String("id"), operator())
	group, ctx := errgroup.WithContext(c.Context)
	var readiness cloud.Readiness // until there is a process to ask
	group.Go(func() error { return telemetry.Serve(ctx, cfg.Telemetry, metrics, readiness.Ready) })
	group.Go(func() error {
		p, err := connect(ctx, cfg, id, log, metrics)
		if err != nil {
			return err
		}
		defer p.Close()
		readiness.Follow(p.Readiness.Ready)
		if err := p.Coordinate(); err != nil {
			return err
		}
		defer telemetry.NotifyStopping()
		go telemetry.Watchdog(ctx, p.Liveness)
		return run(ctx, p, func(status string, attrs ...any) {
			log.Info(status, append([]any{"id", id, "version", version}, attrs...)...)
			telemetry.NotifyReady(status)
		})
	})
	return group.Wait()
}

// runBridge is a bridge that has its process for itself.
func runBridge(c *cloud.Cloud, ctx context.Context) error {
	c.Config.Bridge.BoundMemory()
	return c.Bridge(ctx)
}

func runWorker(c *cloud.Cloud, ctx context.Context) error {
	models, err := model.Open(c.Config.ModelFolders(cli.Home())...)
	if err != nil {
		return err
	}
	for _, p := range models.Problems() {
		c.Log.Warn("a model is skipped", telemetry.Err, p)
	}
	return c.Worker(ctx, models)
}
