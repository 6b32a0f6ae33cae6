package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	urfave "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/mosaic"
	"cloudcanvas/cloud/worker"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// status is what operators look at first: which process works on what, and the backlog.
type status struct {
	Members map[string][]coord.Member `json:"members"` // by role
	Owners  map[string]coord.Owner    `json:"owners"`  // by what is owned; null where ZooKeeper did not say
	Lag     []lag                     `json:"lag"`
	Dead    *int64                    `json:"dead_letters"` // null where Kafka did not answer
	Edges   []dedup.EdgeStatus        `json:"edges"`        // what has come of each, and what is missing
}

// lag is how far a group is behind in one partition.
type lag struct {
	Topic     string `json:"topic"`
	Group     string `json:"group"`
	Partition int    `json:"partition"`
	Committed int64  `json:"committed"`
	End       int64  `json:"end"`
	Lag       int64  `json:"lag"`
	// Age is since when the oldest waiting item has been in Kafka, in seconds; 0 where nothing waits.
	Age float64 `json:"oldest_seconds"`
}

// partition is its name among the owners.
func (l lag) partition() string { return fmt.Sprintf("%s-%d", l.Topic, l.Partition) }

func statusCommand() *urfave.Command {
	return &urfave.Command{Name: "status", Usage: "which process works on what, and the backlog of each topic", Flags: []urfave.Flag{cli.JSONFlag},
		Action: func(c *urfave.Context) error {
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			s, err := readStatus(c.Context, cfg)
			if c.Bool("json") {
				return errors.Join(cli.PrintJSON(c.App.Writer, s), err)
			}
			return errors.Join(s.print(c.App.Writer), err)
		}}
}

// readStatus asks Kafka and ZooKeeper at once. Where one of them does not answer, the error says so, and the
// status holds what the other knows.
func readStatus(ctx context.Context, cfg cloud.Config) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s := status{Members: map[string][]coord.Member{}, Lag: []lag{}}
	k, err := dialKafka(cfg)
	if err != nil {
		return s, err
	}
	defer k.Close()
	z, err := coordinator(cfg)
	if err != nil {
		return s, err
	}
	defer z.Close()
	var both errgroup.Group
	var kafkaErr, zookeeperErr error
	both.Go(func() error {
		if err := s.kafka(ctx, k); err != nil {
			kafkaErr = kafkaAway(cfg, err)
		}
		return nil
	})
	both.Go(func() error {
		if err := s.coordination(ctx, z); err != nil {
			zookeeperErr = zookeeperAway(cfg, err)
		}
		return nil
	})
	both.Wait()
	return s, errors.Join(kafkaErr, zookeeperErr)
}

func (s *status) kafka(ctx context.Context, k *kafka.Client) error {
	dead, err := k.Offsets(ctx, event.DLQTopic)
	if err != nil {
		return err
	}
	s.Dead = new(int64)
	for _, o := range dead {
		*s.Dead += o.End - o.First
	}
	for _, g := range []struct{ group, topic string }{
		{worker.Group, event.WorkTopic}, {mosaic.Group, event.ResultsTopic}, {mosaic.Group, event.EventsTopic},
	} {
		lags, err := lagOf(ctx, k, g.group, g.topic)
		s.Lag = append(s.Lag, lags...)
		if err != nil {
			return err
		}
	}
	s.Edges, err = dedup.Report(ctx, k)
	return err
}

// lagOf is a group's lag in a topic. The age is that of the first record it has not finished.
func lagOf(ctx context.Context, k *kafka.Client, group, topic string) ([]lag, error) {
	all, err := kafka.ProgressOf(ctx, k, group, topic)
	if err != nil {
		return nil, err
	}
	lags := make([]lag, len(all))
	var each errgroup.Group
	each.SetLimit(8)
	for p := range lags {
		next := all[p].Next()
		lags[p] = lag{Topic: topic, Group: group, Partition: p, Committed: all[p].Committed, End: all[p].End, Lag: all[p].Lag()}
		if lags[p].Lag <= 0 {
			continue
		}
		each.Go(func() error {
			return k.Scan(ctx, topic, p, next, next+1, func(r kafka.Record) error {
				lags[p].Age = max(0, time.Since(r.Time).Seconds())
				return nil
			})
		})
	}
	return lags, each.Wait()
}

func (s *status) coordination(ctx context.Context, c coord.Coordinator) (err error) {
	for _, role := range []string{coord.Worker, coord.Bridge, coord.Mosaic} {
		members, err := c.Members(ctx, role)
		if err != nil {
			return err
		}
		select {
		case s.Members[role] = <-members:
		case <-ctx.Done():
			return fmt.Errorf("list the members: %w", ctx.Err())
		}
	}
	s.Owners, err = c.Owners(ctx)
	return err
}
