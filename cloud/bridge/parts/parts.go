// Package parts puts items together that came in parts, and knows which parts rest in the object store.
//
//	part ──▶ Open ──▶ its Assembly ──▶ Stored ──▶ Whole, once all are there
//	             └─ begins anew where the item was cut otherwise: the old keys are stale
//
// An Assembler belongs to the bridge's commit loop; Held is what receipts say of unfinished items.
package parts

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"cloudcanvas/shared/event"
)

// Assembler puts items together that are too large for one message.
//
// A part is acknowledged once it rests in the object store, not when the whole is in Kafka: an item
// may have more parts than the MQTT broker lets be in flight, so that waiting for the last would
// wait for ever. What rests in the store is named in receipts and never sent again, so it must
// outlive this process: a link of 1 kB/s can't send 10 MB twice. Memory holds a copy of the parts
// that came last, up to a bound, so that the store is seldom read.
type Assembler struct {
	objects Objects
	limit   int64 // bytes in memory
	most    int64 // bytes of one item
	held    int64
	count   int // parts of all items, here or not
	items   map[Identity]*Assembly
	edges   map[string]*unfinished
	recent  *list.List // of *Assembly, the one touched last in front
	forgot  bool       // the store may hold parts of items that are not in items
}

// Objects is the object store, as far as it is read. Get's error is fs.ErrNotExist where there is nothing.
type Objects interface {
	Get(ctx context.Context, key string) ([]byte, error)
	Keys(ctx context.Context, prefix string) ([]string, error)
}

// Assembly is an item on its way to being whole.
type Assembly struct {
	Cut
	first event.Item // the envelope that all parts share; empty while none came in this life
	data  [][]byte   // in memory; nil: not here, or only in the store
	has   []bool     // safe in the store
	left  int        // parts that are not
	Bytes int64      // of the parts in the store; those from a former life are taken for usual ones
	came  int64      // of those that came in this one
	Spent bool       // it came to nothing: its parts go when the batch is settled
	place *list.Element
	moved time.Time // when something of it last came
}

// unfinished is what one edge has in the store of items that are not whole.
type unfinished struct {
	items, parts int
	bytes        int64
}

// Bounds of one edge's unfinished items beside those that have a setting.
const (
	UnfinishedItems = 256
	unfinishedParts = 1 << 17
)

// maxParts bounds the parts of unfinished items that are kept count of. Those of an item that is
// forgotten still rest in the store and are found again.
const maxParts = 1 << 20

// leastPart is the smallest size that the parts of a large item may have on average: it bounds what
// a lie about their number can cost.
const leastPart = 16 << 10

func New(objects Objects, limit, most int64) *Assembler {
	return &Assembler{objects: objects, limit: limit, most: most, items: map[Identity]*Assembly{}, edges: map[string]*unfinished{}, recent: list.New()}
}

// Survey makes assemblies of the parts that former lives of the bridge left under those keys. Where
// an item was cut anew and both cuts are there, the one with more parts counts; the keys of the
// other are stale.
func (p *Assembler) Survey(keys []string) (found []*Assembly, stale []string) {
	have := map[Cut][]uint32{}
	best := map[Identity]Cut{}
	for _, key := range keys {
		c, n, ok := parseKey(key)
		if !ok || int64(c.Of) > p.mostParts() {
			continue
		}
		have[c] = append(have[c], n)
		if len(have[c]) > len(have[best[c.ID]]) {
			best[c.ID] = c
		}
	}
	for c, numbers := range have {
		if best[c.ID] != c {
			for _, n := range numbers {
				stale = append(stale, c.Key(n))
			}
			continue
		}
		a := p.begin(c)
		for _, n := range numbers {
			a.has[n] = true
			a.left--
			p.weigh(a, usualPart)
		}
		// The envelope comes with the next part, so one must come even where all are here.
		if last := c.Of - 1; a.left == 0 {
			a.has[last] = false
			a.left++
		}
		found = append(found, a)
	}
	return found, stale
}

func (p *Assembler) mostParts() int64 { return max(16, p.most/leastPart) }

// begin makes an assembly, and lets those touched least recently go where there are too many.
func (p *Assembler) begin(c Cut) *Assembly {
	a := &Assembly{Cut: c, data: make([][]byte, c.Of), has: make([]bool, c.Of), left: int(c.Of)}
	a.place = p.recent.PushFront(a)
	a.moved = time.Now()
	p.items[c.ID] = a
	p.count += len(a.has)
	of := p.edges[c.ID.Edge]
	if of == nil {
		of = &unfinished{}
		p.edges[c.ID.Edge] = of
	}
	of.items++
	of.parts += len(a.has)
	for p.count > maxParts && p.recent.Len() > 1 {
		p.forget(p.recent.Back().Value.(*Assembly))
		p.forgot = true
	}
	return a
}

// Open finds the assembly that a part belongs to. A part that does not fit what is known of its item
// begins it anew: the edge may cut it otherwise since it was configured anew. stale are the keys of
// what no longer counts then.
func (p *Assembler) Open(ctx context.Context, i *event.Item) (a *Assembly, stale []string, err error) {
	c := CutOf(i)
	if int64(c.Of) > p.mostParts() {
		return nil, nil, fmt.Errorf("%w: %d parts, for an item of at most %d bytes", event.ErrTooLarge, c.Of, p.most)
	}
	a = p.items[c.ID]
	if a == nil && p.forgot {
		keys, err := p.objects.Keys(ctx, c.under())
		if err != nil {
			return nil, nil, fmt.Errorf("looking for the parts of %s in the object store: %w", i.ID, err)
		}
		_, stale = p.Survey(keys)
		a = p.items[c.ID]
	}
	if a != nil && (a.Cut != c || !a.first.ID.IsZero() && (a.first.ID != i.ID || a.first.Attrs.PartOf != i.Attrs.PartOf)) {
		stale = append(stale, a.keys()...)
		p.forget(a)
		a = nil
	}
	if a == nil {
		a = p.begin(c)
	}
	if a.first.ID.IsZero() {
		a.first = *i
		a.first.Data = nil
	}
	p.recent.MoveToFront(a.place)
	a.moved = time.Now()
	return a, stale, nil
}

