package main

import (
	"os"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
)

func addCommand(folders urfave.Flag) *urfave.Command {
	return &urfave.Command{Name: "add", ArgsUsage: "FILE.onnx",
		Usage: "put a network of your own into a repository, with a manifest made from what its file says",
		Flags: []urfave.Flag{folders,
			&urfave.StringFlag{Name: "labels", Usage: "names of the classes: a data.yaml, or a `FILE` with one a line; default: those in the file"},
			&urfave.StringFlag{Name: "name", Usage: "`NAME` of the model; default: the file's"}},
		Action: addModel}
}

func addModel(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("add takes one .onnx file, after the options")
	}
	folders := c.StringSlice("models")
	if len(folders) == 0 {
		return cli.Usagef("name the repository to add it to with --models DIR")
	}
	var labels []string
	if file := c.String("labels"); file != "" {
		var err error
		if labels, err = model.ReadLabels(file); err != nil {
			return cli.Usage(err)
		}
	}
	scratch, err := os.MkdirTemp("", "canvas-model-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	g, err := infer.Recognise(c.Context, c.Args().First(), scratch, labels, trialLayout(c))
	if err != nil {
		return err
	}
	if name := c.String("name"); name != "" {
		if g.Name = name; !model.ValidName(name) {
			return cli.Usagef("%q is not a name: use up to 64 letters, digits, '-', '_' and '.'", name)
		}
	}
	m, err := model.Add(folders[0], g)
	if err != nil {
		return err
	}
	for _, f := range g.Found {
		visible.Fprintf(c.App.Writer, "found    %s\n", f)
	}
	for _, f := range g.Guessed {
		visible.Fprintf(c.App.Writer, "guessed  %s\n", f)
	}
	visible.Fprintf(c.App.Writer, "%s %s is in %s; look at its model.yaml\n", m.Name, m.Version, m.Path)
	return nil
}
