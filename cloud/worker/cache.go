package worker

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"cloudcanvas/shared/config"
)

// modelCache holds the models that are loaded, and what memory they are taken to need. Where there is a
// budget, the one that was not used for longest is unloaded when the next needs its room, never one
// that is running: it is waited for. A goroutine runs one model at a time, so no two wait for each other.
type modelCache struct {
	budget int64 // bytes; 0: no limit
	turn   chan struct{}

	mu       sync.Mutex
	order    []*Model // the least recently used first
	bytes    int64
	unloaded int           // so far
	given    chan struct{} // closed and replaced when one stops running
}

func newModelCache(budget int64) *modelCache {
	return &modelCache{budget: budget, turn: make(chan struct{}, 1), given: make(chan struct{})}
}

// What a loaded model is taken to need: its weights several times over, as engines keep them packed
// for the processor, and room for what flows through. Measured as growth of resident memory with ONNX
// Runtime and OpenCV on a CPU, two sessions of one thread: 4 MB files 57 to 63 MB, 40 MB files 282 to
// 303 MB (OpenCV up to 534). See docs/models.md for what this leaves out.
const (
	perByte   = 6
	perModel  = 48 << 20
	builtinIn = 1 << 20 // a rule without a file
)

// footprint is what a model with a file of that size is taken to need.
func footprint(file int64) int64 {
	if file == 0 {
		return builtinIn
	}
	return perByte*file + perModel
}

// tooLarge names the models that don't fit into the budget alone.
func (c *modelCache) tooLarge(models map[string]*modelVersions) (problems []config.Problem) {
	for name, v := range models {
		if need := footprint(v.shipped.Needs.Bytes); c.budget > 0 && need > c.budget {
			problems = append(problems, c.mistake(name, need))
		}
	}
	return problems
}

func (c *modelCache) mistake(model string, need int64) config.Problem {
	return config.Problem{
		Field: "worker.models_memory_bytes", Message: fmt.Sprintf("is %d, but model %s alone is taken to need %d", c.budget, model, need),
		Hint: fmt.Sprintf("use at least %d, or 0 for no limit, or leave the model to workers with more memory", need),
	}
}

// take gives a loaded network that stays until it is given back. Takers come in turn, so that a large
// model does not wait for ever while small ones come and go.
func (c *modelCache) take(ctx context.Context, m *Model) (Network, error) {
	if c.budget > 0 {
		if need := footprint(m.Needs.Bytes); need > c.budget {
			return nil, &config.Error{File: "configuration", Problems: []config.Problem{c.mistake(m.Name+" version "+m.Needs.Version, need)}}
		}
		select {
		case c.turn <- struct{}{}:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	err := c.admit(ctx, m)
	if c.budget > 0 {
		<-c.turn
	}
	if err != nil {
		return nil, err
	}
	net, err := m.network(ctx)
	if err != nil {
		c.give(m)
		return nil, err
	}
	return net, nil
}

// admit waits until there is room for a model, and counts it as running.
func (c *modelCache) admit(ctx context.Context, m *Model) error {
	for {
		c.mu.Lock()
		idle, ok := c.room(m)
		if ok {
			if at := slices.Index(c.order, m); at >= 0 {
				c.order = slices.Delete(c.order, at, at+1)
			} else {
				c.bytes += footprint(m.Needs.Bytes)
			}
			c.order = append(c.order, m)
			m.running++
			nets := c.unload(idle)
			c.mu.Unlock()
			if err := closeAll(nets); err != nil {
				c.give(m)
				return fmt.Errorf("unloading a model to make room for %s: %w", m.Name, err)
			}
			return nil
		}
		given := c.given
		c.mu.Unlock()
		select {
		case <-given:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// room says which idle models must go for this one; not ok where that is not enough. It needs mu.
func (c *modelCache) room(m *Model) (idle []*Model, ok bool) {
	if c.budget == 0 || slices.Contains(c.order, m) {
		return nil, true
	}
	over := c.bytes + footprint(m.Needs.Bytes) - c.budget
	for _, other := range c.order {
		if over <= 0 {
			break
		}
		if other.running == 0 {
			idle = append(idle, other)
			over -= footprint(other.Needs.Bytes)
		}
	}
	return idle, over <= 0
}

// roomy: the model can be loaded without any other making room.
func (c *modelCache) roomy(m *Model) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	idle, ok := c.room(m)
	return ok && idle == nil
}

// unload takes models out and gives their networks, for whoever closes them. It needs mu.
func (c *modelCache) unload(models []*Model) (nets []Network) {
	for _, m := range models {
		c.remove(m)
		if net := m.net.Swap(nil); net != nil {
			c.unloaded++
			nets = append(nets, *net)
		}
	}
	return nets
}

// remove needs mu.
func (c *modelCache) remove(m *Model) {
	if at := slices.Index(c.order, m); at >= 0 {
		c.order = slices.Delete(c.order, at, at+1)
		c.bytes -= footprint(m.Needs.Bytes)
	}
}

// give gives a network back.
func (c *modelCache) give(m *Model) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.running--
	if m.running == 0 && m.net.Load() == nil {
		c.remove(m) // it could not be loaded
	}
	close(c.given)
	c.given = make(chan struct{})
}

// forget takes a model out for good and frees it.
func (c *modelCache) forget(m *Model) error {
	m.loading.Lock()
	defer m.loading.Unlock()
	c.mu.Lock()
	c.remove(m)
	net := m.net.Swap(nil)
	c.mu.Unlock()
	if net == nil {
		return nil
	}
	return closeAll([]Network{*net})
}

func closeAll(nets []Network) (err error) {
	for _, n := range nets {
		if c, ok := n.(io.Closer); ok {
			if e := c.Close(); e != nil && err == nil {
				err = e
			}
		}
	}
	return err
}

// stats are how many models are loaded, what they are taken to need, and how many were unloaded.
func (c *modelCache) stats() (models int, bytes int64, unloaded int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.order), c.bytes, c.unloaded
}
