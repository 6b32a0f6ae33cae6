package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/broker"
	"cloudcanvas/shared/carry"
	"cloudcanvas/shared/visible"
)

func importCommand() *urfave.Command {
	return &urfave.Command{Name: "import", ArgsUsage: "DIR",
		Usage: "take in what `canvas-edge buffer export` wrote: it goes to the MQTT broker as if the device had sent it, and the bridge knows what it has seen",
		Action: func(c *urfave.Context) error {
			if c.NArg() != 1 {
				return cli.Usagef("give the folder that was exported to")
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			folders, err := carry.Find(c.Args().First())
			if err != nil {
				return err
			}
			client, err := broker.DialMQTT(c.Context, broker.MQTTOptions{URL: cfg.MQTT.URL, ClientID: "canvas-import-" + operator(), Security: cfg.MQTT.Security,
				Log: slog.New(slog.DiscardHandler)})
			if err != nil {
				return err
			}
			defer client.Close()
			var damaged int
			for _, folder := range folders {
				bad, err := takeIn(c.Context, client, folder, c.App.Writer, c.App.ErrWriter)
				damaged += bad
				if err != nil {
					return fmt.Errorf("%w (mqtt.url %s: is the broker up?)", err, cfg.MQTT.URL)
				}
			}
			if damaged > 0 {
				return cli.Incompletef("%d items are damaged: export them again", damaged)
			}
			return nil
		}}
}

// takeIn publishes one export. Every message has the broker's PUBACK before it counts.
func takeIn(ctx context.Context, client *broker.MQTT, folder string, say, complain io.Writer) (damaged int, err error) {
	index, err := carry.ReadIndex(folder)
	if errors.Is(err, carry.ErrDamaged) {
		visible.Fprintf(complain, "%v\n", err)
		return 1, nil
	}
	if err != nil {
		return 0, err
	}
	sent := 0
	for _, entry := range index.Items {
		messages, err := index.Messages(folder, entry)
		if err != nil {
			damaged++
			visible.Fprintf(complain, "item %d of %s is left out: %v\n", entry.Seq, index.Edge, err)
			continue
		}
		for _, m := range messages {
			if err := publish(ctx, client, m); err != nil {
				return damaged, fmt.Errorf("publish item %d of %s, after %d items: %w", entry.Seq, index.Edge, sent, err)
			}
		}
		sent++
	}
	visible.Fprintf(say, "%s, epoch %s: %d items are with the broker\n", index.Edge, index.Epoch, sent)
	return damaged, nil
}

// publish gives the connection some time to come, or to come back.
func publish(ctx context.Context, client *broker.MQTT, m carry.Message) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := client.Publish(ctx, m.Topic, 1, false, m.Payload)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}
