package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/cloud/store"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/visible"
)

func dlqCommand() *urfave.Command {
	limit := &urfave.IntFlag{Name: "limit", Value: 50, Usage: "at most `N` dead letters, the newest"}
	all := &urfave.BoolFlag{Name: "all", Usage: "of the newest --limit dead letters, those about which nothing was decided"}
	return &urfave.Command{
		Name: "dlq", Usage: "dead letters: records and messages that could not be processed",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list the newest", Flags: []urfave.Flag{limit, cli.JSONFlag}, Action: listDeadLetters},
			{Name: "show", Usage: "one dead letter with its headers and the beginning of its value", ArgsUsage: "ID",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "write the value's bytes to `FILE`"}, cli.JSONFlag}, Action: showDeadLetter},
			{Name: "replay", Usage: "put dead letters back to the topics that they came from, once", ArgsUsage: "[ID …]",
				Flags: []urfave.Flag{all, &urfave.BoolFlag{Name: "discarded", Usage: "also those named that were discarded before"}, limit, cli.JSONFlag}, Action: decide(replayDeadLetters)},
			{Name: "discard", Usage: "note that nothing more is to be done about dead letters", ArgsUsage: "[ID …]", Flags: []urfave.Flag{all, limit, cli.JSONFlag}, Action: decide(discardDeadLetters)},
		},
	}
}

// newest are the newest dead letters, with what was decided about them.
func newest(ctx context.Context, a deadletter.Actions, limit int) (deadletter.Listing, error) {
	if limit < 1 || limit > 100_000 {
		return deadletter.Listing{}, cli.Usagef("--limit %d: use 1 to 100000", limit)
	}
	l, err := deadletter.List(ctx, a.Log, limit)
	if err != nil {
		return l, err
	}
	decided, err := deadletter.ReadDecisions(ctx, a.Group.Document(deadletter.DecisionsName))
	decided.Mark(l.Entries)
	return l, err
}

// withDeadLetters connects to all that dead letters need: Kafka, ZooKeeper and the object store.
func withDeadLetters(c *urfave.Context, do func(ctx context.Context, a deadletter.Actions) error) error {
	return withKafka(c, event.DLQTopic, func(ctx context.Context, cfg cloud.Config, k *kafka.Client) error {
		return withCoordinator(ctx, cfg, func(ctx context.Context, z coord.Coordinator) error {
			objects, err := store.Open(ctx, cfg.Store)
			if err != nil {
				return err
			}
			defer objects.Close()
			return do(ctx, cloud.DeadLetters(cfg, k, z, cloud.StoreOf(cfg, objects), person()))
		})
	})
}

func listDeadLetters(c *urfave.Context) error {
	return withDeadLetters(c, func(ctx context.Context, a deadletter.Actions) error {
		l, err := newest(ctx, a, c.Int("limit"))
		if err != nil {
			return err
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, l)
		}
		return printDeadLetters(c.App.Writer, l)
	})
}

func printDeadLetters(out io.Writer, l deadletter.Listing) error {
	w := table(out)
	w.Printf("ID\tTIME\tTOPIC\tSTAGE\tABOUT\tBYTES\tDECIDED\tREASON\n")
	for _, l := range l.Entries {
		decided := "-"
		if l.Decision != nil {
			decided = l.Decision.String()
		}
		w.Printf("%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.Place, l.Time.UTC().Format(time.RFC3339), orDash(visible.Short(l.Topic, 60)),
			orDash(visible.Short(l.Stage, 30)), orDash(visible.Short(strings.TrimSpace(l.Kind+" "+l.Subject), 40)), l.Bytes, decided, visible.Short(l.Reason, 120))
	}
	w.Printf("\n%d of %d dead letters\n", len(l.Entries), l.Total)
	return w.Flush()
}

// shownDeadLetter is `dlq show --json`.
type shownDeadLetter struct {
	deadletter.Entry
	Key     []byte        `json:"key"`
	Headers []shownHeader `json:"headers"`
	Value   []byte        `json:"value"`
}

type shownHeader struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// valueShown is how much of a value a person is shown.
const valueShown = 2 << 10

