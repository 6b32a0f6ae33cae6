package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/prometheus/client_golang/prometheus"
	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/console/auth"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

func consoleCommand() *urfave.Command {
	return &urfave.Command{Name: "console", Usage: "serve pages and APIs for people and programs",
		Flags: []urfave.Flag{
			idFlag,
			&urfave.StringFlag{Name: "listen", Usage: "`HOST:PORT`, in place of console.listen"},
		},
		Subcommands: []*urfave.Command{tokenCommand()},
		Action: func(c *urfave.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if listen := c.String("listen"); listen != "" {
				cfg.Console.Listen = listen
				var problems []error
				cfg.Console.Problems(func(field, message, hint string) {
					problems = append(problems, fmt.Errorf("console.%s: %s\n    %s", field, message, hint))
				})
				if err := errors.Join(problems...); err != nil {
					return cli.Usage(err)
				}
			}
			metrics := telemetry.NewRegistry()
			return serve(c, cfg, metrics, dialConsole, func(ctx context.Context, p *cloud.Cloud, ready func(status string, attrs ...any)) error {
				return p.Console(ctx, cloud.ConsoleOptions{Version: version, Gatherer: metrics, Ready: func(url string) { ready("console at "+url, "url", url) }})
			})
		}}
}

// dialConsole does not wait for Kafka: without it the console has much to show.
func dialConsole(ctx context.Context, cfg cloud.Config, id string, log *slog.Logger, metrics prometheus.Registerer) (*cloud.Cloud, error) {
	p, err := cloud.Dial(ctx, cfg, id, log, metrics)
	if err == nil {
		p.Readiness.Follow(p.Healthy)
	}
	return p, err
}

func tokenCommand() *urfave.Command {
	return &urfave.Command{Name: "token", Usage: "make a token that lets somebody into the console",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "name", Required: true, Usage: "who it is for; stands in the audit"},
			&urfave.StringFlag{Name: "role", Value: string(auth.Viewer), Usage: "viewer or operator"},
			&urfave.StringFlag{Name: "file", Usage: "add its line to this `FILE`; else the line is printed"},
		},
		Action: func(c *urfave.Context) error {
			token, line, err := auth.NewToken(c.String("name"), auth.Role(c.String("role")))
			if err != nil {
				return cli.Usage(err)
			}
			if file := c.String("file"); file != "" {
				if err := appendLine(file, line); err != nil {
					return err
				}
			} else {
				fmt.Fprintln(c.App.Writer, line)
			}
			visible.Fprintf(c.App.ErrWriter, "the token, shown this once: %s\n", token)
			return nil
		}}
}

// appendLine adds a line to a file that only its owner and group may read.
func appendLine(file, line string) error {
	if err := durable.MkdirAll(filepath.Dir(file), 0o750); err != nil {
		return fmt.Errorf("make the folder of the tokens file: %w", err)
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err != nil {
		return fmt.Errorf("open the tokens file: %w", err)
	}
	_, err = fmt.Fprintln(f, line)
	return errors.Join(err, f.Sync(), f.Close(), durable.SyncFolder(filepath.Dir(file)))
}
