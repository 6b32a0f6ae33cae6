package main

import (
	"context"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/shared/carry"
	"cloudcanvas/shared/event"
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
	to := stick{dir: c.Args().First(), edge: cfg.Edge}
	damaged := 0
	err = r.Each(c.Context, to.add, func(seq uint64, err error) {
		damaged++
		visible.Fprintf(c.App.ErrWriter, "left out: %v\n", err)
	})
	if err != nil {
		return err
	}
	if to.folder == nil { // nothing waits: an export of nothing is one
		if to.folder, err = carry.Create(to.dir, to.edge, r.Epoch); err != nil {
			return err
		}
	}
	if err := to.close(); err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "%d items are in %s; take them in with `canvas-cloud import`. They wait here until the cloud's receipt comes.\n", to.items, to.dir)
	if damaged > 0 {
		return cli.Incompletef("%d items could not be read", damaged)
	}
	return nil
}

// stick is what is exported: a folder for each epoch. Items come in the order of their numbers, so that
// an epoch's come one after the other.
type stick struct {
	dir, edge string
	epoch     event.Epoch
	folder    *carry.Folder
	items     int
}

func (s *stick) add(i event.Item) (err error) {
	if s.folder == nil || i.Epoch != s.epoch {
		if err := s.close(); err != nil {
			return err
		}
		if s.folder, err = carry.Create(s.dir, s.edge, i.Epoch); err != nil {
			return err
		}
		s.epoch = i.Epoch
	}
	return s.folder.Add(i)
}

func (s *stick) close() error {
	if s.folder == nil {
		return nil
	}
	n, err := s.folder.Close()
	s.items += n
	s.folder = nil
	return err
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
	return fmt.Errorf("timed out")
}
