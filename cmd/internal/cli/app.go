// Package cli is what the three commands have in common: global flags, the logger, exit codes and
// how an error reaches a person.
package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/urfave/cli/v2"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/visible"
)

// Exit codes of every command.
const (
	Done       = 0
	Failed     = 1
	WrongUsage = 2
	Incomplete = 3
)

// codedError carries an exit code other than Failed.
type codedError struct {
	error
	code int
}

func (e codedError) Unwrap() error { return e.error }

// Usage marks err as wrong usage or configuration: exit code 2.
func Usage(err error) error { return codedError{err, WrongUsage} }

// Usagef is Usage of a message.
func Usagef(format string, args ...any) error { return Usage(fmt.Errorf(format, args...)) }

// Incompletef says that the work is finished but something is missing: exit code 3.
func Incompletef(format string, args ...any) error {
	return codedError{fmt.Errorf(format, args...), Incomplete}
}

// Code is the exit code that err asks for.
func Code(err error) int {
	var coded codedError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return Done
	case errors.As(err, &coded):
		return coded.code
	case config.IsMistake(err), strings.HasPrefix(err.Error(), "Required flag"): // the library's own error has no type
		return WrongUsage
	}
	return Failed
}

// App is a command with the flags that all three share.
func App(name, usage, version string, commands ...*cli.Command) *cli.App {
	app := &cli.App{
		Name:                 name,
		Usage:                usage,
		Version:              version,
		Flags:                sharedFlags(),
		Commands:             append(commands, completionCommand(), manCommand()),
		EnableBashCompletion: true,
		Suggest:              true,
		HideHelpCommand:      true,
		ExitErrHandler:       func(*cli.Context, error) {}, // Main tells errors, once
		OnUsageError:         func(_ *cli.Context, err error, _ bool) error { return Usage(err) },
		Action:               noCommand,
	}
	refuseUnknown(app.Commands)
	return app
}

// sharedFlags may stand before the command or after it.
func sharedFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "config", Usage: "settings, a YAML `FILE`; ${VAR} and CANVAS_… override"},
		&cli.StringFlag{Name: "log-level", Usage: "debug, info, warn or error"},
		&cli.StringFlag{Name: "log-format", Value: "text", Usage: "text or json"},
	}
}

// shared is the value of a shared flag where it was given, nearest to the command; else its default.
func shared(c *cli.Context, name string) string {
	for _, at := range c.Lineage() {
		if at.Command != nil && at.IsSet(name) {
			return at.String(name)
		}
	}
	return c.String(name)
}

// noCommand answers a call without a command, or with one that does not exist.
func noCommand(c *cli.Context) error {
	if c.Args().Present() {
		return Usagef("%s has no command %q: see %s --help", c.App.Name, c.Args().First(), c.App.Name)
	}
	cli.ShowAppHelp(c)
	return Usagef("a command is missing")
}

func refuseUnknown(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = func(_ *cli.Context, err error, _ bool) error { return Usage(err) }
		c.HideHelpCommand = true
		c.Flags = append(c.Flags, sharedFlags()...)
		refuseUnknown(c.Subcommands)
		if c.Action == nil {
			c.Action = noCommand
		}
	}
}

// Main runs app with the process's arguments until it is done or interrupted, tells its error on
// stderr, and exits.
func Main(app *cli.App) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := app.RunContext(ctx, os.Args)
	stop()
	if code := Code(err); code != Done {
		tell(os.Stderr, app.Name, err)
		os.Exit(code)
	}
}

func tell(w io.Writer, name string, err error) {
	for line := range strings.Lines(security.RedactText(err.Error())) {
		visible.Fprintf(w, "%s: %s\n", name, strings.TrimRight(line, "\n"))
	}
}

// Logger is the logger that the flags ask for, on stderr; level is what holds where they don't say.
func Logger(c *cli.Context, level string) (*slog.Logger, error) {
	if given := shared(c, "log-level"); given != "" {
		level = given
	}
	log, err := telemetry.NewLogger(os.Stderr, level, shared(c, "log-format"))
	if err != nil {
		return nil, Usage(err)
	}
	return log, nil
}

// JSONFlag is --json of commands that print tables for people.
var JSONFlag = &cli.BoolFlag{Name: "json", Usage: "print JSON"}

// PrintJSON is what --json asks for.
func PrintJSON(out io.Writer, v any) error {
	e := json.NewEncoder(out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// ConfigFile is the file that --config names, or empty.
func ConfigFile(c *cli.Context) string { return shared(c, "config") }

// LoadConfig reads --config into target, which holds the defaults. Without --config the file
// fallback is read where it exists; else the defaults and the environment stand.
func LoadConfig(c *cli.Context, fallback string, target any) error {
	file := ConfigFile(c)
	if file == "" {
		if _, err := os.Stat(fallback); err != nil {
			return config.Parse("environment", nil, target, os.Environ())
		}
		file = fallback
	}
	err := config.Load(file, target, os.Environ())
	if err != nil && !config.IsMistake(err) {
		return Usage(err)
	}
	return err
}

// Home is where set-up put models, samples and native libraries: $CANVAS_HOME, else .deps beside
// the folder of the program, else /usr/lib/canvas.
func Home() string {
	if home := os.Getenv("CANVAS_HOME"); home != "" {
		return home
	}
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			home := filepath.Join(filepath.Dir(exe), "..", ".deps")
			if _, err := os.Stat(home); err == nil {
				return filepath.Clean(home)
			}
		}
	}
	return "/usr/lib/canvas"
}
