package uplink

import (
	"slices"
	"sync"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
)

// itemCacheBytes is how much of large items is kept in memory.
const itemCacheBytes = 64 << 20

// itemCache keeps the large items whose parts are being sent, so that the buffer is not asked for all of
// an item for each of its parts. The one used last stays, however large.
type itemCache struct {
	box   Box
	mu    sync.Mutex
	items []*cachedItem // the one used last at the end
}

type cachedItem struct {
	seq  uint64
	once sync.Once
	item event.Item
	err  error
	size int // of the item's data, once it is there; the cache's mu guards it
}

func newItemCache(box Box) *itemCache { return &itemCache{box: box} }

func (s *itemCache) load(p schedule.Part) (event.Item, error) {
	if p.Of == 1 {
		return s.box.Load(p.Seq)
	}
	b := s.find(p.Seq)
	b.once.Do(func() { b.item, b.err = s.box.Load(p.Seq) })
	if b.err != nil {
		s.drop(p.Seq)
		return b.item, b.err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b.size = len(b.item.Data)
	total := 0
	for i := len(s.items) - 1; i >= 0; i-- {
		if total += s.items[i].size; total > itemCacheBytes && i < len(s.items)-1 {
			s.items = slices.Delete(s.items, 0, i+1)
			break
		}
	}
	return b.item, nil
}

// find moves an item's entry to the end, or begins one.
func (s *itemCache) find(seq uint64) *cachedItem {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &cachedItem{seq: seq}
	if at := slices.IndexFunc(s.items, func(b *cachedItem) bool { return b.seq == seq }); at >= 0 {
		b = s.items[at]
		s.items = slices.Delete(s.items, at, at+1)
	}
	s.items = append(s.items, b)
	return b
}

func (s *itemCache) drop(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.items = slices.DeleteFunc(s.items, func(b *cachedItem) bool { return b.seq == seq })
}
