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
	sub := &cli.Command{Name: "process", Flags: []cli.Flag{&cli.IntFlag{Name: "n"}}, Action: func(*cli.Context) error { return nil }}
	group := &cli.Command{Name: "models", Subcommands: []*cli.Command{{Name: "ls", Action: func(*cli.Context) error { return nil }}}}
	for _, args := range [][]string{{"paint"}, {"process", "--m", "1"}, {"process", "--n", "x"}, {}, {"--colour"}, {"models"}, {"models", "sl"}} {
		app := App("canvas", "test", "1", sub, group)
		app.Writer, app.ErrWriter = &bytes.Buffer{}, &bytes.Buffer{}
		if err := app.Run(append([]string{"canvas"}, args...)); Code(err) != WrongUsage {
			t.Errorf("%v: got %v", args, err)
		}
	}
}
