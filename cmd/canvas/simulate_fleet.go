package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/security"
)

func simulateFleetCommand() *urfave.Command {
	return &urfave.Command{
		Name: "fleet", Usage: "many light edges at one bridge: rate, receipts, and the bridge's memory for each",
		Flags: []urfave.Flag{
			&urfave.StringFlag{Name: "mqtt", Value: "mqtt://127.0.0.1:1883", Usage: "the MQTT broker's `URL`; a bridge must be running there"},
			&urfave.StringFlag{Name: "user", Usage: "for the broker"},
			&urfave.StringFlag{Name: "password-file", Usage: "`FILE` whose first line is the password"},
			&urfave.StringFlag{Name: "ca", Usage: "certificates that the broker's is checked against, `FILE`"},
			&urfave.StringFlag{Name: "bridge", Usage: "the bridge's metrics, `URL`, such as http://127.0.0.1:9465/metrics: its memory is read before and after"},
			&urfave.IntFlag{Name: "edges", Value: 10_000, Usage: "how many"},
			&urfave.IntFlag{Name: "items", Value: 10, Usage: "that each sends"},
			&urfave.IntFlag{Name: "bytes", Value: 1024, Usage: "of an item"},
			&urfave.Float64Flag{Name: "rate", Usage: "items/s of all together; 0: as fast as they are taken"},
			&urfave.IntFlag{Name: "connections", Value: 16, Usage: "that the edges share; as many as edges: one each"},
			&urfave.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "then what is missing is reported"},
			&urfave.StringFlag{Name: "name", Value: "fleet", Usage: "the edges are `NAME`-0, NAME-1, …"},
			&urfave.BoolFlag{Name: "json", Usage: "the figures as JSON"},
		},
		Action: func(c *urfave.Context) error {
			log, err := cli.Logger(c, "warn")
			if err != nil {
				return err
			}
			o := simulate.FleetOptions{URL: c.String("mqtt"), Edges: c.Int("edges"), Items: c.Int("items"), Bytes: c.Int("bytes"), Rate: c.Float64("rate"),
				Connections: c.Int("connections"), Name: c.String("name"), Log: log}
			o.Security = security.Security{User: c.String("user"), PasswordFile: c.String("password-file"), CA: c.String("ca")}
			switch {
			case o.Edges < 1 || o.Edges > 1_000_000:
				return cli.Usagef("--edges %d: give 1 to 1000000", o.Edges)
			case o.Items < 1 || o.Items > 1_000_000:
				return cli.Usagef("--items %d: give 1 to 1000000", o.Items)
			case o.Bytes < 32 || o.Bytes > 1<<20:
				return cli.Usagef("--bytes %d: give 32 to 1048576", o.Bytes)
			case o.Connections < 1 || o.Connections > o.Edges:
				return cli.Usagef("--connections %d: give 1 to as many as there are edges", o.Connections)
			}
			return fleetRun(c, o)
		},
	}
}

// fleetFigures is what the command reports.
type fleetFigures struct {
	simulate.FleetReport
	MemoryBefore int64   `json:"bridge_memory_before,omitempty"` // bytes resident
	MemoryAfter  int64   `json:"bridge_memory_after,omitempty"`
	PerEdge      float64 `json:"bridge_bytes_per_edge,omitempty"`
}

func fleetRun(c *urfave.Context, o simulate.FleetOptions) error {
	ctx, cancel := context.WithTimeout(c.Context, c.Duration("timeout"))
	defer cancel()
	var f fleetFigures
	var err error
	if from := c.String("bridge"); from != "" {
		if f.MemoryBefore, err = residentOf(ctx, from); err != nil {
			return err
		}
	}
	report, failed := simulate.Fleet(ctx, o)
	if errors.Is(failed, mqtt.ErrOffline) {
		return fmt.Errorf("%w (%s: is the broker up?)", failed, o.URL)
	}
	f.FleetReport = report
	if from := c.String("bridge"); from != "" {
		if f.MemoryAfter, err = residentOf(c.Context, from); err != nil {
			return err
		}
		f.PerEdge = float64(f.MemoryAfter-f.MemoryBefore) / float64(o.Edges)
	}
	if c.Bool("json") {
		e := json.NewEncoder(c.App.Writer)
		e.SetIndent("", "  ")
		if err := e.Encode(f); err != nil {
			return err
		}
	} else {
		f.print(c.App.Writer, o)
	}
	if f.Missing > 0 {
		return cli.Incompletef("%d items have no receipt: %v", f.Missing, failed)
	}
	return failed
}

func (f fleetFigures) print(w io.Writer, o simulate.FleetOptions) {
	fmt.Fprintf(w, "simulated: %d edges over %d connections, %d items of %d bytes each\n", f.Edges, o.Connections, o.Items, o.Bytes)
	fmt.Fprintf(w, "%.0f items/s with receipts for all, in %s; %d messages, %d receipts, %d items missing\n",
		f.Rate, f.Took.Round(time.Millisecond), f.Sent, f.Receipts, f.Missing)
	if f.MemoryAfter > 0 {
		fmt.Fprintf(w, "the bridge: %.1f MiB before, %.1f MiB after, %.0f bytes an edge\n", float64(f.MemoryBefore)/(1<<20), float64(f.MemoryAfter)/(1<<20), f.PerEdge)
	}
}

// residentOf reads a process's resident memory from its metrics.
func residentOf(ctx context.Context, url string) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, cli.Usagef("--bridge: %w", err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read the bridge's metrics: %w (telemetry.listen of its configuration)", err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(body)) {
		if value, ok := strings.CutPrefix(line, "process_resident_memory_bytes "); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
			return int64(f), err
		}
	}
	return 0, fmt.Errorf("%s does not tell process_resident_memory_bytes: is it a bridge's?", url)
}
