package uplink

import (
	"slices"
	"sync"

	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
)

// shelfBytes is how much of large items is kept at hand.
const shelfBytes = 64 << 20

// shelf keeps the large items whose parts are being sent, so that the buffer is not asked for all of
// an item for each of its parts. The one used last stays, however large.
type shelf struct {
	box   Box
	mu    sync.Mutex
	books []*book // the one used last at the end
}

type book struct {
	seq  uint64
	once sync.Once
	item event.Item
	err  error
	size int // of the item's data, once it is there; the shelf's mu guards it
}

func newShelf(box Box) *shelf { return &shelf{box: box} }

func (s *shelf) load(p schedule.Part) (event.Item, error) {
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
	for i := len(s.books) - 1; i >= 0; i-- {
		if total += s.books[i].size; total > shelfBytes && i < len(s.books)-1 {
			s.books = slices.Delete(s.books, 0, i+1)
			break
		}
	}
	return b.item, nil
}

// find takes an item's book from the shelf and puts it to the end, or begins one.
func (s *shelf) find(seq uint64) *book {
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &book{seq: seq}
	if at := slices.IndexFunc(s.books, func(b *book) bool { return b.seq == seq }); at >= 0 {
		b = s.books[at]
		s.books = slices.Delete(s.books, at, at+1)
	}
	s.books = append(s.books, b)
	return b
}

func (s *shelf) drop(seq uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.books = slices.DeleteFunc(s.books, func(b *book) bool { return b.seq == seq })
}