// Find gives the assembly of an item, nil where there is none.
func (p *Assembler) Find(id Identity) *Assembly { return p.items[id] }

// Unsurveyed says that the store could not say which parts it holds: they are looked for when more of
// their item comes.
func (p *Assembler) Unsurveyed() { p.forgot = true }

// Parts are the numbers of those that rest in the store.
func (a *Assembly) Parts() (numbers []uint32) {
	for n, has := range a.has {
		if has {
			numbers = append(numbers, uint32(n))
		}
	}
	return numbers
}

// keys are what those parts lie under.
func (a *Assembly) keys() (keys []string) {
	for _, n := range a.Parts() {
		keys = append(keys, a.Key(n))
	}
	return keys
}

// Missing says whether the store does not have that part yet.
func (a *Assembly) Missing(part uint32) bool { return !a.has[part] }

// Stored records that a part rests in the store, and says whether the item is whole now.
func (p *Assembler) Stored(a *Assembly, i *event.Item) (whole bool) {
	if n := i.Attrs.Part; !a.has[n] {
		a.has[n] = true
		a.left--
		p.weigh(a, int64(len(i.Data)))
		a.came += int64(len(i.Data))
		p.keep(a, int(n), i.Data)
	}
	return a.left == 0
}

// usualPart is what a part is taken to have whose bytes were not seen.
const usualPart = 128 << 10

func (p *Assembler) weigh(a *Assembly, bytes int64) {
	a.Bytes += bytes
	p.edges[a.ID.Edge].bytes += bytes
}

// TooLarge says whether more of an item has come than may.
func (p *Assembler) TooLarge(a *Assembly) bool { return a.came > p.most }

// Surplus gives the unfinished items of an edge that go, the one touched least recently first, so that
// the others are within its bounds. That one itself stays.
func (p *Assembler) Surplus(newest *Assembly, bytes int64) (gone []*Assembly) {
	of := p.edges[newest.ID.Edge]
	items, parts, held := of.items, of.parts, of.bytes
	for e := p.recent.Back(); e != nil && (items > UnfinishedItems || parts > unfinishedParts || held > bytes); e = e.Prev() {
		if a := e.Value.(*Assembly); a.ID.Edge == newest.ID.Edge && a != newest {
			gone = append(gone, a)
			items, parts, held = items-1, parts-len(a.has), held-a.Bytes
		}
	}
	return gone
}

// Stale gives the items of which nothing has come since then.
func (p *Assembler) Stale(since time.Time) (gone []*Assembly) {
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		a := e.Value.(*Assembly)
		if a.moved.After(since) {
			break
		}
		gone = append(gone, a)
	}
	return gone
}

// keep holds a part in memory, and lets the parts of the items touched least recently go.
func (p *Assembler) keep(a *Assembly, n int, data []byte) {
	a.data[n] = data
	p.held += int64(len(data))
	for e := p.recent.Back(); e != nil && p.held > p.limit; e = e.Prev() {
		p.drop(e.Value.(*Assembly))
	}
}

func (p *Assembler) drop(a *Assembly) {
	for n, data := range a.data {
		p.held -= int64(len(data))
		a.data[n] = nil
	}
}

// Whole puts the item together and checks it against its sha256.
func (p *Assembler) Whole(ctx context.Context, a *Assembly) (event.Item, error) {
	i := a.first
	i.Kind = i.Attrs.PartOf
	i.Attrs.Part, i.Attrs.Parts, i.Attrs.PartOf = 0, 0, ""
	tooLarge := fmt.Errorf("%w: more than %d bytes in %d parts (bridge.item_bytes)", event.ErrTooLarge, p.most, len(a.data))
	if p.TooLarge(a) {
		return i, tooLarge
	}
	for n := range a.data {
		piece := a.data[n]
		if piece == nil {
			var err error
			piece, err = p.objects.Get(ctx, a.Key(uint32(n)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return i, fmt.Errorf("reading part %d of %s: %w", n, i.ID, err)
			}
		}
		if int64(len(i.Data)+len(piece)) > p.most {
			i.Data = nil
			return i, tooLarge
		}
		if i.Data == nil { // at once, in the size that it will have: parts are alike but for the last
			i.Data = make([]byte, 0, min(int64(len(piece))*int64(len(a.data)), p.most))
		}
		i.Data = append(i.Data, piece...)
	}
	return i, i.Verify()
}

// forget lets an assembly go from memory.
func (p *Assembler) forget(a *Assembly) {
	p.drop(a)
	p.count -= len(a.has)
	of := p.edges[a.ID.Edge]
	of.items, of.parts, of.bytes = of.items-1, of.parts-len(a.has), of.bytes-a.Bytes
	if of.items == 0 {
		delete(p.edges, a.ID.Edge)
	}
	p.recent.Remove(a.place)
	delete(p.items, a.ID)
}

// Discard lets an item's parts go from memory, whether it became whole, was dropped by the edge, or
// does not match its sha256, and gives their keys.
func (p *Assembler) Discard(id Identity) (keys []string) {
	if a := p.items[id]; a != nil {
		p.forget(a)
		return a.keys()
	}
	return nil
}
