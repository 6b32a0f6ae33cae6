package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/visible"
)

func bufferCommand() *urfave.Command {
	limit := &urfave.IntFlag{Name: "limit", Value: 100, Usage: "at most `N` lines"}
	return &urfave.Command{
		Name: "buffer", Usage: "what waits for the cloud, and what was dropped; the agent may run meanwhile",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list what waits, what goes first before the rest", Action: listBuffer,
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "stream", Usage: "of this camera, scene source or sensor only"}, limit, jsonFlag}},
			{Name: "show", Usage: "one item", ArgsUsage: "NUMBER", Action: showItem,
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "write its data to `FILE`"}, jsonFlag}},
			{Name: "drops", Usage: "the ledger: what was let go of, and why", Action: listDrops, Flags: []urfave.Flag{limit, jsonFlag}},
			{Name: "verify", Usage: "look at every page and every payload", Action: verifyBuffer, Flags: []urfave.Flag{jsonFlag}},
			{Name: "export", Usage: "write what waits to a folder, to be carried to the cloud; it stays here until the cloud's receipt", ArgsUsage: "DIR", Action: exportBuffer},
			{Name: "drain", Usage: "send what waits and end; the agent must be stopped", Action: drainBuffer,
				Flags: []urfave.Flag{&urfave.DurationFlag{Name: "timeout", Value: time.Hour, Usage: "give up after `TIME`"}}},
		},
	}
}

// lookInto opens the configured device's buffer for reading.
func lookInto(c *urfave.Context) (*outbox.Reader, edge.Config, error) {
	cfg, err := loadConfig(c)
	if err != nil {
		return nil, cfg, err
	}
	r, err := outbox.OpenReader(cfg.OutboxFolder(), cfg.Edge)
	return r, cfg, err
}

func limitOf(c *urfave.Context) (int, error) {
	n := c.Int("limit")
	if n < 1 || n > 10_000_000 {
		return 0, cli.Usagef("--limit %d: use 1 to 10000000", n)
	}
	return n, nil
}

func printJSON(c *urfave.Context, v any) error {
	e := json.NewEncoder(c.App.Writer)
	e.SetIndent("", " ")
	return e.Encode(v)
}

func listBuffer(c *urfave.Context) error {
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	r, _, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	items, err := r.List(c.Context, c.String("stream"), limit)
	if err != nil {
		return err
	}
	s := r.Stats
	if c.Bool("json") {
		return printJSON(c, map[string]any{"epoch": r.Epoch, "committed": s.Committed, "received": s.Received, "waiting": s.Waiting,
			"dropped": s.Dropped, "bytes": s.Bytes, "items": items})
	}
	w := visible.NewTable(c.App.Writer)
	w.Printf("NUMBER\tPRIORITY\tKIND\tSTREAM\tABOUT\tBYTES\tVALUE\tCOMMITTED\n")
	for _, i := range items {
		w.Printf("%d\t%d\t%s\t%s\t%q\t%d\t%.2f\t%s\n", i.Seq, i.Priority, i.Kind, i.Stream, i.Subject, i.Bytes, i.Value, i.Committed.Format(time.RFC3339))
	}
	w.Printf("\nepoch %s: %d committed = %d received + %d waiting (%d bytes) + %d dropped\n", r.Epoch, s.Committed, s.Received, s.Waiting, s.Bytes, s.Dropped)
	return w.Flush()
}

func showItem(c *urfave.Context) error {
	seq, err := strconv.ParseUint(c.Args().First(), 10, 64)
	if err != nil || c.NArg() != 1 {
		return cli.Usagef("give the number of one item, as `canvas-edge buffer ls` lists them")
	}
	r, _, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	i, err := r.Item(seq)
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		if err := os.WriteFile(out, i.Data, 0o644); err != nil {
			return err
		}
	}
	shown := map[string]any{"number": i.Seq, "id": i.ID.String(), "epoch": i.Epoch, "kind": i.Kind, "stream": i.Stream, "subject": i.Subject,
		"time": i.Time, "priority": i.Priority, "attrs": i.Attrs, "type": i.Type, "sha256": i.SHA256.String(), "bytes": len(i.Data)}
	if c.Bool("json") {
		return printJSON(c, shown)
	}
	for _, field := range []string{"number", "id", "epoch", "kind", "stream", "subject", "time", "priority", "type", "sha256", "bytes", "attrs"} {
		visible.Fprintf(c.App.Writer, "%-9s %+v\n", field, shown[field])
	}
	return nil
}

func listDrops(c *urfave.Context) error {
	limit, err := limitOf(c)
	if err != nil {
		return err
	}
	r, _, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	drops, err := r.Drops(c.Context, limit)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		return printJSON(c, map[string]any{"epoch": r.Epoch, "dropped": r.Stats.Dropped, "drops": drops})
	}
	w := visible.NewTable(c.App.Writer)
	w.Printf("NUMBER\tKIND\tSTREAM\tBYTES\tREASON\tAT\tTOLD\n")
	for _, d := range drops {
		w.Printf("%d\t%s\t%s\t%d\t%s\t%s\t%t\n", d.Seq, d.Kind, d.Stream, d.Bytes, d.Reason, d.At.Format(time.RFC3339), d.Reported)
	}
	w.Printf("\n%d dropped in epoch %s\n", r.Stats.Dropped, r.Epoch)
	return w.Flush()
}

func verifyBuffer(c *urfave.Context) error {
	r, _, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	wrong := []string{}
	items, err := r.Verify(c.Context, func(what string) { wrong = append(wrong, what) })
	if err != nil {
		wrong = append(wrong, err.Error())
	}
	if c.Bool("json") {
		if err := printJSON(c, map[string]any{"epoch": r.Epoch, "items": items, "wrong": wrong}); err != nil {
			return err
		}
	} else {
		for _, what := range wrong {
			visible.Fprintf(c.App.Writer, "%s\n", what)
		}
		visible.Fprintf(c.App.Writer, "%d items are whole, %d faults\n", items, len(wrong))
	}
	if len(wrong) > 0 {
		return fmt.Errorf("the buffer has %d faults: restart the agent, which salvages what can be read", len(wrong))
	}
	return nil
}
