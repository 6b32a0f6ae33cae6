// Package release changes the models of a running cluster. Versions rest in the object store; which
// of them should run stands in one document a model; every worker follows it, loads beside what runs,
// and switches between batches. A version that does worse than the one before it is taken back by
// the first worker that sees it, with the reason.
package release

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// Plan is the document models/<name>: which versions should run. The version "" is what each worker's
// own repository has.
type Plan struct {
	Desired  string    `json:"desired"`
	Canary   *Canary   `json:"canary,omitempty"`
	Previous string    `json:"previous"`
	Since    time.Time `json:"since,omitzero"`    // of the desired version
	Changes  []Change  `json:"changes,omitempty"` // the latest last
}

// Canary is a version on trial.
type Canary struct {
	Version string    `json:"version"`
	Share   float64   `json:"share"` // of the items, by a stable hash of their ids
	Since   time.Time `json:"since"`
}

// Change is what was done, by whom and why.
type Change struct {
	At      time.Time `json:"at"`
	What    string    `json:"what"` // canary, promote, rollback
	Version string    `json:"version"`
	By      string    `json:"by"`
	Reason  string    `json:"reason,omitempty"`
}

// changesKept bounds the history: the document must stay small.
const changesKept = 20

func parsePlan(name string, b []byte) (p Plan, err error) {
	if len(b) > 0 {
		if err = json.Unmarshal(b, &p); err != nil {
			return p, fmt.Errorf("reading the plan of model %s: %w", name, err)
		}
	}
	return p, nil
}

func (p *Plan) note(c Change) {
	p.Changes = append(p.Changes, c)
	p.Changes = p.Changes[max(0, len(p.Changes)-changesKept):]
}

// canary begins a trial, or changes its share.
func (p *Plan) canary(version string, share float64, c Change) error {
	if !(share > 0 && share <= 1) {
		return fmt.Errorf("a share of %v: use more than 0, at most 1", share)
	}
	if version == p.Desired {
		return fmt.Errorf("version %s is the desired one already", show(version))
	}
	if p.Canary == nil || p.Canary.Version != version {
		p.Canary = &Canary{Version: version, Since: c.At}
	}
	p.Canary.Share = share
	c.What, c.Version, c.Reason = "canary", version, fmt.Sprintf("sees %g %% of the items", share*100)
	p.note(c)
	return nil
}

// promote makes a version the desired one; "" is the canary.
func (p *Plan) promote(version string, c Change) error {
	if version == "" && p.Canary != nil {
		version = p.Canary.Version
	}
	switch version {
	case "":
		return fmt.Errorf("there is no canary to promote: name a version")
	case p.Desired:
		return fmt.Errorf("version %s is the desired one already", version)
	}
	p.Previous, p.Desired, p.Canary, p.Since = p.Desired, version, nil, c.At
	c.What, c.Version = "promote", version
	p.note(c)
	return nil
}

// rollback takes the canary back where there is one, else the desired version.
func (p *Plan) rollback(c Change) error {
	c.What = "rollback"
	switch {
	case p.Canary != nil:
		c.Version = p.Canary.Version
		p.Canary = nil
	case p.Desired != p.Previous:
		c.Version = p.Desired
		p.Desired, p.Previous, p.Since = p.Previous, "", time.Time{} // it is not on trial
	default:
		return fmt.Errorf("there is nothing to take back: no canary, and no version before %s", show(p.Desired))
	}
	p.note(c)
	return nil
}

// retract takes back exactly this version where it still runs, and says whether it did.
func (p *Plan) retract(version string, c Change) bool {
	if p.Canary != nil && p.Canary.Version == version || p.Canary == nil && p.Desired == version && p.Desired != p.Previous {
		return p.rollback(c) == nil
	}
	return false
}

// show is a version as a person reads it.
func show(version string) string {
	if version == "" {
		return "as shipped"
	}
	return version
}

// number is a version's number; 0 where it is none.
func number(version string) int {
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 || strconv.Itoa(n) != version {
		return 0
	}
	return n
}
