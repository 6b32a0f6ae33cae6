package main

import (
	"fmt"
	"io"
	"maps"
	"slices"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/visible"
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
	m.model, m.named = model, "--edge and --cloud"
	return m
}

// cascadeReport is report.json. Where pieces can be sent in several ways, it is of the recommended one.
type cascadeReport struct {
	EdgeModel  string  `json:"edge_model"`
	CloudModel string  `json:"cloud_model"`
	Figure     string  `json:"figure"`    // what the quality is
	Doubt      string  `json:"order"`     // what the doubt is
	AllBytes   int     `json:"all_bytes"` // of sending everything
	Budget     float64 `json:"budget"`
	way
	Ways []way `json:"ways,omitempty"`
}

// way is a curve of one way to send pieces.
type way struct {
	Send    string            `json:"send,omitempty"` // what is sent, where there is a choice
	Pieces  int               `json:"pieces"`
	Setting map[string]string `json:"setting"` // of the chosen point, as the device's configuration has it
	evaluate.Cascade
}

// better says whether a way is to be preferred within the budget: it pays, gives more, or costs less.
func (a way) better(b way) bool {
	switch {
	case a.Pays != b.Pays:
		return a.Pays
	case a.Chosen.Quality != b.Chosen.Quality:
		return a.Chosen.Quality > b.Chosen.Quality
	}
	return a.Chosen.Bytes < b.Chosen.Bytes
}

// recommend makes the report one of several ways, or of the only one.
func (r *cascadeReport) recommend(ways []way) {
	r.way = ways[0]
	for _, w := range ways[1:] {
		if w.better(r.way) {
			r.way = w
		}
	}
	if len(ways) > 1 {
		r.Ways = ways
	}
}

// curves are the report's ways, at least one.
func (r cascadeReport) curves() []way {
	if len(r.Ways) > 0 {
		return r.Ways
	}
	return []way{r.way}
}

// tell draws the curves where there is a folder for them, and reports.
func (k cascade) tell(r cascadeReport) error {
	if k.out != "" {
		if err := r.draw(k.out); err != nil {
			return fmt.Errorf("draw the curve: %w", err)
		}
	}
	return k.finish(r, r.table)
}

func (r cascadeReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s on the device, %s in the cloud; %s, %.1f KiB where all is sent\n", r.EdgeModel, r.CloudModel, r.Figure, float64(r.AllBytes)/1024)
	for _, c := range r.curves() {
		what := c.Send
		if what == "" {
			what = "pieces"
		}
		fmt.Fprintf(w, "\n%d %s, by %s:\n", c.Pieces, what, r.Doubt)
		t := visible.NewTable(w)
		t.Printf("from\tsent\tbytes\t%s\tgain\n", r.Figure)
		for _, p := range c.Points {
			mark := ""
			if p == c.Chosen {
				mark = "<- the best within the budget"
			}
			t.Printf("%.4f\t%.0f %%\t%.1f %%\t%.3f\t%.0f %%\t%s\n", p.Doubt, 100*p.Sent, 100*p.Bytes, p.Quality, 100*p.Gain, mark)
		}
		t.Flush()
	}
	fmt.Fprintf(w, "\nthe device alone %.3f, the cloud alone %.3f; within %.0f %% of the bytes:\n", r.Edge, r.Cloud, 100*r.Budget)
	for _, c := range r.curves() {
		what, verdict := "the cascade", "does not pay"
		if c.Send != "" {
			what += " of " + c.Send
		}
		if c.Pays {
			verdict = "pays"
		}
		fmt.Fprintf(w, "%s %s: %s\n", what, verdict, c.Why)
	}
	for _, setting := range slices.Sorted(maps.Keys(r.Setting)) {
		fmt.Fprintf(w, "set %s: %s\n", setting, r.Setting[setting])
	}
}
