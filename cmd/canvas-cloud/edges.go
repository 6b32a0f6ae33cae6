package main

import (
	"cmp"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/blocklist"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/visible"
)

func edgesCommand() *urfave.Command {
	return &urfave.Command{
		Name: "edges", Usage: "devices that are blocked: what they send is refused, and they keep it",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list those that are blocked, by whom and why", Flags: []urfave.Flag{cli.JSONFlag}, Action: listBlocked},
			{Name: "block", Usage: "block a device at all bridges", ArgsUsage: "NAME",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "reason", Usage: "kept, and shown by `edges ls`"}}, Action: onEdge(blockEdge)},
			{Name: "unblock", Usage: "unblock a device", ArgsUsage: "NAME", Action: onEdge(unblockEdge)},
		},
	}
}

// onEdge is a command that changes the list for one device.
func onEdge(do func(ctx context.Context, c *urfave.Context, z coord.Coordinator, edge string) error) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if c.NArg() != 1 {
			return cli.Usagef("%s takes the name of one device, after its flags", c.Command.Name)
		}
		cfg, err := loadConfig(c)
		if err != nil {
			return err
		}
		return withCoordinator(c.Context, cfg, func(ctx context.Context, z coord.Coordinator) error {
			err := do(ctx, c, z, c.Args().First())
			if errors.Is(err, blocklist.ErrRefused) {
				return cli.Usage(err)
			}
			return err
		})
	}
}

func blockEdge(ctx context.Context, c *urfave.Context, z coord.Coordinator, edge string) error {
	err := blocklist.Block(ctx, z, edge, blocklist.Entry{By: person(), At: time.Now().UTC().Truncate(time.Second), Reason: c.String("reason")})
	if err == nil {
		visible.Fprintf(c.App.Writer, "%s is blocked: bridges refuse what it sends from now on, and it keeps its items; `edges unblock %s` takes that back\n", edge, edge)
	}
	return err
}

func unblockEdge(ctx context.Context, c *urfave.Context, z coord.Coordinator, edge string) error {
	err := blocklist.Unblock(ctx, z, edge)
	if err == nil {
		visible.Fprintf(c.App.Writer, "%s is unblocked: it sends what it has kept\n", edge)
	}
	return err
}

// blockedEdge is one line of `edges ls`.
type blockedEdge struct {
	Edge string `json:"edge"`
	blocklist.Entry
}

func listBlocked(c *urfave.Context) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	return withCoordinator(c.Context, cfg, func(ctx context.Context, z coord.Coordinator) error {
		list, err := blocklist.Read(ctx, z)
		if err != nil {
			return err
		}
		all := []blockedEdge{}
		for _, edge := range slices.Sorted(maps.Keys(list)) {
			all = append(all, blockedEdge{edge, list[edge]})
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, all)
		}
		return printBlocked(c.App.Writer, all)
	})
}

func printBlocked(out io.Writer, all []blockedEdge) error {
	w := table(out)
	w.Printf("BLOCKED\tBY\tSINCE\tREASON\n")
	for _, b := range all {
		w.Printf("%s\t%s\t%s\t%s\n", b.Edge, b.By, b.At.UTC().Format(time.RFC3339), cmp.Or(b.Reason, "-"))
	}
	return w.Flush()
}
