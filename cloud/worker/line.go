package worker

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/oklog/ulid/v2"
)

// Line is one model on the shelf through its versions. Most items see the current one; a share of
// them, by a stable hash of their ids, sees the canary. Versions change between batches: a batch
// that has begun keeps the version it began with, which is freed when nobody uses it any more.
type Line struct {
	Name  string
	bands []string

	mu       sync.Mutex
	shipped  *Model            // what the worker's own repository has
	added    map[string]*Model // versions that were added, by number
	current  *Model
	canary   *Model // nil: none
	fallback *Model // sees what the current one fails at; nil: none
	share    float64
	memory   *residents
}

// Model is one version of a model. Its network is loaded when it is first needed.
type Model struct {
	Name  string
	Needs Needs

	open    func(context.Context) (Network, error)
	loading sync.Mutex
	net     atomic.Pointer[Network] // nil before it is loaded, and when others need its memory
	ready   atomic.Bool             // was loaded once
	running int                     // the residents' mu guards it
	memory  *residents
	users   int  // batches that use it; the line's mu guards it
	retired bool // freed when the last user has gone; likewise

	rate    rate
	figures figures
}

func newLine(name string, needs Needs, memory *residents, open func(context.Context) (Network, error)) *Line {
	l := &Line{Name: name, bands: needs.Bands, added: map[string]*Model{}, memory: memory}
	l.shipped = l.model(needs, open)
	l.current = l.shipped
	return l
}

func (l *Line) model(needs Needs, open func(context.Context) (Network, error)) *Model {
	return &Model{Name: l.Name, Needs: needs, open: open, memory: l.memory}
}

func (l *Line) now() *Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.current
}

func (l *Line) preload(ctx context.Context) error { return l.now().load(ctx) }

// seenBy is the version that the item with this id is seen by. leave it afterwards.
func (l *Line) seenBy(id ulid.ULID) *Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	m := l.current
	if l.canary != nil && lot(id) < l.share {
		m = l.canary
	}
	m.users++
	return m
}

// instead is the version that tries what m failed at, or nil. leave it afterwards.
func (l *Line) instead(m *Model) *Model {
	l.mu.Lock()
	defer l.mu.Unlock()
	other := l.fallback
	if m != l.current {
		other = l.current // m is a canary, or was
	}
	if other == nil || other == m {
		return nil
	}
	other.users++
	return other
}

func (l *Line) leave(m *Model) {
	l.mu.Lock()
	m.users--
	free := m.retired && m.users == 0
	l.mu.Unlock()
	if free {
		m.close()
	}
}

// lot is a number in [0,1) that belongs to an id for ever.
func lot(id ulid.ULID) float64 {
	h := fnv.New64a()
	h.Write(id[:])
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd // FNV's upper bits depend too little on the last bytes
	return float64((x^x>>33)>>11) / (1 << 53)
}

// add loads a version beside those that run. It must take the same bands as the shipped one, and give
// the same.
func (l *Line) add(ctx context.Context, needs Needs, open func(context.Context) (Network, error)) error {
	if !slices.Equal(needs.Bands, l.bands) {
		return fmt.Errorf("version %s of %s takes the bands %v, the line %v; publish it under another name", needs.Version, l.Name, needs.Bands, l.bands)
	}
	if needs.Gives != l.shipped.Needs.Gives {
		return fmt.Errorf("version %s of %s gives %s, the line %s; publish it under another name", needs.Version, l.Name, needs.Gives, l.shipped.Needs.Gives)
	}
	l.mu.Lock()
	_, there := l.added[needs.Version]
	l.mu.Unlock()
	if there {
		return nil
	}
	m := l.model(needs, open)
	if err := m.load(ctx); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.added[needs.Version] = m
	return nil
}

// use switches to versions that were added; "" is the shipped one as the current or the fallback, and
// no canary. What is not used any more is freed.
func (l *Line) use(current, canary, fallback string, share float64) error {
	l.mu.Lock()
	var idle []*Model
	err := l.choose(current, canary, fallback, share)
	if err == nil {
		for version, m := range l.added {
			if m != l.current && m != l.canary && m != l.fallback {
				delete(l.added, version)
				if m.retired = true; m.users == 0 {
					idle = append(idle, m)
				}
			}
		}
	}
	l.mu.Unlock()
	for _, m := range idle {
		m.close()
	}
	return err
}

// choose needs mu.
func (l *Line) choose(current, canary, fallback string, share float64) error {
	version := func(v string) *Model {
		if v == "" {
			return l.shipped
		}
		return l.added[v]
	}
	c, f, k := version(current), version(fallback), l.added[canary]
	if c == nil || f == nil || canary != "" && k == nil {
		return fmt.Errorf("model %s: version %q, %q or %q is not loaded", l.Name, current, canary, fallback)
	}
	if f == c {
		f = nil
	}
	if k != nil && k != l.canary {
		c.figures.restart() // measured from here on beside the canary, under the same load
	}
	l.current, l.canary, l.fallback, l.share = c, k, f, share
	return nil
}

func (l *Line) close() error {
	err := l.shipped.close()
	for _, m := range l.added {
		err = errors.Join(err, m.close())
	}
	return err
}

// loaded: it was, and is or will be again when it is needed.
func (m *Model) loaded() bool { return m.ready.Load() }

// load loads it without running it.
func (m *Model) load(ctx context.Context) error {
	_, err := m.memory.take(ctx, m)
	if err == nil {
		m.memory.give(m)
	}
	return err
}

// network is the loaded model; whoever calls has been admitted by the residents.
func (m *Model) network(ctx context.Context) (Network, error) {
	m.loading.Lock()
	defer m.loading.Unlock()
	if net := m.net.Load(); net != nil {
		return *net, nil
	}
	net, err := m.open(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("%w: loading model %s version %s: %w", ErrUnfit, m.Name, m.Needs.Version, err)
	}
	m.net.Store(&net)
	m.ready.Store(true)
	return net, nil
}

func (m *Model) close() error { return m.memory.forget(m) }
