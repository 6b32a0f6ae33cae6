package products

import (
	"slices"
	"sync"
)

// cache keeps the bytes that were used last, up to a limit.
type cache struct {
	mu    sync.Mutex
	limit int64
	bytes int64
	clock uint64
	items map[string]*cached
}

type cached struct {
	data []byte
	used uint64
}

func newCache(limit int64) *cache { return &cache{limit: limit, items: map[string]*cached{}} }

func (c *cache) get(key string) ([]byte, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item, ok := c.items[key]
	if !ok {
		return nil, false
	}
	c.clock++
	item.used = c.clock
	return item.data, true
}

func (c *cache) put(key string, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if int64(len(data)) > c.limit/4 {
		return
	}
	if old, ok := c.items[key]; ok {
		c.bytes -= int64(len(old.data))
	}
	c.clock++
	c.items[key] = &cached{data, c.clock}
	if c.bytes += int64(len(data)); c.bytes > c.limit {
		c.evict()
	}
}

// evict forgets the half that was not used for longest, so that it happens rarely.
func (c *cache) evict() {
	keys := make([]string, 0, len(c.items))
	for key := range c.items {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return int(int64(c.items[a].used) - int64(c.items[b].used)) })
	for _, key := range keys {
		if c.bytes <= c.limit/2 {
			return
		}
		c.bytes -= int64(len(c.items[key].data))
		delete(c.items, key)
	}
}
