package console

import (
	"slices"
	"sync"
)

// shelf keeps the bytes that were used last, up to a limit.
type shelf struct {
	mu    sync.Mutex
	limit int64
	bytes int64
	clock uint64
	items map[string]*shelved
}

type shelved struct {
	data []byte
	used uint64
}

func newShelf(limit int64) *shelf { return &shelf{limit: limit, items: map[string]*shelved{}} }

func (s *shelf) get(key string) ([]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	item, ok := s.items[key]
	if !ok {
		return nil, false
	}
	s.clock++
	item.used = s.clock
	return item.data, true
}

func (s *shelf) put(key string, data []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if int64(len(data)) > s.limit/4 {
		return
	}
	if old, ok := s.items[key]; ok {
		s.bytes -= int64(len(old.data))
	}
	s.clock++
	s.items[key] = &shelved{data, s.clock}
	if s.bytes += int64(len(data)); s.bytes > s.limit {
		s.sweep()
	}
}

// sweep forgets the half that was not used for longest, so that it happens rarely.
func (s *shelf) sweep() {
	keys := make([]string, 0, len(s.items))
	for key := range s.items {
		keys = append(keys, key)
	}
	slices.SortFunc(keys, func(a, b string) int { return int(int64(s.items[a].used) - int64(s.items[b].used)) })
	for _, key := range keys {
		if s.bytes <= s.limit/2 {
			return
		}
		s.bytes -= int64(len(s.items[key].data))
		delete(s.items, key)
	}
}
