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

// document is where the wishes stand. It lies beside models/, whose documents are about workers.
const document = "edge-models"

// Wish is a model's version that some edges shall run.
type Wish struct {
	Model   string    `json:"model"`
	Version string    `json:"version"` // empty: what they came with
	Edges   string    `json:"edges"`   // a name, or a pattern such as mast-*
	By      string    `json:"by"`
	Since   time.Time `json:"since"`
}

// maxWishes bounds the document: it must stay small.
const maxWishes = 500

// Wishes are all of them; of those that fit an edge and a model the last counts.
type Wishes []Wish

// For gives the version that an edge shall run; ok is false where nobody wants anything of it.
func (w Wishes) For(edge, model string) (version string, ok bool) {
	for _, wish := range w {
		if fits, err := path.Match(wish.Edges, edge); err == nil && fits && wish.Model == model {
			version, ok = wish.Version, true
		}
	}
	return version, ok
}

func parse(b []byte) (w Wishes, err error) {
	if len(b) > 0 {
		if err = json.Unmarshal(b, &w); err != nil {
			return nil, fmt.Errorf("reading what edges shall run: %w", err)
		}
	}
	return w, nil
}

// Documents is the part of coord.Coordinator that wishes need.
type Documents interface {
	Document(name string) coord.Document
}

// Read gives the wishes.
func Read(ctx context.Context, d Documents) (Wishes, error) {
	value, _, err := d.Document(document).Get(ctx)
	if err != nil {
		return nil, err
	}
	return parse(value)
}

// Ask adds a wish, in place of an earlier one for the same model and edges. With remove the earlier
// one goes: those edges keep what they run.
func Ask(ctx context.Context, d Documents, wish Wish, remove bool) error {
	if _, err := path.Match(wish.Edges, "x"); wish.Edges == "" || err != nil {
		return fmt.Errorf("%q names no edges: write a name, or a pattern such as mast-*", wish.Edges)
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
		same := func(w Wish) bool { return w.Model == wish.Model && w.Edges == wish.Edges }
		if remove && !slices.ContainsFunc(all, same) {
			return fmt.Errorf("nothing is asked of edges %q about model %s", wish.Edges, wish.Model)
		}
		all = slices.DeleteFunc(all, same)
		if !remove {
			all = append(all, wish)
		}
		if len(all) > maxWishes {
			return fmt.Errorf("%d wishes are the limit: use patterns that take in more edges, or remove some", maxWishes)
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
