package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"cloudcanvas/edge/modelupdate"
	"cloudcanvas/shared/onnx"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/sar"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// configFile is read where --config names none.
const configFile = "/etc/canvas/edge.yaml"

func loadConfig(c *urfave.Context) (edge.Config, error) {
	cfg := edge.DefaultConfig()
	err := cli.LoadConfig(c, configFile, &cfg)
	return cfg, err
}

func configCommand() *urfave.Command {
	cfg := edge.DefaultConfig()
	return cli.ConfigCommand("edge.yaml", &cfg)
}

func runCommand() *urfave.Command {
	return &urfave.Command{Name: "run", Usage: "run the device's service", Action: func(c *urfave.Context) error {
		log, err := cli.Logger(c, "info")
		if err != nil {
			return err
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		models, err := model.Open(cfg.ModelFolders(cli.Home())...)
		if err != nil {
			return err
		}
		for _, p := range models.Problems() {
			log.Warn("a model is skipped", telemetry.Err, p)
		}
		defer telemetry.NotifyStopping()
		for {
			err := runAgent(c.Context, cfg, models, log)
			if !errors.Is(err, modelupdate.ErrChanged) || c.Context.Err() != nil {
				return err
			}
			log.Info("the agent restarts with other models")
		}
	}}
}

// runAgent runs the agent until ctx ends or other models are to run.
func runAgent(ctx context.Context, cfg edge.Config, models *model.Repository, log *slog.Logger) error {
	store, err := modelupdate.OpenStore(cfg.ModelStoreFolder(), log)
	if err != nil {
		return err
	}
	metrics := telemetry.NewRegistry()
	agent, err := edge.Open(ctx, cfg, edge.Parts{Models: models, ModelStore: store, Version: version, Log: log, Metrics: metrics})
	if err != nil {
		return err
	}
	defer agent.Close()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return telemetry.Serve(ctx, cfg.Telemetry, metrics, agent.Ready) })
	group.Go(func() error { return agent.Run(ctx) })
	telemetry.NotifyReady(fmt.Sprintf("%d sources", len(cfg.Scenes)+len(cfg.Echoes)+len(cfg.Cameras)+len(cfg.Images)))
	return group.Wait()
}

func checkCommand() *urfave.Command {
	return &urfave.Command{Name: "check", Usage: "check the configuration without starting anything; every mistake at once", Action: func(c *urfave.Context) error {
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		models, err := model.Open(cfg.ModelFolders(cli.Home())...)
		if err != nil {
			return err
		}
		if err := errors.Join(append(unfit(c, cfg, models), unreadable(cfg)...)...); err != nil {
			return cli.Usage(err)
		}
		visible.Fprintf(c.App.Writer, "%s: good: %d scenes, %d sources of echoes, %d cameras, %d image sets\n", cfg.Edge, len(cfg.Scenes), len(cfg.Echoes), len(cfg.Cameras), len(cfg.Images))
		for _, note := range []string{identity(cfg), lifetime(cfg, time.Now()), plain(cfg), unpinned(cfg)} {
			if note != "" {
				visible.Fprintf(c.App.ErrWriter, "note: %s\n", note)
			}
		}
		return nil
	}}
}

// unreadable is what run would say of the files that describe a radar's echoes. Those of a folder come later.
func unreadable(cfg edge.Config) (all []error) {
	for i, s := range cfg.Echoes {
		if s.Path == "" {
			continue
		}
		echoes, err := sar.Open(s.Path)
		if err != nil {
			all = append(all, fmt.Errorf("echoes.%d.path: %w", i, err))
			continue
		}
		echoes.Close()
	}
	return all
}

// unfit is what run would refuse besides what the configuration says of itself: models that are not there,
// or do not fit. They are tried in a process of their own; whether an engine is here is for doctor to say.
func unfit(c *urfave.Context, cfg edge.Config, models *model.Repository) (all []error) {
	for _, name := range cfg.ModelNames() {
		m, err := models.Find(name)
		if errors.Is(err, model.ErrUnknown) && model.Carried(name) {
			continue
		}
		if err == nil {
			err = infer.Try(c.Context, m, trialLayout(c))
			if !errors.Is(err, infer.ErrMisfit) && !errors.Is(err, onnx.ErrUnsafe) {
				err = nil
			}
		}
		if err != nil {
			all = append(all, err)
		}
	}
	return all
}
