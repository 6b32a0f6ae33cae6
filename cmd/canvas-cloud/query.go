package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cloud"
	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/visible"
)

// maxQueryFile is above what a device takes.
const maxQueryFile = 64 << 10

func queryCommand() *urfave.Command {
	return &urfave.Command{Name: "query", Usage: "ask a device for a tile, a track's picture or a frame in full; FILE holds the query in JSON, - stands for the standard input", ArgsUsage: "EDGE FILE",
		Action: func(c *urfave.Context) error {
			if c.NArg() != 2 {
				return cli.Usagef("give a device's name and a file")
			}
			edge := c.Args().First()
			if err := event.CheckName(edge); err != nil {
				return cli.Usage(err)
			}
			message, err := readQuery(c.Args().Get(1))
			if err != nil {
				return err
			}
			query, err := event.ParseQuery(message)
			if err != nil {
				return cli.Usage(err)
			}
			cfg, err := loadConfig(c)
			if err != nil {
				return err
			}
			if err := sendQuery(c.Context, cfg, edge, message); err != nil {
				return err
			}
			visible.Fprintf(c.App.Writer, "query %s is with the broker; the answer of %s comes as an item of kind answer\n", query.ID, edge)
			return nil
		}}
}

func readQuery(file string) ([]byte, error) {
	in := io.Reader(os.Stdin)
	if file != "-" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	return io.ReadAll(io.LimitReader(in, maxQueryFile))
}

// sendQuery publishes a query, signed where there is a key: for the session that stands in the device's
// retained status.
func sendQuery(ctx context.Context, cfg cloud.Config, edge string, message []byte) error {
	signer, err := cfg.Signing.Signer()
	if err != nil {
		return err
	}
	client, err := mqtt.Dial(ctx, mqtt.Options{URL: cfg.MQTT.URL, ClientID: "canvas-query-" + operator(), Security: cfg.MQTT.Security, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, connectWithin)
	defer cancel()
	if signer != nil {
		statuses := make(chan string, 1)
		client.Subscribe(event.StatusTopic(edge), 1, func(m mqtt.Message) {
			cloud.Hear(signer, m.Topic, m.Payload)
			status, _ := event.ParseStatus(m.Payload) // one that can't be read says nothing
			select {
			case statuses <- status.Status:
			default:
			}
		})
		select {
		case status := <-statuses:
			if status != event.Online {
				return fmt.Errorf("%s is not connected: a signed query is for the session that a device is in, so send it when the device is back", edge)
			}
		case <-ctx.Done():
			return fmt.Errorf("%s has no status at the broker %s: is its name right, has it ever connected, and is the broker up?", edge, cfg.MQTT.URL)
		}
		if message, err = signer.Sign(edge, event.DownQuery, message); err != nil {
			return err
		}
	}
	if err := client.Publish(ctx, event.DownTopic(edge, event.DownQuery), 1, false, message); err != nil {
		return fmt.Errorf("publish the query: %w (%s: is the broker up?)", err, cfg.MQTT.URL)
	}
	return nil
}
