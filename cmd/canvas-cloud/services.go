package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/coord/zk"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/visible"
)

// How long services may take to answer a person: one request, and the reading of a topic.
const (
	patience       = 4 * time.Second
	readingTakes   = time.Minute
	connectRetries = time.Second
)

// dialKafka is a client for one command. Close it.
func dialKafka(cfg cloud.Config) (*kafka.Client, error) {
	return kafka.Dial(kafka.Options{
		Brokers: cfg.Kafka.Brokers, Security: cfg.Kafka.Security, Log: slog.New(slog.DiscardHandler), Patience: connectRetries,
	})
}

// coordinator is a session for one command. Close it.
func coordinator(cfg cloud.Config) (coord.Coordinator, error) {
	return zk.Open(cfg.ZooKeeper, operator(), slog.New(slog.DiscardHandler))
}

// operator names this process for others.
func operator() string {
	host, _ := os.Hostname()
	return fmt.Sprintf("%s-%d", host, os.Getpid())
}

// person names who decides: the user, not the process.
func person() string {
	host, _ := os.Hostname()
	if u, err := user.Current(); err == nil {
		return u.Username + "@" + host
	}
	return host
}

// kafkaAway and zookeeperAway add to an error where the service should be.
func kafkaAway(cfg cloud.Config, err error) error {
	return fmt.Errorf("%w (kafka.brokers %v: is Kafka up?)", err, cfg.Kafka.Brokers)
}

func zookeeperAway(cfg cloud.Config, err error) error {
	return fmt.Errorf("%w (zookeeper.servers %v: is ZooKeeper up?)", err, cfg.ZooKeeper.Servers)
}

// pingKafka fails unless Kafka answers within patience; reading a topic may then take longer.
func pingKafka(ctx context.Context, cfg cloud.Config, k *kafka.Client, topic string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, err := k.Offsets(ctx, topic); err != nil {
		return kafkaAway(cfg, err)
	}
	return nil
}

// withKafka connects to Kafka, which must have the topic and answer soon.
func withKafka(c *urfave.Context, topic string, do func(ctx context.Context, cfg cloud.Config, k *kafka.Client) error) error {
	cfg, err := loadConfig(c)
	if err != nil {
		return err
	}
	k, err := dialKafka(cfg)
	if err != nil {
		return err
	}
	defer k.Close()
	if err := pingKafka(c.Context, cfg, k, topic); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(c.Context, readingTakes)
	defer cancel()
	return do(ctx, cfg, k)
}

// withCoordinator connects to ZooKeeper, which must answer soon.
func withCoordinator(ctx context.Context, cfg cloud.Config, do func(context.Context, coord.Coordinator) error) error {
	z, err := coordinator(cfg)
	if err != nil {
		return err
	}
	defer z.Close()
	soon, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if _, _, err := z.Document("assignments").Get(soon); err != nil {
		return zookeeperAway(cfg, err)
	}
	return do(ctx, z)
}

func table(out io.Writer) *visible.Table { return visible.NewTable(out) }

// ago is a time as a person reads it: how long since.
func ago(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return time.Since(t).Round(time.Second).String()
}
