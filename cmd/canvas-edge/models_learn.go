package main

import (
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/anomaly"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

func learnCommand(folders urfave.Flag) *urfave.Command {
	return &urfave.Command{
		Name: "learn", Usage: "make a detector of defects from pictures of good parts alone", ArgsUsage: "NAME",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "good", Required: true, Usage: "`DIR` of pictures of good parts, 30 or more as the camera sees them"},
			&urfave.StringFlag{Name: "backbone", Required: true, Usage: "the `MODEL` whose features are used, such as yolox_nano"},
			&urfave.StringFlag{Name: "out", Required: true, Usage: "the model repository to put it into, `DIR`"},
			&urfave.StringFlag{Name: "size", Usage: "`WIDTHxHEIGHT` of the input, where the backbone takes any"},
			&urfave.StringSliceFlag{Name: "layer", Usage: "a `TENSOR` of the backbone; one, or two of which the second has half the grid; default: chosen"},
			&urfave.IntFlag{Name: "bank", Value: 400, Usage: "features that stand for all: more see finer, and cost time at each picture"},
			&urfave.Uint64Flag{Name: "seed", Value: 1, Usage: "the same seed and pictures give the same network"},
			folders,
		},
		Action: learnModel,
	}
}

func learnModel(c *urfave.Context) error {
	log, err := cli.Logger(c, "info")
	if err != nil {
		return err
	}
	if c.NArg() != 1 || !model.ValidName(c.Args().First()) {
		return cli.Usagef("learn takes one name for the new model: letters, digits, '-', '_' and '.'")
	}
	if bank := c.Int("bank"); bank < 10 || bank > 10_000 {
		return cli.Usagef("--bank %d: give 10 to 10000", bank)
	}
	size, err := parseSize(c.String("size"))
	if err != nil {
		return err
	}
	r, _, err := openModels(c)
	if err != nil {
		return err
	}
	backbone, err := r.Find(c.String("backbone"))
	if err != nil {
		return cli.Usage(err)
	}
	if backbone.Builtin != "" {
		return cli.Usagef("--backbone %s is no network: take one with an ONNX file", backbone.Name)
	}
	good, err := goodPictures(c.String("good"))
	if err != nil {
		return err
	}
	l, err := anomaly.Learn(c.Context, anomaly.Options{Backbone: backbone, Layers: c.StringSlice("layer"), Size: size, Pictures: len(good), Bank: c.Int("bank"),
		Threads: runtime.GOMAXPROCS(0), Seed: c.Uint64("seed"), Log: log, Picture: func(n int) (vision.Image, error) {
			return readPicture(good[n])
		}})
	if err != nil {
		return err
	}
	m, err := l.Write(c.String("out"), c.Args().First())
	if err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "%s is in %s: learned from %d good pictures, %d features of layers %s\n", m.Name, filepath.Dir(filepath.Dir(m.Path)), l.Pictures, l.Bank, strings.Join(l.Layers, ", "))
	visible.Fprintf(c.App.Writer, "held against the others, good pictures scored %.2f to 0.50; a place from %.2f on is a defect (output.report in its model.yaml)\n", 0.5*l.Nearest/l.Reach, m.Output.Report)
	return nil
}

// maxPicture bounds the pixels of a picture to learn from.
const maxPicture = 100 << 20

// parseSize reads WIDTHxHEIGHT; empty is none.
func parseSize(s string) ([]int, error) {
	if s == "" {
		return nil, nil
	}
	w, h, ok := strings.Cut(s, "x")
	width, wrong := strconv.Atoi(w)
	height, wrongToo := strconv.Atoi(h)
	if !ok || wrong != nil || wrongToo != nil {
		return nil, cli.Usagef("--size %q: write it as 416x416", s)
	}
	return []int{width, height}, nil
}

func goodPictures(dir string) (paths []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, cli.Usagef("--good: %w", err)
	}
	for _, e := range entries {
		if path := filepath.Join(dir, e.Name()); !e.IsDir() && pictures.Meant(path) {
			paths = append(paths, path)
		}
	}
	if len(paths) < anomaly.Least {
		return nil, cli.Usagef("--good %s has %d pictures: %d are the least, 30 a good start", dir, len(paths), anomaly.Least)
	}
	return paths, nil
}
