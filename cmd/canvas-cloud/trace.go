package main

import (
	"context"
	"fmt"
	"io"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/lineage"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/visible"
)

func traceCommand() *urfave.Command {
	return &urfave.Command{Name: "trace", Usage: "what became of one item: captured, received, which workers ran which models, in which product; or why not", ArgsUsage: "ITEM",
		Description: "ITEM is an id, EDGE/EPOCH/SEQ, or a subject such as SCENE/COLUMN_ROW, of which the newest items are shown.",
		Flags: []urfave.Flag{
			&urfave.DurationFlag{Name: "since", Usage: "how far back to look; default: from the id's own time on, else " + lineage.DefaultSince.String()}, cli.JSONFlag,
		},
		Action: func(c *urfave.Context) error {
			if c.NArg() != 1 {
				return cli.Usagef("trace takes one item: its id, EDGE/EPOCH/SEQ, or a subject such as SCENE/COLUMN_ROW")
			}
			q, err := lineage.Parse(c.Args().First())
			if err != nil {
				return cli.Usage(err)
			}
			since := c.Duration("since")
			if since < 0 {
				return cli.Usagef("--since %s: give how long ago, such as 72h", since)
			}
			return withKafka(c, event.EventsTopic, func(ctx context.Context, cfg cloud.Config, k *kafka.Client) error {
				histories, err := find(ctx, cfg, k, q, since)
				if err != nil {
					return err
				}
				if c.Bool("json") {
					err = cli.PrintJSON(c.App.Writer, histories)
				} else {
					err = printHistories(c.App.Writer, histories)
				}
				if err == nil && len(histories) == 1 && histories[0].State == lineage.Missing {
					return cli.Incompletef("%s has not come: %s", q, histories[0].Why)
				}
				return err
			})
		}}
}

// find asks Kafka, and ZooKeeper and the object store where they are needed.
func find(ctx context.Context, cfg cloud.Config, k *kafka.Client, q lineage.Query, since time.Duration) ([]lineage.History, error) {
	z, err := coordinator(cfg)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	return cloud.Lineage(k, cfg.Objects(), z).Find(ctx, q, since)
}

// printHistories is what a person reads: what it is, and what happened to it in order.
func printHistories(out io.Writer, histories []lineage.History) error {
	w := table(out)
	for n, s := range histories {
		if n > 0 {
			w.Printf("\n")
		}
		row := func(name, value string) {
			if value != "" {
				w.Printf("%s\t%s\n", name, visible.Short(value, 300))
			}
		}
		row("state", s.State)
		row("why", s.Why)
		row("id", s.ID)
		row("about", joined(s.Kind, s.Subject))
		if s.Seq > 0 {
			row("number", fmt.Sprintf("%s/%s/%d", s.Edge, s.Epoch, s.Seq))
		} else {
			row("edge", s.Edge)
		}
		if s.DataRef != "" {
			row("data", "in the object store: "+s.DataRef)
		} else {
			row("data", fmt.Sprintf("%d bytes", s.Bytes))
		}
		row("trace", s.Trace)
		w.Flush()
		w.Printf("\nTIME\tCLOCK\tWHAT\tWHERE\tDETAIL\n")
		for _, step := range s.Steps {
			w.Printf("%s\t%s\t%s\t%s\t%s\n", when(step.At), orDash(step.Clock), step.What, where(step), visible.Short(details(step), 200))
		}
		w.Flush()
	}
	return nil
}

func when(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02T15:04:05.000Z")
}

func where(s lineage.Step) string {
	if s.Topic == "" {
		return "-"
	}
	return fmt.Sprintf("%s[%d]@%d", s.Topic, s.Partition, s.Offset)
}

// details are who did it with what, and what is said of it.
func details(s lineage.Step) string {
	who := s.Worker
	if s.Lease != "" {
		who = joined(who, "epoch "+s.Lease)
	}
	if s.Model != "" {
		who = joined(who, "with "+s.Model+" version "+s.ModelVersion)
	}
	return joined(who, s.Detail)
}

func joined(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " " + b
}
