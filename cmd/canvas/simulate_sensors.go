package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
	"cloudcanvas/shared/visible"
)

func simulateSensorsCommand() *urfave.Command {
	return &urfave.Command{
		Name: "sensors", Usage: "readings with known excursions and silences, written to files or published as a device's sensors do",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "out", Required: true, Usage: "`DIR` for readings.jsonl and truth.json"},
			&urfave.StringFlag{Name: "mqtt", Usage: "the device's MQTT broker, `URL`: readings are published at their times; without it they are only written"},
			&urfave.StringFlag{Name: "user", Usage: "for the broker"},
			&urfave.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password"},
			&urfave.StringFlag{Name: "ca", Usage: "certificates that the broker's is checked against, `FILE`"},
			&urfave.StringFlag{Name: "name", Value: "simulated", Usage: "the sensors are `NAME`-0, NAME-1, …"},
			&urfave.IntFlag{Name: "sensors", Value: 4, Usage: "how many"},
			&urfave.Float64Flag{Name: "rate", Value: 10, Usage: "readings/s of each"},
			&urfave.DurationFlag{Name: "for", Value: time.Minute, Usage: "how long they report"},
			&urfave.IntFlag{Name: "excursions", Value: 4, Usage: "of each sensor: temperature above 50 °C and vibration above 10 mm/s, in turns"},
			&urfave.IntFlag{Name: "silences", Value: 1, Usage: "of each sensor: it says nothing for a time"},
			&urfave.Uint64Flag{Name: "seed", Value: 1, Usage: "the same seed gives the same readings"},
		},
		Action: func(c *urfave.Context) error {
			o := simulate.SensorsOptions{Name: c.String("name"), Sensors: c.Int("sensors"), Rate: c.Float64("rate"), For: c.Duration("for"),
				Excursions: c.Int("excursions"), Silences: c.Int("silences"), Seed: c.Uint64("seed")}
			switch {
			case event.CheckName(o.Name) != nil:
				return cli.Usagef("--name: %w", event.CheckName(o.Name))
			case o.Sensors < 1 || o.Sensors > 100_000:
				return cli.Usagef("--sensors %d: give 1 to 100000", o.Sensors)
			case !(o.Rate > 0 && o.Rate <= 1000):
				return cli.Usagef("--rate %v: give more than 0, up to 1000", o.Rate)
			case o.For <= 0 || o.For > 30*24*time.Hour:
				return cli.Usagef("--for %s: give up to 720h", o.For)
			case o.Excursions < 0 || o.Silences < 0 || o.Excursions > 10_000 || o.Silences > 10_000:
				return cli.Usagef("--excursions %d, --silences %d: give 0 to 10000 of each", o.Excursions, o.Silences)
			}
			if err := o.Problem(); err != nil {
				return cli.Usagef("%w", err)
			}
			if c.IsSet("mqtt") {
				client, err := sensorsBroker(c)
				if err != nil {
					return err
				}
				defer client.Close()
				o.Publish = func(ctx context.Context, topic string, payload []byte) error {
					return client.Publish(ctx, topic, 1, false, payload)
				}
			}
			return sensorsRun(c, o)
		},
	}
}

func sensorsBroker(c *urfave.Context) (*mqtt.Client, error) {
	log, err := cli.Logger(c, "warn")
	if err != nil {
		return nil, err
	}
	client, err := mqtt.Dial(c.Context, mqtt.Options{URL: c.String("mqtt"), ClientID: "simulated-sensors-" + c.String("name"), Log: log,
		Security: security.Security{User: c.String("user"), PasswordFile: c.String("password-file"), CA: c.String("ca")}})
	if err != nil {
		return nil, err
	}
	for until := time.Now().Add(connectWithin); !client.Connected(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) || c.Context.Err() != nil {
			client.Close()
			return nil, fmt.Errorf("%w within %s (%s: is the broker up?)", mqtt.ErrOffline, connectWithin, c.String("mqtt"))
		}
	}
	return client, nil
}

// connectWithin is how long the broker may take to answer at the start.
const connectWithin = 10 * time.Second

// sensorsRun writes the files. Readings that were made before a failure stay, as readings.jsonl.new;
// there is no truth of them.
func sensorsRun(c *urfave.Context, o simulate.SensorsOptions) error {
	out := c.String("out")
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	lines := filepath.Join(out, "readings.jsonl")
	f, err := os.Create(lines + ".new")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	truth, err := simulate.Sensors(c.Context, o, w)
	if failed := errors.Join(w.Flush(), f.Close()); err == nil {
		err = failed
	}
	if errors.Is(err, mqtt.ErrOffline) {
		return fmt.Errorf("%w (%s: is the broker up?)", err, c.String("mqtt"))
	}
	if err != nil {
		return err
	}
	if err := os.Rename(lines+".new", lines); err != nil {
		return err
	}
	if err := durable.WriteJSON(filepath.Join(out, "truth.json"), truth); err != nil {
		return err
	}
	visible.Fprintf(c.App.Writer, "simulated: %d readings of %d sensors in %s, with %d excursions and %d silences as truth.json tells\n",
		truth.Readings, truth.Sensors, lines, len(truth.Excursions), len(truth.Silences))
	return nil
}
