package main

import (
	"errors"
	"path/filepath"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/signed"
	"cloudcanvas/shared/visible"
)

func keysCommand() *urfave.Command {
	return &urfave.Command{
		Name: "keys", Usage: "keys that messages to devices are signed with",
		Subcommands: []*urfave.Command{
			{Name: "new", Usage: "make a key: " + signed.KeyFile + ", which only its owner may read, for signing.key_file, and " + signed.PublicFile + " for the devices",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "into this folder; keys that are there stay; `DIR`", Required: true}}, Action: makeKey},
			{Name: "show", Usage: "print the ids of public keys, and the lines for cloud.trusted_keys of devices", ArgsUsage: "FILE …", Flags: []urfave.Flag{cli.JSONFlag}, Action: showKeys},
		},
	}
}

func makeKey(c *urfave.Context) error {
	dir := c.String("out")
	key, err := signed.Make(dir)
	if err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "key %s is made\n%s    the secret: set signing.key_file of every bridge to it, and keep a copy offline\n%s    for cloud.trusted_keys of the devices, or in its place the line\n%s\n",
		signed.IDOf(key), filepath.Join(dir, signed.KeyFile), filepath.Join(dir, signed.PublicFile), signed.Text(key))
	return nil
}

// shownKey is one line of `keys show`.
type shownKey struct {
	ID  string `json:"id"`
	Key string `json:"key"`
}

func showKeys(c *urfave.Context) error {
	if c.NArg() == 0 {
		return cli.Usage(errors.New("give one or more files such as " + signed.PublicFile))
	}
	keys, err := signed.Trusted(c.Args().Slice())
	if err != nil {
		return err
	}
	all := make([]shownKey, len(keys))
	for n, key := range keys {
		all[n] = shownKey{signed.IDOf(key).String(), signed.Text(key)}
	}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, all)
	}
	for _, k := range all {
		visible.Fprintf(c.App.Writer, "%s  %s\n", k.ID, k.Key)
	}
	return nil
}
