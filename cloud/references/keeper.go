package references

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/oklog/ulid/v2"
	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// Keeper writes what a worker saw into the object store, beside the worker's own work: a store that is slow or
// away holds nothing up, and what does not fit into the queue is left out and counted.
type Keeper struct {
	objects Objects
	log     *slog.Logger
	queue   chan observation
	tiles   *prometheus.CounterVec
}

type observation struct {
	item     ulid.ULID
	system   ground.System
	overview ground.Overview
	source   ground.Source
}

// queued bounds what waits for the store; an overview of a tile of 952 pixels and six bands has 340 kB.
const queued = 64

// NewKeeper makes a Keeper. metrics may be nil.
func NewKeeper(objects Objects, log *slog.Logger, metrics prometheus.Registerer) (*Keeper, error) {
	k := &Keeper{objects: objects, log: log, queue: make(chan observation, queued), tiles: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "canvas_cloud_reference_tiles_total", Help: "Tiles of which the ground was seen, by what became of that: kept, left_out (the object store was too slow) or failed.",
	}, []string{"outcome"})}
	if metrics != nil {
		if err := metrics.Register(k.tiles); err != nil {
			return nil, fmt.Errorf("register the metrics of reference views: %w", err)
		}
	}
	return k, nil
}

// Keep takes what an item showed. It does not wait. The nil Keeper keeps nothing.
func (k *Keeper) Keep(item *event.Item, system ground.System, ov ground.Overview) {
	if k == nil || ov.Empty() || item.Time.IsZero() || item.Time.After(time.Now().Add(ahead)) {
		return
	}
	o := observation{item.ID, system, ov, ground.Source{Name: item.Edge + "/" + item.Attrs.Scene, Seen: item.Time}}
	select {
	case k.queue <- o:
	default:
		k.tiles.WithLabelValues("left_out").Inc()
	}
}

// Run writes until ctx ends.
func (k *Keeper) Run(ctx context.Context) {
	failing := false
	for {
		var o observation
		select {
		case o = <-k.queue:
		case <-ctx.Done():
			return
		}
		err := k.write(ctx, o)
		switch {
		case err == nil:
			k.tiles.WithLabelValues("kept").Inc()
			failing = false
			continue
		case ctx.Err() != nil:
			return
		}
		k.tiles.WithLabelValues("failed").Inc()
		if !failing {
			k.log.Warn("reference views of the ground can't be written; results are not held up, and devices send such ground again", telemetry.Err, err)
		}
		failing = true
		_ = retry.Sleep(ctx, time.Second)
	}
}

// patience is how long the store may take for one tile.
const patience = 30 * time.Second

func (k *Keeper) write(ctx context.Context, o observation) error {
	s, err := look(o.system, o.overview, o.source)
	if err != nil || len(s.patches) == 0 {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	return k.objects.Put(ctx, seenKey(o.system, o.item), s.marshal())
}
