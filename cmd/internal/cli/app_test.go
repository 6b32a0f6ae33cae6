package cli

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"github.com/urfave/cli/v2"

	"cloudcanvas/shared/config"
)

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{nil, Done},
		{errors.New("broken"), Failed},
		{fmt.Errorf("run: %w", Usagef("no such scene")), WrongUsage},
		{&config.Error{}, WrongUsage},
		{Incompletef("1 of 3 scenes failed"), Incomplete},
	} {
		if got := Code(c.err); got != c.want {
			t.Errorf("%v: got %d, want %d", c.err, got, c.want)
		}
	}
}

func TestWrongUsageIsTold(t *testing.T) {
	none := func(*cli.Context) error { return nil }
	commands := func() []*cli.Command {
		return []*cli.Command{
			{Name: "process", Flags: []cli.Flag{&cli.IntFlag{Name: "n"}}, Action: none},
			{Name: "models", Subcommands: []*cli.Command{{Name: "ls", Action: none}}},
		}
	}
	for _, args := range [][]string{{"paint"}, {"process", "--m", "1"}, {"process", "--n", "x"}, {}, {"--colour"}, {"models"}, {"models", "sl"}} {
		app := App("canvas", "test", "1", commands()...)
		app.Writer, app.ErrWriter = &bytes.Buffer{}, &bytes.Buffer{}
		if err := app.Run(append([]string{"canvas"}, args...)); Code(err) != WrongUsage {
			t.Errorf("%v: got %v", args, err)
		}
	}
}

func TestSharedFlagsStandBeforeTheCommandOrAfterIt(t *testing.T) {
	for _, args := range [][]string{{"--config", "a.yaml", "show"}, {"show", "--config", "a.yaml"}, {"--config", "b.yaml", "show", "--config", "a.yaml"}} {
		var got string
		show := &cli.Command{Name: "show", Action: func(c *cli.Context) error { got = ConfigFile(c); return nil }}
		if err := App("canvas", "test", "1", show).Run(append([]string{"canvas"}, args...)); err != nil || got != "a.yaml" {
			t.Errorf("%v: got %q, %v", args, got, err)
		}
	}
}
