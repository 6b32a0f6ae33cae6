package references

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/ground"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// lease is what the process that merges owns; others stand by.
const lease = "references"

// Group is the part of coord.Coordinator that merging needs.
type Group interface {
	Own(ctx context.Context, what string, own func(context.Context, coord.Lease) error) error
}

// Merger lays what workers saw into the views, where this process holds the lease.
type Merger struct {
	config  Config
	objects Objects
	log     *slog.Logger
	now     func() time.Time

	systems map[ground.System]*index // under the lease
	failing bool                     // and it was said
	bytes   prometheus.Gauge
	views   prometheus.Gauge
	refused prometheus.Counter
}

// NewMerger makes a Merger. metrics may be nil.
func NewMerger(c Config, objects Objects, log *slog.Logger, metrics prometheus.Registerer) (*Merger, error) {
	m := &Merger{config: c, objects: objects, log: log, now: time.Now,
		bytes:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "canvas_cloud_reference_bytes", Help: "Bytes of reference views of the ground in the object store. Only from the process that merges them."}),
		views:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "canvas_cloud_reference_views", Help: "Blocks of ground of which there is a reference view. Only from the process that merges them."}),
		refused: prometheus.NewCounter(prometheus.CounterOpts{Name: "canvas_cloud_reference_refused_total", Help: "Objects that were no reference views, and were removed."}),
	}
	if metrics == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.bytes, m.views, m.refused} {
		if err := metrics.Register(c); err != nil {
			return nil, fmt.Errorf("register the metrics of reference views: %w", err)
		}
	}
	return m, nil
}

// Run merges whenever this process holds the lease, until ctx ends.
func (m *Merger) Run(ctx context.Context, g Group) error {
	for {
		err := g.Own(ctx, lease, func(ctx context.Context, _ coord.Lease) error { return m.work(ctx) })
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !errors.Is(err, coord.ErrLost) && !m.failing {
			m.failing = true
			m.log.Warn("merging reference views of the ground failed; this process tries again, and devices may send known ground until then", telemetry.Err, err)
		}
		if err := retry.Sleep(ctx, max(time.Second, m.config.Every)); err != nil {
			return err
		}
	}
}

func (m *Merger) work(ctx context.Context) error {
	if err := m.open(ctx); err != nil {
		return err
	}
	for {
		more, err := m.pass(ctx)
		if err != nil {
			return err
		}
		if m.failing {
			m.failing = false
			m.log.Info("reference views of the ground are merged again")
		}
		if more {
			continue
		}
		if err := retry.Sleep(ctx, m.config.Every); err != nil {
			return err
		}
	}
}

// open reads the lists, and removes views that none of them has: those of a list that is gone, and what a crash
// left between a list and its views.
func (m *Merger) open(ctx context.Context) error {
	m.systems = map[ground.System]*index{}
	keys, err := m.objects.Keys(ctx, prefixSystems)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for _, key := range keys {
		if !strings.HasSuffix(key, "/index") {
			continue
		}
		x, err := readIndex(ctx, m.objects, key)
		switch {
		case errors.Is(err, errIndex) || err == nil && indexKey(x.system) != key:
			m.refused.Inc()
			m.log.Warn("a list of reference views can't be read; its views are removed, and their ground will be sent again", "key", key)
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return err
		}
		m.systems[x.system] = x
		known[key] = true
		for b := range x.blocks {
			known[viewKey(x.system, b)] = true
		}
	}
	for _, key := range keys {
		if !known[key] {
			if err := m.objects.Delete(ctx, key); err != nil {
				return err
			}
		}
	}
	m.report()
	return nil
}

// What one pass takes in hand. Views in memory have up to 70 kB.
const (
	maxTilesOfPass = 512
	maxViewsOfPass = 1024
	ahead          = 24 * time.Hour // a time further in the future is none
)

// pass takes what workers have written since; more says that there is more of it.
func (m *Merger) pass(ctx context.Context) (more bool, err error) {
	keys, err := m.objects.Keys(ctx, prefixNew)
	if err != nil {
		return false, err
	}
	var done []string
	views := map[ground.System]map[ground.Block]ground.View{}
	count := 0
	for _, key := range keys {
		if len(done) >= maxTilesOfPass || count >= maxViewsOfPass {
			more = true
			break
		}
		s, err := m.readSeen(ctx, key)
		if err != nil {
			return false, err
		}
		done = append(done, key)
		if views[s.system] == nil {
			views[s.system] = map[ground.Block]ground.View{}
		}
		for _, p := range s.patches {
			var v ground.View
			if v.UnmarshalBinary(p.view) != nil || v.Bands != s.system.Bands() {
				m.refused.Inc()
				continue
			}
			if _, here := views[s.system][p.block]; !here {
				count++
			}
			views[s.system][p.block] = views[s.system][p.block].Merge(v.Without(m.future))
		}
	}
	for system, blocks := range views {
		if len(blocks) == 0 {
			continue
		}
		if err := m.merge(ctx, system, blocks); err != nil {
			return false, err
		}
	}
	for _, key := range done {
		if err := m.objects.Delete(ctx, key); err != nil {
			return false, err
		}
	}
	return more, m.bound(ctx)
}

