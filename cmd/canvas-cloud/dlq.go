package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/dlq"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

func dlqCommand() *urfave.Command {
	limit := &urfave.IntFlag{Name: "limit", Value: 50, Usage: "at most `N` letters, the newest"}
	return &urfave.Command{
		Name: "dlq", Usage: "the dead letters: what could not be worked on",
		Subcommands: []*urfave.Command{
			{Name: "ls", Usage: "list the newest", Flags: []urfave.Flag{limit, jsonFlag}, Action: listLetters},
			{Name: "show", Usage: "one letter with its headers and the beginning of its value", ArgsUsage: "ID",
				Flags: []urfave.Flag{&urfave.StringFlag{Name: "out", Usage: "write the value's bytes to `FILE`"}, jsonFlag}, Action: showLetter},
			{Name: "replay", Usage: "put letters back to the topics they came from, once", ArgsUsage: "[ID …]",
				Flags: []urfave.Flag{&urfave.BoolFlag{Name: "all", Usage: "the newest --limit letters that were not put back yet"}, limit, jsonFlag}, Action: replayLetters},
		},
	}
}

// letters are the newest, with what was put back where ZooKeeper can be asked.
func letters(ctx context.Context, k dlq.Log, z coord.Coordinator, limit int) (dlq.Listing, error) {
	if limit < 1 || limit > 100_000 {
		return dlq.Listing{}, cli.Usagef("--limit %d: use 1 to 100000", limit)
	}
	l, err := dlq.List(ctx, k, limit)
	if err != nil {
		return l, err
	}
	return l, dlq.Mark(ctx, z.Document(dlq.BooksName), l.Letters)
}

func listLetters(c *urfave.Context) error {
	return asking(c, event.DLQTopic, func(ctx context.Context, cfg cloud.Config, k *broker.Kafka) error {
		return agreeing(ctx, cfg, func(ctx context.Context, z coord.Coordinator) error {
			l, err := letters(ctx, k, z, c.Int("limit"))
			if err != nil {
				return err
			}
			if c.Bool("json") {
				return printJSON(c.App.Writer, l)
			}
			w := table(c.App.Writer)
			fmt.Fprintln(w, "ID\tTIME\tTOPIC\tSTAGE\tABOUT\tBYTES\tREPLAYED\tREASON")
			for _, l := range l.Letters {
				replayed := "-"
				if l.Replayed {
					replayed = "yes"
				}
				fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", l.Place, l.Time.UTC().Format(time.RFC3339), orDash(printable(l.Topic, 60)),
					orDash(printable(l.Stage, 30)), orDash(printable(strings.TrimSpace(l.Kind+" "+l.Subject), 40)), l.Bytes, replayed, printable(l.Reason, 120))
			}
			fmt.Fprintf(w, "\n%d of %d dead letters\n", len(l.Letters), l.Total)
			return w.Flush()
		})
	})
}

// shownLetter is `dlq show --json`.
type shownLetter struct {
	dlq.Letter
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

func showLetter(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("show takes the id of one letter, as `dlq ls` gives it")
	}
	at, err := dlq.ParsePlace(c.Args().First())
	if err != nil {
		return cli.Usage(err)
	}
	return asking(c, event.DLQTopic, func(ctx context.Context, _ cloud.Config, k *broker.Kafka) error {
		r, err := dlq.Read(ctx, k, at)
		if err != nil {
			return err
		}
		if out := c.String("out"); out != "" {
			if err := os.WriteFile(out, r.Value, 0o644); err != nil {
				return fmt.Errorf("writing the value of %s: %w", at, err)
			}
		}
		s := shownLetter{Letter: dlq.Describe(r), Key: r.Key, Value: r.Value}
		for _, h := range r.Headers {
			s.Headers = append(s.Headers, shownHeader{h.Key, string(h.Value)})
		}
		if c.Bool("json") {
			return printJSON(c.App.Writer, s)
		}
		w := table(c.App.Writer)
		fmt.Fprintf(w, "letter\t%s\nwritten\t%s\nkey\t%s\nvalue\t%d bytes\n", s.Place, s.Time.UTC().Format(time.RFC3339Nano), printable(string(r.Key), 200), s.Bytes)
		for _, h := range s.Headers {
			fmt.Fprintf(w, "%s\t%s\n", printable(h.Key, 80), printable(h.Value, 2000))
		}
		fmt.Fprintf(w, "\n%s\n", printable(string(r.Value[:min(len(r.Value), valueShown)]), valueShown))
		return w.Flush()
	})
}

func replayLetters(c *urfave.Context) error {
	if c.Bool("all") == c.Args().Present() {
		return cli.Usagef("replay takes the ids of letters, as `dlq ls` gives them, or --all")
	}
	var places []dlq.Place
	for _, id := range c.Args().Slice() {
		p, err := dlq.ParsePlace(id)
		if err != nil {
			return cli.Usage(err)
		}
		places = append(places, p)
	}
	return asking(c, event.DLQTopic, func(ctx context.Context, cfg cloud.Config, k *broker.Kafka) error {
		return agreeing(ctx, cfg, func(ctx context.Context, z coord.Coordinator) error {
			if c.Bool("all") {
				l, err := letters(ctx, k, z, c.Int("limit"))
				if err != nil {
					return err
				}
				for _, letter := range l.Letters {
					if !letter.Replayed {
						places = append(places, letter.Place)
					}
				}
			}
			outcomes, err := dlq.Replayer{Log: k, Group: z, By: operator()}.Replay(ctx, places...)
			if err != nil {
				return err
			}
			return printOutcomes(c, outcomes)
		})
	})
}

func printOutcomes(c *urfave.Context, outcomes []dlq.Outcome) error {
	refused := 0
	for _, o := range outcomes {
		if o.State == dlq.Refused {
			refused++
		}
	}
	if c.Bool("json") {
		if err := printJSON(c.App.Writer, append([]dlq.Outcome{}, outcomes...)); err != nil {
			return err
		}
	} else {
		w := table(c.App.Writer)
		for _, o := range outcomes {
			fmt.Fprintf(w, "%s\t%s\t%s\n", o.Place, o.State, printable(o.Topic+o.Why, 300))
		}
		w.Flush()
	}
	if refused > 0 {
		return cli.Incompletef("%d of %d letters could not be put back", refused, len(outcomes))
	}
	return nil
}

// printable is text from outside on a terminal: no control characters, and no more than limit bytes.
func printable(s string, limit int) string {
	short := s
	if len(short) > limit {
		short = short[:limit]
	}
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(short, "·"))
	if len(s) > limit {
		clean += "…"
	}
	return clean
}
