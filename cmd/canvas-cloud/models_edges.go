package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/delivery"
	"cloudcanvas/cloud/release"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/visible"
)

func edgeModelsCommand() *urfave.Command {
	return &urfave.Command{
		Name: "edges", Usage: "which versions devices shall run; without a name, what is desired and what they report", ArgsUsage: "[NAME]",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "edges", Usage: "a device's name, or a `PATTERN` such as mast-*"},
			&urfave.StringFlag{Name: "version", Usage: "a published `NUMBER`, or shipped for what they came with"},
			&urfave.BoolFlag{Name: "remove", Usage: "withdraw it: they keep what they run"},
			cli.JSONFlag,
		},
		Action: func(c *urfave.Context) error {
			if c.NArg() > 1 {
				return cli.Usagef("edges takes the name of one model, after its flags")
			}
			if c.NArg() == 0 {
				return showEdgeModels(c)
			}
			return askEdges(c)
		},
	}
}

// askEdges writes down which version devices shall run.
func askEdges(c *urfave.Context) error {
	desired := delivery.Desired{Model: c.Args().First(), Version: c.String("version"), Edges: c.String("edges"), By: operator(), Since: time.Now().UTC().Truncate(time.Second)}
	switch {
	case desired.Edges == "":
		return cli.Usagef("say which devices with --edges NAME or --edges 'mast-*'")
	case desired.Version == "" && !c.Bool("remove"):
		return cli.Usagef("say which version with --version NUMBER, or --version shipped for what they came with")
	case desired.Version == "shipped":
		desired.Version = ""
	}
	return withModels(c, func(ctx context.Context, z coord.Coordinator, d release.Admin) error {
		if desired.Version != "" && !c.Bool("remove") {
			files, err := d.Library.Files(ctx, desired.Model, desired.Version)
			if err != nil {
				return fmt.Errorf("%w; `models ls` shows what is published", err)
			}
			for _, f := range files {
				if !slices.Contains([]string{event.ModelManifest, event.ModelGolden, event.ModelWeights}, f.Name) {
					return fmt.Errorf("model %s version %s has a file %s: for devices its golden case must be called %s; publish it so", desired.Model, desired.Version, f.Name, event.ModelGolden)
				}
			}
		}
		if err := delivery.Ask(ctx, z, desired, c.Bool("remove")); err != nil {
			return err
		}
		if c.Bool("json") {
			return cli.PrintJSON(c.App.Writer, desired)
		}
		if c.Bool("remove") {
			visible.Fprintf(c.App.Writer, "%s: %s keep the version that they run\n", desired.Model, desired.Edges)
			return nil
		}
		visible.Fprintf(c.App.Writer, "%s: %s shall run %s; they fetch it as their links allow: `models edges` shows how far they are\n", desired.Model, desired.Edges, shipped(desired.Version))
		return nil
	})
}

// edgeModels is what devices shall run and what they run; "wishes" is an old word that scripts may read.
type edgeModels struct {
	Desired delivery.DesiredModels       `json:"wishes"`
	Edges   map[string][]event.EdgeModel `json:"edges"`
}

func showEdgeModels(c *urfave.Context) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	all := edgeModels{Desired: delivery.DesiredModels{}}
	err = withCoordinator(c.Context, cfg, func(ctx context.Context, z coord.Coordinator) error {
		desired, err := delivery.Read(ctx, z)
		all.Desired = append(all.Desired, desired...)
		return err
	})
	if err != nil {
		return err
	}
	if all.Edges, err = askStatuses(c.Context, cfg); err != nil {
		return err
	}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, all)
	}
	all.print(c.App.Writer)
	return nil
}

func (a edgeModels) print(to io.Writer) {
	w := visible.NewTable(to)
	w.Printf("MODEL\tEDGES\tSHALL RUN\tBY\tSINCE\n")
	for _, desired := range a.Desired {
		w.Printf("%s\t%s\t%s\t%s\t%s\n", desired.Model, desired.Edges, shipped(desired.Version), desired.By, desired.Since.Format(time.RFC3339))
	}
	w.Printf("\nEDGE\tMODEL\tRUNS\tSTATE\n")
	for _, edge := range slices.Sorted(maps.Keys(a.Edges)) {
		for _, m := range a.Edges[edge] {
			w.Printf("%s\t%s\t%s\t%s\n", edge, m.Name, shipped(m.Version), stateOf(m))
		}
	}
	w.Flush()
}

func stateOf(m event.EdgeModel) string {
	var said []string
	if w := m.Want; w != nil {
		said = append(said, fmt.Sprintf("fetches %s: %s, %d of %d bytes", w.Version, w.File, w.Offset, w.Size))
	}
	if m.Trial {
		said = append(said, "on trial, goes back to "+shipped(m.Previous))
	}
	if m.Refused != "" {
		said = append(said, fmt.Sprintf("refused %s: %s", m.Refused, m.Reason))
	}
	return strings.Join(said, "; ")
}

// Retained statuses come at once; a broker that has said nothing for a while has said all.
const (
	connectWithin = 10 * time.Second
	saidAll       = time.Second
)

// askStatuses reads what the devices that are online say of their models.
func askStatuses(ctx context.Context, cfg cloud.Config) (map[string][]event.EdgeModel, error) {
	client, err := mqtt.Dial(ctx, mqtt.Options{URL: cfg.MQTT.URL, ClientID: "canvas-models-" + fmt.Sprint(time.Now().UnixNano()), Security: cfg.MQTT.Security})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var mu sync.Mutex
	edges := map[string][]event.EdgeModel{}
	heard := make(chan struct{}, 1)
	client.SubscribeThen(event.StatusFilter, 1, func(m mqtt.Message) {
		edge, err := event.ParseStatusTopic(m.Topic)
		if err != nil {
			return
		}
		s, err := event.ParseStatus(m.Payload)
		if err != nil || s.Status != event.Online {
			return
		}
		mu.Lock()
		edges[edge] = s.Models
		mu.Unlock()
		select {
		case heard <- struct{}{}:
		default:
		}
	}, func() { heard <- struct{}{} })
	for wait := connectWithin; ; wait = saidAll {
		select {
		case <-heard:
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(wait):
			if !client.Connected() {
				return nil, fmt.Errorf("read the state of the devices' models: %w (%s: is the broker up?)", mqtt.ErrOffline, cfg.MQTT.URL)
			}
			mu.Lock()
			defer mu.Unlock()
			return edges, nil
		}
	}
}
