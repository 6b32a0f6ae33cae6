package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"

	"cloudcanvas/shared/onnx"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

func modelsCommand() *urfave.Command {
	folders := &urfave.StringSliceFlag{Name: "models", Usage: "a model repository or a folder of .onnx files; `DIR`"}
	return &urfave.Command{
		Name: "models", Usage: "the networks on this device",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list them", Flags: []urfave.Flag{folders, cli.JSONFlag}, Action: listModels},
			{Name: "verify", Usage: "check their files against the manifests, and run their golden cases on each engine of this device", ArgsUsage: "[NAME …]", Flags: []urfave.Flag{folders}, Action: verifyModels},
			{Name: "pull", Usage: "fetch a known model", ArgsUsage: "NAME", Flags: []urfave.Flag{folders}, Action: pullModel},
			addCommand(folders),
			learnCommand(folders),
			quantiseCommand(folders),
		},
	}
}

// openModels opens the folders of --models, else those of the configuration, else what set-up brought.
func openModels(c *urfave.Context) (*model.Repository, []string, error) {
	folders := c.StringSlice("models")
	if len(folders) == 0 {
		cfg, err := loadConfig(c)
		if err != nil && cli.ConfigFile(c) != "" {
			return nil, nil, err
		}
		folders = cfg.ModelFolders(cli.Home())
	}
	r, err := model.Open(folders...)
	return r, folders, err
}

type modelLine struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Task    string `json:"task"`
	Licence string `json:"licence"`
	Path    string `json:"path"`
}

func listModels(c *urfave.Context) error {
	r, folders, err := openModels(c)
	if err != nil {
		return err
	}
	lines := []modelLine{}
	for _, m := range r.List() {
		lines = append(lines, modelLine{m.Name, m.Version, string(m.Task), m.Licence, m.Path})
	}
	if c.Bool("json") {
		if err := json.NewEncoder(c.App.Writer).Encode(lines); err != nil {
			return err
		}
	} else {
		w := visible.NewTable(c.App.Writer)
		w.Printf("NAME\tVERSION\tTASK\tLICENCE\tFILE\n")
		for _, l := range lines {
			w.Printf("%s\t%s\t%s\t%s\t%s\n", l.Name, l.Version, l.Task, l.Licence, l.Path)
		}
		w.Flush()
	}
	return incompleteModels(r, folders)
}

// incompleteModels tells models that were passed over.
func incompleteModels(r *model.Repository, folders []string) error {
	problems := r.Problems()
	for _, p := range problems {
		visible.Fprintf(os.Stderr, "%v\n", p)
	}
	if len(problems) > 0 {
		return cli.Incompletef("%d models in %v can't be used", len(problems), folders)
	}
	return nil
}

func verifyModels(c *urfave.Context) error {
	r, folders, err := openModels(c)
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
	bad := 0
	for _, m := range models {
		if err := m.Verify(); err != nil {
			bad++
			visible.Fprintf(os.Stderr, "%v\n", err)
			continue
		}
		visible.Fprintf(c.App.Writer, "%s %s: %s\n", m.Name, m.Version, fileSays(m))
		if err := answers(c, m); err != nil {
			bad++
			visible.Fprintf(os.Stderr, "%s %s: %v\n", m.Name, m.Version, err)
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d models are not what their manifests say: pull them again, or correct the manifest", bad, len(models))
	}
	return incompleteModels(r, folders)
}

// fileSays is what is known of a model's file before it has run.
func fileSays(m model.Model) string {
	switch {
	case m.Builtin != "":
		return "is built in"
	case m.SHA256 == "":
		return "its manifest names no sha256 to compare the file with"
	default:
		return "the file is the one that its manifest names"
	}
}

// trialLayout is one session, and what the service remembers of trials. A configuration that is not whole
// has bounds all the same.
func trialLayout(c *urfave.Context) infer.Layout {
	cfg, _ := loadConfig(c)
	l := infer.Layout{Sessions: 1, Trials: infer.DefaultMemory(), TrialTime: cfg.Models.Layout.TrialTime, TrialMemory: cfg.Models.Layout.TrialMemory}
	l.Problems(func(field, _, _ string) { l.TrialTime, l.TrialMemory = 0, 0 })
	return l
}

// answers lets each engine of this machine run a model's golden case. One that is not here, or that the
// model has nothing for, is reported and no mistake.
func answers(c *urfave.Context, m model.Model) error {
	if m.Builtin != "" {
		return nil
	}
	l := trialLayout(c)
	var wrong []error
	ran := false
	for _, engine := range infer.Engines() {
		net, report, err := infer.Open(c.Context, m, engine, l, nil)
		switch {
		case c.Context.Err() != nil:
			return c.Context.Err()
		case errors.Is(err, onnx.ErrUnsafe), errors.Is(err, infer.ErrMisfit):
			return err
		case err == nil:
			ran = true
			visible.Fprintf(c.App.Writer, "  %-18s golden case: %s, %.1f ms\n", engine, report.Golden, report.Ms)
			net.Close()
		case engine == infer.OVInt8 && errors.Is(err, infer.ErrDisagrees):
			// The golden case in 8 bits is what ONNX Runtime gave; where the other rounds otherwise it is not used.
			visible.Fprintf(c.App.Writer, "  %-18s not used: %s\n", engine, report.Trials[0].Reason)
		case errors.Is(err, infer.ErrDisagrees):
			wrong = append(wrong, err)
		case len(report.Trials) == 1:
			visible.Fprintf(c.App.Writer, "  %-18s %s\n", engine, report.Trials[0].Reason)
		default:
			wrong = append(wrong, err)
		}
	}
	if !ran && len(wrong) == 0 {
		return fmt.Errorf("model %s: no engine here can run it, for the reasons above", m.Name)
	}
	return errors.Join(wrong...)
}

func pullModel(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("pull takes the name of one model; `canvas-edge models ls` lists those that are here")
	}
	folders := c.StringSlice("models")
	if len(folders) == 0 {
		return cli.Usagef("name the repository to pull into with --models DIR")
	}
	m, err := model.Puller{}.Pull(c.Context, folders[0], c.Args().First())
	if err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "%s %s is in %s\n", m.Name, m.Version, m.Path)
	return nil
}
