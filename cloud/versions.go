package cloud

import (
	"context"
	"slices"
	"time"

	"cloudcanvas/cloud/release"
	"cloudcanvas/cloud/worker"
	workernative "cloudcanvas/cloud/worker/native"
	"cloudcanvas/shared/model"
)

// stage is a worker's models as published versions come.
type stage struct {
	*worker.Registry
	from workernative.Catalogue
}

// Add loads a version with the engine that suits this machine, which runs its golden case.
func (s stage) Add(ctx context.Context, name, _ string, m model.Model) error {
	return s.Registry.Add(ctx, name, workernative.NeedsOf(m), func(ctx context.Context) (worker.Network, error) { return s.from.Load(ctx, m) })
}

// Stats are those of a version in use.
func (s stage) Stats(name, version string) release.Stats {
	return release.Stats(s.Registry.Stats(name, version))
}

// versionPatience is how long a worker that starts waits for the versions that it should run. Then it
// begins with what was shipped: old results are better than none while the object store is away.
const versionPatience = 30 * time.Second

// versions keeps a worker's models as operators want them. settled is called once they are so.
func (c *Cloud) versions(ctx context.Context, registry *worker.Registry, from workernative.Catalogue, settled func()) error {
	names := slices.DeleteFunc(registry.Names(), func(name string) bool { return name == worker.SpectralRGB })
	return release.Follower{
		Group: c.Coord, Library: release.Library{Objects: c.Store}, Stage: stage{registry, from}, Dir: c.Config.Models.Cache, By: c.ID, Settled: settled, Log: c.Log,
	}.Run(ctx, names...)
}
