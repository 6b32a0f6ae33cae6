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

// modelVersions are the versions of one model. Most items see the current one; a share of
// them, by a stable hash of their ids, sees the canary. Versions change between batches: a batch
// that has begun keeps the version it began with, which is freed when nobody uses it any more.
type modelVersions struct {
	Name  string
	bands []string

	mu       sync.Mutex
	shipped  *Model            // what the worker's own repository has
	added    map[string]*Model // versions that were added, by number
	current  *Model
	canary   *Model // nil: none
	fallback *Model // sees what the current one fails at; nil: none
	share    float64
	cache    *modelCache
}

// Model is one version of a model. Its network is loaded when it is first needed.
type Model struct {
	Name  string
	Needs Needs

	open    func(context.Context) (Network, error)
	loading sync.Mutex
	net     atomic.Pointer[Network] // nil before it is loaded, and when others need its memory
	ready   atomic.Bool             // was loaded once
	running int                     // the cache's mu guards it
	cache   *modelCache
	users   int  // batches that use it; the modelVersions' mu guards it
	retired bool // freed when the last user has gone; likewise

	rate  rate
	stats versionStats
}

func newModelVersions(name string, needs Needs, cache *modelCache, open func(context.Context) (Network, error)) *modelVersions {
	v := &modelVersions{Name: name, bands: needs.Bands, added: map[string]*Model{}, cache: cache}
	v.shipped = v.model(needs, open)
	v.current = v.shipped
	return v
}

func (v *modelVersions) model(needs Needs, open func(context.Context) (Network, error)) *Model {
	return &Model{Name: v.Name, Needs: needs, open: open, cache: v.cache}
}

func (v *modelVersions) now() *Model {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.current
}

func (v *modelVersions) preload(ctx context.Context) error { return v.now().load(ctx) }

// versionFor is the version that the item with this id is seen by. release it afterwards.
func (v *modelVersions) versionFor(id ulid.ULID) *Model {
	v.mu.Lock()
	defer v.mu.Unlock()
	m := v.current
	if v.canary != nil && unitHash(id) < v.share {
		m = v.canary
	}
	m.users++
	return m
}

// fallbackFor is the version that tries what m failed at, or nil. release it afterwards.
func (v *modelVersions) fallbackFor(m *Model) *Model {
	v.mu.Lock()
	defer v.mu.Unlock()
	other := v.fallback
	if m != v.current {
		other = v.current // m is a canary, or was
	}
	if other == nil || other == m {
		return nil
	}
	other.users++
	return other
}

func (v *modelVersions) release(m *Model) {
	v.mu.Lock()
	m.users--
	free := m.retired && m.users == 0
	v.mu.Unlock()
	if free {
		m.close()
	}
}

// unitHash is a number in [0,1) that belongs to an id for ever.
func unitHash(id ulid.ULID) float64 {
	h := fnv.New64a()
	h.Write(id[:])
	x := h.Sum64()
	x = (x ^ x>>33) * 0xff51afd7ed558ccd // FNV's upper bits depend too little on the last bytes
	return float64((x^x>>33)>>11) / (1 << 53)
}

// add loads a version beside those that run. It must take the same bands as the shipped one, and give
// the same.
func (v *modelVersions) add(ctx context.Context, needs Needs, open func(context.Context) (Network, error)) error {
	if !slices.Equal(needs.Bands, v.bands) {
		return fmt.Errorf("version %s of %s takes the bands %v, the model %v; publish it under another name", needs.Version, v.Name, needs.Bands, v.bands)
	}
	if needs.Gives != v.shipped.Needs.Gives {
		return fmt.Errorf("version %s of %s gives %s, the model %s; publish it under another name", needs.Version, v.Name, needs.Gives, v.shipped.Needs.Gives)
	}
	v.mu.Lock()
	_, there := v.added[needs.Version]
	v.mu.Unlock()
	if there {
		return nil
	}
	m := v.model(needs, open)
	if err := m.load(ctx); err != nil {
		return err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.added[needs.Version] = m
	return nil
}

// use switches to versions that were added; "" is the shipped one as the current or the fallback, and
// no canary. What is not used any more is freed.
func (v *modelVersions) use(current, canary, fallback string, share float64) error {
	v.mu.Lock()
	var idle []*Model
	err := v.choose(current, canary, fallback, share)
	if err == nil {
		for version, m := range v.added {
			if m != v.current && m != v.canary && m != v.fallback {
				delete(v.added, version)
				if m.retired = true; m.users == 0 {
					idle = append(idle, m)
				}
			}
		}
	}
	v.mu.Unlock()
	for _, m := range idle {
		m.close()
	}
	return err
}

// choose needs mu.
func (v *modelVersions) choose(current, canary, fallback string, share float64) error {
	version := func(number string) *Model {
		if number == "" {
			return v.shipped
		}
		return v.added[number]
	}
	c, f, k := version(current), version(fallback), v.added[canary]
	if c == nil || f == nil || canary != "" && k == nil {
		return fmt.Errorf("model %s: version %q, %q or %q is not loaded", v.Name, current, canary, fallback)
	}
	if f == c {
		f = nil
	}
	if k != nil && k != v.canary {
		c.stats.restart() // measured from here on beside the canary, under the same load
	}
	v.current, v.canary, v.fallback, v.share = c, k, f, share
	return nil
}

func (v *modelVersions) close() error {
	err := v.shipped.close()
	for _, m := range v.added {
		err = errors.Join(err, m.close())
	}
	return err
}

// loaded: it was, and is or will be again when it is needed.
func (m *Model) loaded() bool { return m.ready.Load() }

// load loads it without running it.
func (m *Model) load(ctx context.Context) error {
	_, err := m.cache.take(ctx, m)
	if err == nil {
		m.cache.give(m)
	}
	return err
}

// network is the loaded model; whoever calls has been admitted by the cache.
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

func (m *Model) close() error { return m.cache.forget(m) }