// readSeen reads what a worker wrote; what is none is as nothing.
func (m *Merger) readSeen(ctx context.Context, key string) (seen, error) {
	data, err := m.objects.Get(ctx, key, maxSeen)
	if errors.Is(err, fs.ErrNotExist) {
		return seen{}, nil
	}
	if err != nil && !errors.Is(err, event.ErrTooLarge) {
		return seen{}, err
	}
	s, wrong := parseSeen(data)
	if err != nil || wrong != nil {
		m.refused.Inc()
		m.log.Warn("an object among those that workers write for reference views is none; it is removed", "key", key)
		return seen{}, nil
	}
	return s, nil
}

func (m *Merger) future(s ground.Source) bool { return s.Seen.After(m.now().Add(ahead)) }

// merge writes the views of one system, and then its list. After a crash in between, the same is merged again:
// the views are as they were, and the list gets what it lacks.
func (m *Merger) merge(ctx context.Context, system ground.System, blocks map[ground.Block]ground.View) error {
	x := m.systems[system]
	if x == nil {
		x = newIndex(system)
		m.systems[system] = x
	}
	order := make([]ground.Block, 0, len(blocks))
	for b := range blocks {
		order = append(order, b)
	}
	slices.SortFunc(order, func(a, b ground.Block) int { return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X)) })
	changed := false
	for _, b := range order {
		before, was, err := readView(ctx, m.objects, system, b)
		if err != nil {
			return err
		}
		v := before.Merge(blocks[b])
		if v.Empty() {
			continue
		}
		data, err := v.MarshalBinary()
		if err != nil {
			return err
		}
		if !bytes.Equal(data, was) {
			if err := m.objects.Put(ctx, viewKey(system, b), data); err != nil {
				return err
			}
		}
		sum := crc32.ChecksumIEEE(data)
		if e, ok := x.blocks[b]; ok && e.sum == sum && int(e.bytes) == len(data) {
			continue
		}
		x.change++
		x.blocks[b] = entry{change: x.change, kept: m.now().Unix(), bytes: uint32(len(data)), sum: sum}
		changed = true
	}
	if !changed {
		return nil
	}
	return m.objects.Put(ctx, indexKey(system), x.marshal())
}

// bound removes views that have not changed for too long, and the oldest where they are too many: down to nine
// tenths of the quota, so that not every pass has to.
func (m *Merger) bound(ctx context.Context) error {
	type place struct {
		x     *index
		block ground.Block
	}
	var all []place
	sum := int64(0)
	for _, x := range m.systems {
		sum += x.bytes()
		for b := range x.blocks {
			all = append(all, place{x, b})
		}
	}
	kept := func(p place) int64 { return p.x.blocks[p.block].kept }
	slices.SortFunc(all, func(a, b place) int {
		return cmp.Or(cmp.Compare(kept(a), kept(b)), cmp.Compare(a.x.blocks[a.block].change, b.x.blocks[b.block].change), cmp.Compare(a.x.system, b.x.system))
	})
	oldest := m.now().Add(-m.config.MaxAge).Unix()
	room := sum
	if sum > m.config.QuotaBytes {
		room = m.config.QuotaBytes * 9 / 10
	}
	removed := map[*index][]ground.Block{}
	for _, p := range all {
		if kept(p) >= oldest && sum <= room {
			break
		}
		sum -= int64(p.x.blocks[p.block].bytes)
		removed[p.x] = append(removed[p.x], p.block)
	}
	for x, blocks := range removed {
		for _, b := range blocks {
			delete(x.blocks, b)
		}
		if err := m.objects.Put(ctx, indexKey(x.system), x.marshal()); err != nil {
			return err
		}
		for _, b := range blocks {
			if err := m.objects.Delete(ctx, viewKey(x.system, b)); err != nil {
				return err
			}
		}
	}
	m.report()
	return nil
}

func (m *Merger) report() {
	sum, views := int64(0), 0
	for _, x := range m.systems {
		sum += x.bytes()
		views += len(x.blocks)
	}
	m.bytes.Set(float64(sum))
	m.views.Set(float64(views))
}
