package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/event"
)

// status is what operators ask first: who works on what, and what is behind.
type status struct {
	Members map[string][]coord.Member `json:"members"` // by role
	Owners  map[string]coord.Owner    `json:"owners"`  // by what is owned
	Lag     []lag                     `json:"lag"`
	Dead    int64                     `json:"dead_letters"`
	Edges   []bridge.EdgeStatus       `json:"edges"` // what has come of each, and what is missing
}

type lag struct {
	Topic     string `json:"topic"`
	Group     string `json:"group"`
	Partition int    `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
}

// statusPatience is how long the services may take to answer.
const statusPatience = 15 * time.Second

func statusCommand() *urfave.Command {
	return &urfave.Command{Name: "status", Usage: "who works on what, and what is behind",
		Flags: []urfave.Flag{&urfave.BoolFlag{Name: "json", Usage: "print JSON"}},
		Action: func(c *urfave.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(c.Context, statusPatience)
			defer cancel()
			quiet := slog.New(slog.DiscardHandler)
			k, err := broker.DialKafka(broker.KafkaOptions{Brokers: cfg.Kafka.Brokers, Security: cfg.Kafka.Security, Log: quiet, Patience: time.Second})
			if err != nil {
				return err
			}
			defer k.Close()
			var s status
			if err := s.kafka(ctx, k); err != nil {
				return fmt.Errorf("%w (kafka.brokers %v: is Kafka up?)", err, cfg.Kafka.Brokers)
			}
			z, err := zk.Open(cfg.ZooKeeper, "status", quiet)
			if err != nil {
				return err
			}
			defer z.Close()
			if err := s.coordination(ctx, z); err != nil {
				return fmt.Errorf("%w (zookeeper.servers %v: is ZooKeeper up?)", err, cfg.ZooKeeper.Servers)
			}
			if c.Bool("json") {
				return json.NewEncoder(c.App.Writer).Encode(s)
			}
			return s.print(c.App.Writer)
		}}
}

func (s *status) kafka(ctx context.Context, k *broker.Kafka) error {
	for _, g := range []struct{ group, topic string }{
		{worker.Group, event.WorkTopic}, {mosaic.Group, event.ResultsTopic}, {mosaic.Group, event.EventsTopic},
	} {
		ends, err := k.Offsets(ctx, g.topic)
		if err != nil {
			return err
		}
		committed, err := k.Committed(ctx, g.group, g.topic)
		if err != nil {
			return err
		}
		for p := range len(ends) {
			s.Lag = append(s.Lag, lag{g.topic, g.group, p, committed[p], ends[p].End, ends[p].End - max(committed[p], ends[p].First)})
		}
	}
	var err error
	if s.Edges, err = bridge.Report(ctx, k); err != nil {
		return err
	}
	dead, err := k.Offsets(ctx, event.DLQTopic)
	for _, o := range dead {
		s.Dead += o.End - o.First
	}
	return err
}

func (s *status) coordination(ctx context.Context, c coord.Coordinator) (err error) {
	s.Members = map[string][]coord.Member{}
	for _, role := range []string{coord.Worker} {
		members, err := c.Members(ctx, role)
		if err != nil {
			return err
		}
		select {
		case s.Members[role] = <-members:
		case <-ctx.Done():
			return fmt.Errorf("ask who works: %w", ctx.Err())
		}
	}
	s.Owners, err = c.Owners(ctx)
	return err
}

func (s status) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "WORKER\tHOST\tRATES")
	for _, m := range s.Members[coord.Worker] {
		fmt.Fprintf(w, "%s\t%s\t%v\n", m.ID, m.Host, m.Rates)
	}
	fmt.Fprintln(w, "\nTOPIC\tPARTITION\tOWNER\tLAG\tEND")
	for _, l := range s.Lag {
		owner := s.Owners[fmt.Sprintf("%s-%d", l.Topic, l.Partition)]
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%d\n", l.Topic, l.Partition, owner.Member, l.Lag, l.End)
	}
	printBridges(w, s.Owners, s.Edges, time.Now())
	fmt.Fprintf(w, "\ndead letters\t%d\n", s.Dead)
	return w.Flush()
}
