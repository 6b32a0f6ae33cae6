package release

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"cloudcanvas/cloud/coord"
)

// Group is the part of coord.Coordinator that plans need.
type Group interface {
	Document(name string) coord.Document
	Documents(ctx context.Context, below string) ([]string, error)
}

// below is where the plans lie.
const below = "models"

// Admin changes plans for operators.
type Admin struct {
	Group   Group
	Library Library
	By      string           // who does it
	Now     func() time.Time // nil: time.Now
}

// Row is one model as operators see it.
type Row struct {
	Name     string   `json:"name"`
	Versions []string `json:"versions"` // published
	Plan
}

// List is every model that was published or has a plan.
func (a Admin) List(ctx context.Context) ([]Row, error) {
	versions, err := a.Library.Versions(ctx)
	if err != nil {
		return nil, err
	}
	planned, err := a.Group.Documents(ctx, below)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for _, name := range slices.Concat(planned, slices.Collect(maps.Keys(versions))) {
		names[name] = true
	}
	rows := []Row{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		p, _, err := get(ctx, a.Group, name)
		if err != nil {
			return nil, err
		}
		rows = append(rows, Row{name, append([]string{}, versions[name]...), p})
	}
	return rows, nil
}

// Refused is an error of a change that cannot be made as things are, in contrast to a service that is
// away.
type Refused struct{ error }

func (r Refused) Unwrap() error { return r.error }

// Canary lets a version see a share of the items.
func (a Admin) Canary(ctx context.Context, name, version string, share float64) (Plan, error) {
	if err := a.published(ctx, name, version); err != nil {
		return Plan{}, err
	}
	return a.change(ctx, name, func(p *Plan) error { return p.canary(version, share, a.stamp("")) })
}

// Promote makes a version the desired one; "" is the canary.
func (a Admin) Promote(ctx context.Context, name, version string) (Plan, error) {
	if version != "" {
		if err := a.published(ctx, name, version); err != nil {
			return Plan{}, err
		}
	}
	return a.change(ctx, name, func(p *Plan) error { return p.promote(version, a.stamp("")) })
}

// Rollback takes the canary back where there is one, else the desired version.
func (a Admin) Rollback(ctx context.Context, name, reason string) (Plan, error) {
	return a.change(ctx, name, func(p *Plan) error { return p.rollback(a.stamp(reason)) })
}

func (a Admin) published(ctx context.Context, name, version string) error {
	versions, err := a.Library.Versions(ctx)
	if err != nil {
		return err
	}
	if !slices.Contains(versions[name], version) {
		return Refused{fmt.Errorf("model %s has no version %q in the object store, only %v: publish it first", name, version, versions[name])}
	}
	return nil
}

func (a Admin) stamp(reason string) Change {
	now := time.Now
	if a.Now != nil {
		now = a.Now
	}
	return Change{At: now().UTC().Truncate(time.Millisecond), By: a.By, Reason: reason}
}

func (a Admin) change(ctx context.Context, name string, do func(*Plan) error) (p Plan, err error) {
	err = put(ctx, a.Group, name, func(now *Plan) error {
		err := do(now)
		if p = *now; err != nil {
			return Refused{err}
		}
		return nil
	})
	if err != nil {
		return p, fmt.Errorf("model %s: %w", name, err)
	}
	return p, nil
}

func get(ctx context.Context, g Group, name string) (Plan, int64, error) {
	if err := coord.CheckName(name); err != nil {
		return Plan{}, 0, fmt.Errorf("a model: %w", err)
	}
	value, version, err := g.Document(below + "/" + name).Get(ctx)
	if err != nil {
		return Plan{}, 0, err
	}
	p, err := parsePlan(name, value)
	return p, version, err
}

// errAsItIs ends a change that changes nothing.
var errAsItIs = errors.New("nothing to change")

// put reads the plan, lets do change it, and writes it, again where another was faster.
func put(ctx context.Context, g Group, name string, do func(*Plan) error) error {
	for {
		p, version, err := get(ctx, g, name)
		if err != nil {
			return err
		}
		if err := do(&p); err != nil {
			return err
		}
		b, err := json.Marshal(p)
		if err != nil {
			return err
		}
		if _, err = g.Document(below+"/"+name).Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
}
