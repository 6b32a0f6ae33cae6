package console

import (
	"slices"
	"sync"

	"cloudcanvas/shared/event"
)

// troubles are what edges say is wrong with their buffers, twins among it. They live in memory: edges
// say them in their retained status, which the broker tells anew to a console that starts.
type troubles struct {
	mu sync.Mutex
	of map[string][]event.Trouble
}

// Bounds of the troubles that are kept: edges that have some, and the text of each.
const (
	maxTroubled    = 1000
	maxTroubleText = 600
)

// hear takes in what an edge says when it is online; the will that says that it is gone knows of none.
func (t *troubles) hear(s event.Status) {
	if s.Status != event.Online {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.of[s.Edge]; len(s.Troubles) == 0 || !known && len(t.of) >= maxTroubled {
		delete(t.of, s.Edge)
		return
	}
	if t.of == nil {
		t.of = map[string][]event.Trouble{}
	}
	all := slices.Clone(s.Troubles)
	for n := range all {
		all[n].Kind, all[n].Text = cut(all[n].Kind, maxName), cut(all[n].Text, maxTroubleText)
	}
	t.of[s.Edge] = all
}

// with adds its troubles to each edge.
func (t *troubles) with(edges []Edge) []Edge {
	t.mu.Lock()
	defer t.mu.Unlock()
	for n := range edges {
		edges[n].Troubles = t.of[edges[n].Name]
	}
	return edges
}
