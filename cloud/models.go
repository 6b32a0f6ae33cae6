package cloud

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"cloudcanvas/cloud/console/live"
	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/release"
)

// models let the console change models by the same administration as `canvas-cloud models`.
type models struct {
	admin release.Admin
	group group
}

func modelsOf(c coord.Coordinator, l release.Library) models {
	return models{release.Admin{Group: c, Library: l}, group{c}}
}

func (m models) Models(ctx context.Context) ([]live.Model, error) {
	rows, err := m.admin.List(ctx)
	if err != nil {
		return nil, err
	}
	workers, err := m.group.Workers(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]live.Model, len(rows))
	for i, r := range rows {
		all[i] = live.Model{Name: r.Name, Versions: r.Versions, Desired: r.Desired, Previous: r.Previous, Running: map[string]int{}, Changes: []live.ModelChange{}}
		if r.Canary != nil {
			all[i].Canary = &live.ModelCanary{Version: r.Canary.Version, Share: r.Canary.Share, Since: r.Canary.Since}
		}
		for _, w := range workers {
			if v, has := w.Models[r.Name]; has {
				all[i].Running[v]++
			}
		}
		for _, c := range slices.Backward(r.Changes) {
			all[i].Changes = append(all[i].Changes, live.ModelChange{Time: c.At, Action: c.What, Version: c.Version, Who: c.By, Reason: c.Reason})
		}
	}
	return all, nil
}

func (m models) Canary(ctx context.Context, who, model, version string, share float64) error {
	_, err := m.by(who).Canary(ctx, model, version, share)
	return refused(err)
}

func (m models) Promote(ctx context.Context, who, model, version string) error {
	_, err := m.by(who).Promote(ctx, model, version)
	return refused(err)
}

func (m models) Rollback(ctx context.Context, who, model, reason string) error {
	_, err := m.by(who).Rollback(ctx, model, reason)
	return refused(err)
}

func (m models) by(who string) release.Admin {
	m.admin.By = who
	return m.admin
}

// refused distinguishes what the caller can mend from services that are away.
func refused(err error) error {
	if errors.As(err, new(release.Refused)) {
		return fmt.Errorf("%w: %w", live.ErrRefused, err)
	}
	return err
}
