package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

func modelsCommand() *urfave.Command {
	version := &urfave.StringFlag{Name: "version", Usage: "the published version, a `NUMBER`"}
	return &urfave.Command{
		Name: "models", Usage: "the models of the cluster and their versions",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "what is published, wanted and running, and why it was changed", Flags: []urfave.Flag{cli.JSONFlag}, Action: listModels},
			{Name: "publish", Usage: "put a version into the object store", ArgsUsage: "FOLDER",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "of", Usage: "which version in the folder, a `NUMBER`; default: the newest"},
					&urfave.BoolFlag{Name: "untried", Usage: "without a trial here first: for models of machines unlike this one"}, cli.JSONFlag}, Action: publishModel},
			{Name: "canary", Usage: "let a version see a share of the items", ArgsUsage: "NAME",
				Flags: []urfave.Flag{version, &urfave.Float64Flag{Name: "share", Value: 0.1, Usage: "of the items, more than 0 and at most 1"}, cli.JSONFlag},
				Action: changePlan(func(ctx context.Context, c *urfave.Context, d release.Admin, name string) (release.Plan, error) {
					if c.String("version") == "" {
						return release.Plan{}, cli.Usagef("name the canary with --version; `models ls` shows what is published")
					}
					return d.Canary(ctx, name, c.String("version"), c.Float64("share"))
				})},
			{Name: "promote", Usage: "make a version, or the canary, the one that all workers run", ArgsUsage: "NAME", Flags: []urfave.Flag{version, cli.JSONFlag},
				Action: changePlan(func(ctx context.Context, c *urfave.Context, d release.Admin, name string) (release.Plan, error) {
					return d.Promote(ctx, name, c.String("version"))
				})},
			{Name: "rollback", Usage: "take the canary back, or else the version before", ArgsUsage: "NAME",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "reason", Usage: "kept, and shown by `models ls`"}, cli.JSONFlag},
				Action: changePlan(func(ctx context.Context, c *urfave.Context, d release.Admin, name string) (release.Plan, error) {
					return d.Rollback(ctx, name, c.String("reason"))
				})},
			edgeModelsCommand(),
		},
	}
}

// withModels connects to the object store and ZooKeeper, where versions of models are kept.
func withModels(c *urfave.Context, do func(ctx context.Context, z coord.Coordinator, d release.Admin) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	objects, err := store.Open(c.Context, cfg.Store)
	if err != nil {
		return err
	}
	defer objects.Close()
	return withCoordinator(c.Context, cfg, func(ctx context.Context, z coord.Coordinator) error {
		return do(ctx, z, release.Admin{Group: z, Library: release.Library{Objects: objects}, By: operator()})
	})
}

// changePlan is a command that changes one model's plan.
func changePlan(do func(ctx context.Context, c *urfave.Context, d release.Admin, name string) (release.Plan, error)) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if c.NArg() != 1 {
			return cli.Usagef("%s takes the name of one model, after its flags; `models ls` lists them", c.Command.Name)
		}
		return withModels(c, func(ctx context.Context, _ coord.Coordinator, d release.Admin) error {
			p, err := do(ctx, c, d, c.Args().First())
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return cli.PrintJSON(c.App.Writer, p)
			}
			visible.Fprintf(c.App.Writer, "%s: desired %s, canary %s; the workers follow\n", c.Args().First(), shipped(p.Desired), canaryOf(p))
			return nil
		})
	}
}

// tryModel lets a model run its golden case before it is published: first in a process of its own.
func tryModel(ctx context.Context, m model.Model, l infer.Layout) error {
	l.Sessions, l.Trials, l.Remember = 1, l.Remember, ""
	net, _, err := infer.Open(ctx, m, infer.Auto, l, nil)
	if err != nil {
		return err
	}
	return net.Close()
}

func publishModel(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("publish takes a model's folder: model.yaml, golden.json, <version>/model.onnx")
	}
	folder, err := filepath.Abs(c.Args().First())
	if err != nil {
		return err
	}
	repository, err := model.Open(filepath.Dir(folder))
	if err != nil {
		return cli.Usage(err)
	}
	name := filepath.Base(folder)
	if of := c.String("of"); of != "" {
		name += "@" + of
	}
	m, err := repository.Find(name)
	if err != nil {
		return cli.Usage(err)
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	if !c.Bool("untried") {
		if err := tryModel(c.Context, m, cfg.Models.Layout); err != nil {
			return fmt.Errorf("%w\nIt is not published. canvas-edge models verify shows what each engine says; --untried publishes it all the same", err)
		}
	}
	objects, err := store.Open(c.Context, cfg.Store)
	if err != nil {
		return err
	}
	defer objects.Close()
	version, err := release.Library{Objects: objects}.Publish(c.Context, m, folder)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, map[string]string{"name": m.Name, "version": version})
	}
	visible.Fprintf(c.App.Writer, "%s version %s is published; nothing runs it yet: models canary or models promote\n", m.Name, version)
	return nil
}

// modelRow is a model with who runs which version of it.
type modelRow struct {
	release.Row
	Running map[string]int `json:"running"` // version → workers
}

func listModels(c *urfave.Context) error {
	return withModels(c, func(ctx context.Context, z coord.Coordinator, d release.Admin) error {
		rows, err := d.List(ctx)
		if err != nil {
			return err
		}
		members, err := z.Members(ctx, coord.Worker)
		if err != nil {
			return err
		}
		workers := <-members
		all := []modelRow{}
		for _, r := range rows {
			row := modelRow{r, map[string]int{}}
			for _, w := range workers {
				if v := w.Models[r.Name]; v != "" {
					row.Running[v]++
				}
			}
			all = append(all, row)
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, all)
		}
		return printModels(c.App.Writer, all)
	})
}

func printModels(out io.Writer, all []modelRow) error {
	w := table(out)
	w.Printf("MODEL\tPUBLISHED\tDESIRED\tCANARY\tPREVIOUS\tRUNNING\tLAST CHANGE\n")
	for _, r := range all {
		last := "-"
		if n := len(r.Changes); n > 0 {
			l := r.Changes[n-1]
			last = strings.TrimRight(fmt.Sprintf("%s %s %s by %s: %s", l.At.Format(time.RFC3339), l.What, l.Version, l.By, visible.Short(l.Reason, 160)), ": ")
		}
		running := orDash(strings.Trim(strings.ReplaceAll(fmt.Sprint(r.Running), "map", ""), "[]"))
		w.Printf("%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, orDash(strings.Join(r.Versions, " ")), shipped(r.Desired), canaryOf(r.Plan), shipped(r.Previous), running, last)
	}
	return w.Flush()
}

func canaryOf(p release.Plan) string {
	if p.Canary == nil {
		return "-"
	}
	return fmt.Sprintf("%s for %g %%", p.Canary.Version, p.Canary.Share*100)
}

// shipped is a version, or where each worker's own repository decides.
func shipped(version string) string {
	if version == "" {
		return "as shipped"
	}
	return version
}
