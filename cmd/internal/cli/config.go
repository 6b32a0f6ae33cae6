package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"cloudcanvas/shared/config"
	"cloudcanvas/shared/durable"
)

// intro stands above a sample. FILE is the file, PROGRAM the command that reads it.
const intro = `FILE: every setting of PROGRAM, with what it is and its default. What stays as it is may be left out.
A setting behind a # has no value by default: take the # away and give one. One that is REQUIRED must have one.
${VAR} and ${VAR:-default} in values come from the environment. NAME.md is a page of docs/.
`

// ConfigCommand prints the settings of defaults, a pointer to them, which are read from a file of that name.
func ConfigCommand(file string, defaults any) *cli.Command {
	return &cli.Command{Name: "config", Usage: "print a sample of " + file + " with every setting, or its JSON Schema for editors",
		Flags: []cli.Flag{
			&cli.BoolFlag{Name: "schema", Usage: "the JSON Schema (draft 2020-12)"},
			&cli.StringFlag{Name: "out", Aliases: []string{"o"}, Usage: "write `FILE`, which must not be there yet"},
			&cli.BoolFlag{Name: "overwrite", Usage: "write it even if it is there"},
		},
		Action: func(c *cli.Context) error {
			if c.Args().Present() {
				return Usagef("config takes no argument %q: name a file with -o FILE", c.Args().First())
			}
			settings := config.Describe(defaults)
			text := config.Sample(strings.NewReplacer("FILE", file, "PROGRAM", c.App.Name).Replace(intro), settings)
			if c.Bool("schema") {
				text = config.Schema(file+" of "+c.App.Name, settings)
			}
			out := c.String("out")
			if out == "" {
				_, err := c.App.Writer.Write(text)
				return err
			}
			if _, err := os.Lstat(out); err == nil && !c.Bool("overwrite") {
				return Usagef("%s is there already: name another file, or give --overwrite", out)
			} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("write the settings: %w", err)
			}
			if err := durable.WriteFile(filepath.Clean(out), text, 0o644); err != nil {
				return fmt.Errorf("write the settings: %w", err)
			}
			return nil
		}}
}
