package delivery

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"cloudcanvas/cloud/coord"
)

// document holds what operators want. It lies beside models/, whose documents are about workers.
const document = "edge-models"

// Desired is a model's version that some edges shall run: a wish, in the words of `models edges --json`.
type Desired struct {
	Model   string    `json:"model"`
	Version string    `json:"version"` // empty: what they came with
	Edges   string    `json:"edges"`   // a name, or a pattern such as mast-*
	By      string    `json:"by"`
	Since   time.Time `json:"since"`
}

// maxDesired bounds the document: it must stay small.
const maxDesired = 500

// DesiredModels are all of them; of those that fit an edge and a model the last counts.
type DesiredModels []Desired

// For gives the version that an edge shall run; ok is false where nothing is set.
func (w DesiredModels) For(edge, model string) (version string, ok bool) {
	for _, one := range w {
		if fits, err := path.Match(one.Edges, edge); err == nil && fits && one.Model == model {
			version, ok = one.Version, true
		}
	}
	return version, ok
}

func parse(b []byte) (w DesiredModels, err error) {
	if len(b) > 0 {
		if err = json.Unmarshal(b, &w); err != nil {
			return nil, fmt.Errorf("reading what edges shall run: %w", err)
		}
	}
	return w, nil
}

// Documents is the part of coord.Coordinator that they need.
type Documents interface {
	Document(name string) coord.Document
}

// Read gives what operators want.
func Read(ctx context.Context, d Documents) (DesiredModels, error) {
	value, _, err := d.Document(document).Get(ctx)
	if err != nil {
		return nil, err
	}
	return parse(value)
}

// Ask sets what some edges shall run, in place of an earlier setting for the same model and edges. With
// remove the earlier one goes: those edges keep what they run.
func Ask(ctx context.Context, d Documents, want Desired, remove bool) error {
	if _, err := path.Match(want.Edges, "x"); want.Edges == "" || err != nil {
		return fmt.Errorf("%q names no edges: write a name, or a pattern such as mast-*", want.Edges)
	}
	at := d.Document(document)
	for {
		value, version, err := at.Get(ctx)
		if err != nil {
			return err
		}
		all, err := parse(value)
		if err != nil {
			return err
		}
		same := func(w Desired) bool { return w.Model == want.Model && w.Edges == want.Edges }
		if remove && !slices.ContainsFunc(all, same) {
			return fmt.Errorf("edges %q have no version of model %s to run", want.Edges, want.Model)
		}
		all = slices.DeleteFunc(all, same)
		if !remove {
			all = append(all, want)
		}
		if len(all) > maxDesired {
			return fmt.Errorf("%d entries are the limit: use patterns that take in more edges, or remove some", maxDesired)
		}
		b, err := json.Marshal(all)
		if err != nil {
			return err
		}
		if _, err := at.Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
}
