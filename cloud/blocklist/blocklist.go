// Package blocklist is which edges are blocked: a document beside the other agreements of the cloud,
// written by operators and watched by every bridge. What a blocked edge sends is refused and counted;
// it gets no receipts, so that it keeps its items until it is unblocked.
package blocklist

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
)

// Name is the document.
const Name = "blocked-edges"

// Bounds of what the document holds.
const (
	maxEdges  = 2000
	maxReason = 300
)

// ErrRefused marks what can't be done as it was asked for.
var ErrRefused = errors.New("nothing was changed")

// Entry is why an edge is blocked.
type Entry struct {
	By     string    `json:"by"`
	At     time.Time `json:"at"`
	Reason string    `json:"reason,omitempty"`
}

// List is the blocked edges by name.
type List map[string]Entry

// Has says whether an edge is blocked.
func (l List) Has(edge string) bool {
	_, has := l[edge]
	return has
}

// Parse reads the document.
func Parse(document []byte) (List, error) {
	l := List{}
	if len(document) == 0 {
		return l, nil
	}
	if err := json.Unmarshal(document, &l); err != nil {
		return List{}, fmt.Errorf("reading which edges are blocked: %w", err)
	}
	if l == nil {
		l = List{}
	}
	return l, nil
}

// Documents is the part of coord.Coordinator that the list needs.
type Documents interface {
	Document(name string) coord.Document
}

// Read gives the list as it is now.
func Read(ctx context.Context, group Documents) (List, error) {
	value, _, err := group.Document(Name).Get(ctx)
	if err != nil {
		return nil, err
	}
	return Parse(value)
}

// Block blocks an edge. One that is blocked stays so, as it was noted first.
func Block(ctx context.Context, group Documents, edge string, e Entry) error {
	if err := event.CheckName(edge); err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	if e.Reason = strings.ToValidUTF8(e.Reason, "�"); len(e.Reason) > maxReason {
		return fmt.Errorf("%w: the reason has %d bytes, write it in %d", ErrRefused, len(e.Reason), maxReason)
	}
	return change(ctx, group, func(l List) error {
		if l.Has(edge) {
			return nil
		}
		if len(l) >= maxEdges {
			return fmt.Errorf("%w: %d edges are blocked, no more are kept: let in only those you know with bridge.edges", ErrRefused, len(l))
		}
		l[edge] = e
		return nil
	})
}

// Unblock unblocks an edge.
func Unblock(ctx context.Context, group Documents, edge string) error {
	return change(ctx, group, func(l List) error {
		if !l.Has(edge) {
			return fmt.Errorf("%w: edge %.80q is not blocked; `edges ls` shows those that are", ErrRefused, edge)
		}
		delete(l, edge)
		return nil
	})
}

func change(ctx context.Context, group Documents, do func(List) error) error {
	doc := group.Document(Name)
	for {
		value, version, err := doc.Get(ctx)
		if err != nil {
			return err
		}
		l, err := Parse(value)
		if err != nil {
			return err
		}
		if err := do(l); err != nil {
			return err
		}
		b, err := json.Marshal(l)
		if err != nil {
			return fmt.Errorf("writing which edges are blocked: %w", err)
		}
		if _, err = doc.Put(ctx, b, version); !errors.Is(err, coord.ErrChanged) {
			return err
		}
	}
}
