package cloud

import (
	"context"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/console"
	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/release"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/mqtt"
)

// ConsoleOptions are what a console has beside the cloud's own parts.
type ConsoleOptions struct {
	Device   live.Device // where it runs beside one
	Version  string
	Gatherer prometheus.Gatherer // shown on /metrics
	Ready    func(url string)    // hears of the address once it is served
}

// Console serves people and programs until ctx ends.
func (c *Cloud) Console(ctx context.Context, o ConsoleOptions) error {
	edges, err := mqtt.Dial(ctx, mqtt.Options{URL: c.MQTT.URL, ClientID: c.ID + "-statuses", Security: c.MQTT.Security, Log: c.Log})
	if err != nil {
		return err
	}
	defer edges.Close()
	if err := durable.MkdirAll(c.Config.Console.Data, 0o700); err != nil {
		return fmt.Errorf("make the console's folder: %w (choose another with console.data)", err)
	}
	attempts, closeAttempts, err := c.openAttempts(ctx, "console")
	if err != nil {
		return err
	}
	defer closeAttempts()
	k, err := console.New(ctx, c.Config.Console, console.Parts{
		Log: c.Kafka, Products: c.Products, Objects: c.objects(), Statuses: edges, Group: group{c.Coord},
		Models:   modelsOf(c.Coord, release.Library{Objects: c.Store}),
		Lineage:  Lineage(c.Kafka, c.objects(), c.Coord),
		Dead:     DeadLetters(c.Config, c.Kafka, c.Coord, objects{c.Store, c.Config.Bridge.ItemLimit(), c.watch(c.Store.Folder())}, ""),
		Attempts: attempts, Device: o.Device, Version: o.Version, Logger: c.Log, Metrics: c.Metrics, Gatherer: o.Gatherer, Step: c.Progress.Step, Disk: c.watch(c.Config.Console.Data),
	})
	if err != nil {
		return err
	}
	defer k.Close()
	return k.Run(ctx, o.Ready)
}

// group tells the console who works, by way of the coordinator.
type group struct{ coord.Coordinator }

func (g group) Workers(ctx context.Context) ([]live.Worker, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	members, err := g.Members(ctx, coord.Worker)
	if err != nil {
		return nil, err
	}
	select {
	case now := <-members:
		all := make([]live.Worker, len(now))
		for i, m := range now {
			all[i] = live.Worker{ID: m.ID, Host: m.Host, Accelerator: m.Accelerator, MemoryBytes: m.MemoryBytes, Rates: m.Rates, Models: m.Models}
		}
		return all, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("the coordinator does not answer: %w", ctx.Err())
	}
}

func (g group) Owners(ctx context.Context) (map[string]string, error) {
	owners, err := g.Coordinator.Owners(ctx)
	if err != nil {
		return nil, err
	}
	all := make(map[string]string, len(owners))
	for what, o := range owners {
		all[what] = o.Member
	}
	return all, nil
}