func showDeadLetter(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("show takes the id of one dead letter, as `dlq ls` gives it")
	}
	at, err := deadletter.ParsePlace(c.Args().First())
	if err != nil {
		return cli.Usage(err)
	}
	return withKafka(c, event.DLQTopic, func(ctx context.Context, cfg cloud.Config, k *kafka.Client) error {
		r, err := deadletter.Read(ctx, k, at)
		if err != nil {
			return err
		}
		if out := c.String("out"); out != "" {
			if err := os.WriteFile(out, r.Value, 0o644); err != nil {
				return fmt.Errorf("writing the value of %s: %w", at, err)
			}
		}
		s := shownDeadLetter{Entry: deadletter.Describe(r), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			s.Headers = append(s.Headers, shownHeader{h.Key, string(h.Value)})
		}
		if decided, err := decisions(ctx, cfg); err == nil { // the dead letter is worth showing without them
			s.Decision = decided.Of(at, r.Time)
			s.Replayed = s.Decision != nil && s.Decision.Action == deadletter.PutBack
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, s)
		}
		return s.print(c.App.Writer)
	})
}

func decisions(ctx context.Context, cfg cloud.Config) (all deadletter.Decisions, err error) {
	err = withCoordinator(ctx, cfg, func(ctx context.Context, z coord.Coordinator) error {
		all, err = deadletter.ReadDecisions(ctx, z.Document(deadletter.DecisionsName))
		return err
	})
	return all, err
}

func (s shownDeadLetter) print(out io.Writer) error {
	w := table(out)
	w.Printf("dead letter\t%s\nwritten\t%s\nkey\t%s\nvalue\t%d bytes\n", s.Place, s.Time.UTC().Format(time.RFC3339Nano), visible.Short(string(s.Key), 200), s.Bytes)
	if s.Decision != nil {
		w.Printf("decided\t%s\n", s.Decision)
	}
	for _, h := range s.Headers {
		w.Printf("%s\t%s\n", visible.Short(h.Key, 80), visible.Short(h.Value, 2000))
	}
	w.Printf("\n%s\n", visible.Short(string(s.Value), valueShown))
	return w.Flush()
}

// named are the dead letters that a command names, or all that wait for a decision.
func named(ctx context.Context, c *urfave.Context, a deadletter.Actions) (places []deadletter.Place, err error) {
	if c.Bool("all") == c.Args().Present() {
		return nil, cli.Usagef("%s takes the ids of dead letters, as `dlq ls` gives them, or --all", c.Command.Name)
	}
	for _, id := range c.Args().Slice() {
		p, err := deadletter.ParsePlace(id)
		if err != nil {
			return nil, cli.Usage(err)
		}
		places = append(places, p)
	}
	if !c.Bool("all") || a.Log == nil {
		return places, nil
	}
	l, err := newest(ctx, a, c.Int("limit"))
	for _, d := range l.Entries {
		if d.Decision == nil && d.Stands == 0 {
			places = append(places, d.Place)
		}
	}
	return places, err
}

// decide replays or discards what a command names.
func decide(do func(a deadletter.Actions, c *urfave.Context, ctx context.Context, places []deadletter.Place) ([]deadletter.Outcome, error)) urfave.ActionFunc {
	return func(c *urfave.Context) error {
		if _, err := named(c.Context, c, deadletter.Actions{}); err != nil {
			return err // before anything is connected
		}
		return withDeadLetters(c, func(ctx context.Context, a deadletter.Actions) error {
			places, err := named(ctx, c, a)
			if err != nil {
				return err
			}
			outcomes, err := do(a, c, ctx, places)
			if err != nil {
				return err
			}
			return printOutcomes(c, outcomes)
		})
	}
}

func replayDeadLetters(a deadletter.Actions, c *urfave.Context, ctx context.Context, places []deadletter.Place) ([]deadletter.Outcome, error) {
	a.Again = c.Bool("discarded")
	return a.Replay(ctx, places...)
}

func discardDeadLetters(a deadletter.Actions, _ *urfave.Context, ctx context.Context, places []deadletter.Place) ([]deadletter.Outcome, error) {
	return a.Discard(ctx, places...)
}

func printOutcomes(c *urfave.Context, outcomes []deadletter.Outcome) error {
	refused := 0
	for _, o := range outcomes {
		if o.State == deadletter.Refused {
			refused++
		}
	}
	if c.Bool("json") {
		if err := cli.PrintJSON(c.App.Writer, append([]deadletter.Outcome{}, outcomes...)); err != nil {
			return err
		}
	} else {
		w := table(c.App.Writer)
		for _, o := range outcomes {
			w.Printf("%s\t%s\t%s\n", o.Place, o.State, visible.Short(o.Topic+o.Why, 300))
		}
		w.Flush()
	}
	if refused > 0 {
		return cli.Incompletef("%d of %d dead letters were left as they are", refused, len(outcomes))
	}
	return nil
}
