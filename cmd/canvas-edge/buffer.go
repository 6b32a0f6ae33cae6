package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/visible"
)

func bufferCommand() *urfave.Command {
	limit := &urfave.IntFlag{Name: "limit", Value: 100, Usage: "at most `N` lines"}
	return &urfave.Command{
		Name: "buffer", Usage: "what waits for the cloud, and what was dropped; the agent may run meanwhile",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list what waits, in the order of sending", Action: listBuffer,
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "stream", Usage: "of this camera, scene source or sensor only"}, limit, cli.JSONFlag}},
			{Name: "show", Usage: "one item, by its number in this buffer, or by epoch and number", ArgsUsage: "NUMBER|EPOCH/NUMBER", Action: showItem,
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "write its data to `FILE`"}, cli.JSONFlag}},
			{Name: "drops", Usage: "what was dropped, and why", Action: listDrops, Flags: []urfave.Flag{limit, cli.JSONFlag}},
			{Name: "verify", Usage: "check every page and every payload", Action: verifyBuffer, Flags: []urfave.Flag{cli.JSONFlag}},
			{Name: "seen", Usage: "acknowledge the buffer's troubles", Action: seenBuffer},
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
		return cli.PrintJSON(c.App.Writer, map[string]any{"epoch": r.Epoch, "epochs": r.Epochs, "troubles": r.Troubles, "committed": s.Committed, "received": s.Received, "waiting": s.Waiting,
			"dropped": s.Dropped, "bytes": s.Bytes, "items": items})
	}
	w := visible.NewTable(c.App.Writer)
	w.Printf("NUMBER\tPRIORITY\tKIND\tSTREAM\tABOUT\tBYTES\tVALUE\tCOMMITTED\tGOES AS\n")
	for _, i := range items {
		w.Printf("%d\t%d\t%s\t%s\t%q\t%d\t%.2f\t%s\t%s/%d\n", i.Number, i.Priority, i.Kind, i.Stream, i.Subject, i.Bytes, i.Value, i.Committed.Format(time.RFC3339), i.Epoch, i.Seq)
	}
	w.Printf("\n%d committed = %d received + %d waiting (%d bytes) + %d dropped; the last epoch is %s\n", s.Committed, s.Received, s.Waiting, s.Bytes, s.Dropped, r.Epoch)
	if err := w.Flush(); err != nil {
		return err
	}
	for _, t := range r.Troubles {
		visible.Fprintf(c.App.Writer, "\nTROUBLE  %s, since %s: %s\n", t.Kind, t.Since.Format(time.RFC3339), t.Text)
	}
	if len(r.Troubles) > 0 {
		visible.Fprintf(c.App.Writer, "\nWhen that is settled: canvas-edge buffer seen\n")
	}
	return nil
}

// seenBuffer clears the troubles, also of an agent that runs.
func seenBuffer(c *urfave.Context) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	n, err := outbox.Seen(cfg.OutboxFolder())
	if err == nil {
		visible.Fprintf(c.App.Writer, "%d troubles are acknowledged\n", n)
	}
	return err
}

func showItem(c *urfave.Context) error {
	wrong := cli.Usagef("give the number of one item as `canvas-edge buffer ls` lists it, or EPOCH/NUMBER as the cloud knows it")
	epoch, text, named := strings.Cut(c.Args().First(), "/")
	if !named {
		text = epoch
	}
	number, err := strconv.ParseUint(text, 10, 64)
	if err != nil || c.NArg() != 1 {
		return wrong
	}
	r, _, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	if named {
		var ok bool
		if number, ok = r.Number(event.Epoch(epoch), number); !ok {
			return fmt.Errorf("this buffer never had an item %s", c.Args().First())
		}
	}
	i, err := r.Item(number)
	if err != nil {
		return err
	}
	if out := c.String("out"); out != "" {
		if err := os.WriteFile(out, i.Data, 0o644); err != nil {
			return err
		}
	}
	shown := map[string]any{"number": number, "seq": i.Seq, "id": i.ID.String(), "epoch": i.Epoch, "kind": i.Kind, "stream": i.Stream, "subject": i.Subject,
		"time": i.Time, "priority": i.Priority, "attrs": i.Attrs, "type": i.Type, "sha256": i.SHA256.String(), "bytes": len(i.Data)}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, shown)
	}
	for _, field := range []string{"number", "id", "epoch", "seq", "kind", "stream", "subject", "time", "priority", "type", "sha256", "bytes", "attrs"} {
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
		return cli.PrintJSON(c.App.Writer, map[string]any{"epoch": r.Epoch, "dropped": r.Stats.Dropped, "drops": drops})
	}
	w := visible.NewTable(c.App.Writer)
	w.Printf("KNOWN AS\tKIND\tSTREAM\tBYTES\tREASON\tAT\tTOLD\n")
	for _, d := range drops {
		as := fmt.Sprintf("%s/%d", d.Epoch, d.Seq)
		if d.Through > 0 {
			as += fmt.Sprintf(" to %d", d.Through)
		}
		w.Printf("%s\t%s\t%s\t%d\t%s\t%s\t%t\n", as, d.Kind, d.Stream, d.Bytes, d.Reason, d.At.Format(time.RFC3339), d.Reported)
	}
	w.Printf("\n%d dropped\n", r.Stats.Dropped)
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
		if err := cli.PrintJSON(c.App.Writer, map[string]any{"epoch": r.Epoch, "items": items, "wrong": wrong}); err != nil {
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
