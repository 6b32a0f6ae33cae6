package bridge

import (
	"container/list"
	"errors"
	"fmt"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// assembly puts large items together again. Parts are held in memory, bounded in bytes, and their
// PUBACKs are given at once: a broker lends only so many messages in flight, and those of one item
// must not wait for each other's. Nothing is lost by it, since a device frees a row on the receipt
// of the whole item only; what a bridge held when it died is sent again.
type assembly struct {
	limit int64
	held  int64
	items map[ulid.ULID]*list.Element // of *whole
	order *list.List                  // the one touched longest ago first
}

type whole struct {
	first event.Item // with the item's attributes, without data
	parts [][]byte
	have  int
	bytes int64
}

// maxItemBytes bounds an item put together of parts.
const maxItemBytes = 256 << 20

var errPart = errors.New("the part does not fit its item")

func newAssembly(limit int64) *assembly {
	return &assembly{limit: limit, items: map[ulid.ULID]*list.Element{}, order: list.New()}
}

// add takes a part, and gives the item when it is the last one missing. The item's digest is checked
// by the caller.
func (a *assembly) add(p event.Item) (item event.Item, done bool, err error) {
	n := int(p.Attrs.Parts)
	if n < 1 || int(p.Attrs.Part) >= n || p.Attrs.PartOf == "" {
		return item, false, fmt.Errorf("%w: part %d of %d of a %q", errPart, p.Attrs.Part, n, p.Attrs.PartOf)
	}
	e := a.items[p.ID]
	if e == nil {
		e = a.order.PushBack(&whole{first: p, parts: make([][]byte, n)})
		a.items[p.ID] = e
	}
	w := e.Value.(*whole)
	if len(w.parts) != n || w.first.SHA256 != p.SHA256 {
		return item, false, fmt.Errorf("%w: it says %d parts, others said %d", errPart, n, len(w.parts))
	}
	if w.parts[p.Attrs.Part] == nil {
		w.parts[p.Attrs.Part] = p.Data
		w.have++
		w.bytes += int64(len(p.Data))
		a.held += int64(len(p.Data))
	}
	a.order.MoveToBack(e)
	if w.have < n {
		a.evict(e)
		if w.bytes > maxItemBytes {
			a.drop(e)
			return item, false, fmt.Errorf("%w: more than %d bytes", errPart, maxItemBytes)
		}
		return item, false, nil
	}
	a.drop(e)
	item = w.first
	item.Kind, item.Data = p.Attrs.PartOf, make([]byte, 0, w.bytes)
	item.Attrs.Part, item.Attrs.Parts, item.Attrs.PartOf = 0, 0, ""
	for _, part := range w.parts {
		item.Data = append(item.Data, part...)
	}
	return item, true, nil
}

// evict lets go of the items touched longest ago while too much is held. They come again.
func (a *assembly) evict(but *list.Element) {
	for a.held > a.limit && a.order.Front() != but {
		a.drop(a.order.Front())
	}
}

func (a *assembly) drop(e *list.Element) {
	w := a.order.Remove(e).(*whole)
	a.held -= w.bytes
	delete(a.items, w.first.ID)
}
