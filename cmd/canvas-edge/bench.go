package main

import (
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

// benched is how fast a model runs here.
type benched struct {
	Model   string             `json:"model"`
	Engine  string             `json:"engine"`
	Layouts []infer.LayoutRate `json:"layouts"`
}

func benchCommand() *urfave.Command {
	return &urfave.Command{
		Name: "bench", Usage: "how many images a second each network can do on this device, and by which layout; nothing else should run", ArgsUsage: "[MODEL …]",
		Flags: []urfave.Flag{
			&urfave.StringSliceFlag{Name: "models", Usage: "a model repository or a folder of .onnx files; `DIR`"},
			&urfave.DurationFlag{Name: "time", Value: 10 * time.Second, Usage: "for each model"}, cli.JSONFlag,
		},
		Action: func(c *urfave.Context) error {
			r, _, err := openModels(c)
			if err != nil {
				return err
			}
			models := r.List()
			if c.Args().Present() {
				models = nil
				for _, name := range c.Args().Slice() {
					m, err := r.Find(name)
					if err != nil {
						return cli.Usage(err)
					}
					models = append(models, m)
				}
			}
			var all []benched
			failed := 0
			for _, m := range models {
				b, err := bench(c, m)
				if err != nil {
					failed++
					visible.Fprintf(c.App.ErrWriter, "%v\n", err)
					continue
				}
				all = append(all, b)
			}
			if err := printBench(c, all); err != nil {
				return err
			}
			if failed > 0 {
				return cli.Incompletef("%d of %d models do not run here", failed, len(models))
			}
			return nil
		},
	}
}

func bench(c *urfave.Context, m model.Model) (benched, error) {
	log, err := cli.Logger(c, "warn")
	if err != nil {
		return benched{}, err
	}
	net, report, err := infer.Open(c.Context, m, infer.Auto, trialLayout(c), log)
	if err != nil {
		return benched{}, err
	}
	net.Close()
	rates, err := infer.Layouts(c.Context, m, report.Engine, c.Duration("time"))
	return benched{m.Name, report.Engine, rates}, err
}

func printBench(c *urfave.Context, all []benched) error {
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, all)
	}
	w := visible.NewTable(c.App.Writer)
	w.Printf("MODEL\tENGINE\tSESSIONS\tTHREADS\tIMAGES/S\n")
	for _, b := range all {
		for _, l := range b.Layouts {
			w.Printf("%s\t%s\t%d\t%d\t%.1f\n", b.Model, b.Engine, l.Sessions, l.Threads, l.Rate)
		}
	}
	return w.Flush()
}
