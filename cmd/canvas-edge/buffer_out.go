package main

import (
	"context"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/carry"
	"cloudcanvas/shared/visible"
)

func exportBuffer(c *urfave.Context) error {
	if c.NArg() != 1 {
		return cli.Usagef("give the folder to export to, such as a mounted stick")
	}
	r, cfg, err := lookInto(c)
	if err != nil {
		return err
	}
	defer r.Close()
	to, err := carry.Create(c.Args().First(), cfg.Edge, r.Epoch)
	if err != nil {
		return err
	}
	damaged := 0
	err = r.Each(c.Context, to.Add, func(seq uint64, err error) {
		damaged++
		visible.Fprintf(c.App.ErrWriter, "left out: %v\n", err)
	})
	if err != nil {
		return err
	}
	n, err := to.Close()
	if err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "%d items are in %s; take them in with `canvas-cloud import`. They wait here until the cloud's receipt comes.\n", n, to.Path())
	if damaged > 0 {
		return cli.Incompletef("%d items could not be read", damaged)
	}
	return nil
}

// drainBuffer is the agent without its sources.
func drainBuffer(c *urfave.Context) error {
	log, err := cli.Logger(c, "warn")
	if err != nil {
		return err
	}
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	agent, err := edge.Open(c.Context, cfg.WithoutSources(), edge.Parts{Version: version, Log: log})
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx) }()
	begin, start := agent.Stats(), time.Now()
	drained := agent.Drained(ctx)
	s := agent.Stats()
	visible.Fprintf(c.App.Writer, "%d items were received by the cloud in %s, %d wait\n", s.Received-begin.Received, time.Since(start).Round(time.Millisecond), s.Waiting)
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	if drained != nil {
		return cli.Incompletef("%d items still wait: %v", s.Waiting, agentLink(agent))
	}
	return nil
}

func agentLink(a *edge.Agent) error {
	if err := a.Ready(); err != nil {
		return err
	}
	return fmt.Errorf("the time was up")
}
