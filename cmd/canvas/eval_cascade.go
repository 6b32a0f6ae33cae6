package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/evaluate"
)

// evalCascadeCommand measures a small network on the device with a larger one behind it in the cloud:
// what is gained for which bytes.
func evalCascadeCommand() *urfave.Command {
	return &urfave.Command{Name: "cascade", Usage: "quality against bytes of a device's model with a larger one in the cloud",
		Subcommands: []*urfave.Command{cascadeMaskCommand(), cascadeDetectCommand()}}
}

func cascadeFlags(more ...urfave.Flag) []urfave.Flag {
	return append(measureFlags(more...),
		&urfave.StringFlag{Name: "edge", Required: true, Usage: "the device's model, `NAME`"},
		&urfave.StringFlag{Name: "cloud", Required: true, Usage: "the cloud's model, `NAME`"},
		&urfave.Float64Flag{Name: "budget", Value: 0.5, Usage: "share of the bytes of sending everything that may be spent, 0 to 1"},
		&urfave.IntFlag{Name: "steps", Value: 10, Usage: "points of the curve"})
}

// cascade is what both cascades have in common.
type cascade struct {
	measure
	edge, cloud string
	budget      float64
	steps       int
}

func newCascade(c *urfave.Context) (cascade, error) {
	m, err := newMeasure(c)
	k := cascade{m, c.String("edge"), c.String("cloud"), c.Float64("budget"), c.Int("steps")}
	switch {
	case err != nil:
	case m.model != "":
		err = cli.Usagef("a cascade has two models: name them with --edge and --cloud")
	case !(k.budget >= 0 && k.budget <= 1):
		err = cli.Usagef("--budget %g is not a share; use 0 to 1", k.budget)
	case k.steps < 1 || k.steps > 1000:
		err = cli.Usagef("--steps %d; use 1 to 1000", k.steps)
	}
	return k, err
}

// of is the measure with one of the two models.
func (k cascade) of(model string) measure {
	m := k.measure
	m.model = model
	return m
}

// cascadeReport is report.json.
type cascadeReport struct {
	EdgeModel  string            `json:"edge_model"`
	CloudModel string            `json:"cloud_model"`
	Figure     string            `json:"figure"` // what the quality is
	Pieces     int               `json:"pieces"`
	AllBytes   int               `json:"all_bytes"` // of sending everything
	Budget     float64           `json:"budget"`
	Setting    map[string]string `json:"setting"` // of the chosen point, as the device's configuration has it
	evaluate.Cascade
}

// tell draws the curve where there is a folder for it, and reports.
func (k cascade) tell(r cascadeReport) error {
	if k.out != "" {
		if err := r.draw(k.out); err != nil {
			return fmt.Errorf("draw the curve: %w", err)
		}
	}
	return k.finish(r, r.table)
}

func (r cascadeReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s on the device, %s in the cloud; %s on %d pieces, %.1f KiB where all are sent\n\n",
		r.EdgeModel, r.CloudModel, r.Figure, r.Pieces, float64(r.AllBytes)/1024)
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	fmt.Fprintf(t, "doubt from\tsent\tbytes\t%s\tgain\n", r.Figure)
	for _, p := range r.Points {
		mark := ""
		if p == r.Chosen {
			mark = "<- the best within the budget"
		}
		fmt.Fprintf(t, "%.4f\t%.0f %%\t%.1f %%\t%.3f\t%.0f %%\t%s\n", p.Doubt, 100*p.Sent, 100*p.Bytes, p.Quality, 100*p.Gain, mark)
	}
	t.Flush()
	verdict := "does not pay"
	if r.Pays {
		verdict = "pays"
	}
	fmt.Fprintf(w, "\nthe device alone %.3f, the cloud alone %.3f; within %.0f %% of the bytes the cascade %s: %s\n", r.Edge, r.Cloud, 100*r.Budget, verdict, r.Why)
	for setting, value := range r.Setting {
		fmt.Fprintf(w, "set %s: %s\n", setting, value)
	}
}
