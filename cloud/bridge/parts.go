package bridge

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cloudcanvas/shared/event"
)

// parts puts items together that are too large for one message.
//
// A part is acknowledged once it rests in the object store, not when the whole is in Kafka: an item
// may have more parts than the MQTT broker lets be in flight, so that waiting for the last would
// wait for ever. What was acknowledged is never asked for again before the edge's receipt is
// overdue, so it must outlive this process: a link of 1 kB/s can't send 10 MB twice. Memory holds a
// copy of the parts that came last, up to a bound, so that the store is seldom read.
type parts struct {
	objects Objects
	limit   int64 // bytes in memory
	most    int64 // bytes of one item
	held    int64
	count   int // parts of all items, here or not
	items   map[identity]*assembly
	recent  *list.List // of *assembly, the one touched last in front
}

// identity is what an item is known by.
type identity struct {
	edge  string
	epoch event.Epoch
	seq   uint64
}

func identityOf(i *event.Item) identity { return identity{i.Edge, i.Epoch, i.Seq} }

// assembly is an item on its way to being whole.
type assembly struct {
	id    identity
	first event.Item // the envelope that all parts share
	data  [][]byte   // in memory; nil: not here, or only in the store
	has   []bool     // safe in the store
	left  int        // parts that are not
	place *list.Element
}

// maxParts bounds the parts of unfinished items that are kept count of. Those of an item that is
// forgotten still rest in the store and are found again.
const maxParts = 1 << 20

// leastPart is the smallest size that the parts of a large item may have on average: it bounds what
// a lie about their number can cost.
const leastPart = 16 << 10

var errParts = errors.New("the parts of an item contradict each other")

func newParts(objects Objects, limit, most int64) *parts {
	return &parts{objects: objects, limit: limit, most: most, items: map[identity]*assembly{}, recent: list.New()}
}

func partKey(id identity, hash event.Hash, part uint32) string {
	return fmt.Sprintf("parts/%s/%s/%d/%s/%d", id.edge, id.epoch, id.seq, hash, part)
}

// open finds the assembly that a part belongs to. Where it is not known, parts that a former life of
// the bridge left in the store are looked for.
func (p *parts) open(ctx context.Context, i *event.Item) (*assembly, error) {
	id := identityOf(i)
	a := p.items[id]
	if a != nil && (a.first.SHA256 != i.SHA256 || len(a.has) != int(i.Attrs.Parts) || a.first.Attrs.PartOf != i.Attrs.PartOf || a.first.ID != i.ID) {
		return nil, fmt.Errorf("%w: part %d of %s", errParts, i.Attrs.Part, i.ID)
	}
	if int64(i.Attrs.Parts) > max(16, p.most/leastPart) {
		return nil, fmt.Errorf("%w: %d parts, for an item of at most %d bytes", event.ErrTooLarge, i.Attrs.Parts, p.most)
	}
	if a == nil {
		first := *i
		first.Data = nil
		a = &assembly{id: id, first: first, data: make([][]byte, i.Attrs.Parts), has: make([]bool, i.Attrs.Parts), left: int(i.Attrs.Parts)}
		if i.Attrs.Part > 0 || i.Attrs.Parts == 1 {
			// Parts come in order: one that is not the first has forerunners somewhere.
			for n := range a.has {
				if n == int(i.Attrs.Part) {
					continue
				}
				data, err := p.objects.Get(ctx, partKey(id, i.SHA256, uint32(n)))
				if errors.Is(err, fs.ErrNotExist) {
					continue
				}
				if err != nil {
					return nil, fmt.Errorf("looking for part %d of %s in the object store: %w", n, i.ID, err)
				}
				a.has[n] = true
				a.left--
				p.keep(a, n, data)
			}
		}
		a.place = p.recent.PushFront(a)
		p.items[id] = a
		p.count += len(a.has)
		for p.count > maxParts && p.recent.Len() > 1 {
			p.forget(p.recent.Back().Value.(*assembly))
		}
	}
	p.recent.MoveToFront(a.place)
	return a, nil
}

// missing says whether the store does not have that part yet.
func (a *assembly) missing(part uint32) bool { return !a.has[part] }

// stored records that a part rests in the store, and says whether the item is whole now.
func (p *parts) stored(a *assembly, i *event.Item) (whole bool) {
	if n := i.Attrs.Part; !a.has[n] {
		a.has[n] = true
		a.left--
		p.keep(a, int(n), i.Data)
	}
	return a.left == 0
}

// keep holds a part in memory, and lets the parts of the items touched least recently go.
func (p *parts) keep(a *assembly, n int, data []byte) {
	a.data[n] = data
	p.held += int64(len(data))
	for e := p.recent.Back(); e != nil && p.held > p.limit; e = e.Prev() {
		p.drop(e.Value.(*assembly))
	}
}

func (p *parts) drop(a *assembly) {
	for n, data := range a.data {
		p.held -= int64(len(data))
		a.data[n] = nil
	}
}

// whole puts the item together and checks it against its sha256.
func (p *parts) whole(ctx context.Context, a *assembly) (event.Item, error) {
	i := a.first
	i.Kind = i.Attrs.PartOf
	i.Attrs.Part, i.Attrs.Parts, i.Attrs.PartOf = 0, 0, ""
	total := int64(0)
	pieces := make([][]byte, len(a.data))
	for n := range a.data {
		pieces[n] = a.data[n]
		if pieces[n] == nil {
			var err error
			pieces[n], err = p.objects.Get(ctx, partKey(a.id, i.SHA256, uint32(n)))
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return i, fmt.Errorf("reading part %d of %s: %w", n, i.ID, err)
			}
		}
		if total += int64(len(pieces[n])); total > p.most {
			return i, fmt.Errorf("%w: more than %d bytes in %d parts", event.ErrTooLarge, p.most, len(a.data))
		}
	}
	i.Data = make([]byte, 0, total)
	for _, piece := range pieces {
		i.Data = append(i.Data, piece...)
	}
	return i, i.Verify()
}

// forget lets an assembly go from memory.
func (p *parts) forget(a *assembly) {
	p.drop(a)
	p.count -= len(a.has)
	p.recent.Remove(a.place)
	delete(p.items, a.id)
}

// discard removes an item's parts from memory and from the store, whether it became whole, was
// dropped by the edge, or does not match its sha256.
func (p *parts) discard(ctx context.Context, id identity) error {
	a := p.items[id]
	if a == nil {
		return nil
	}
	p.forget(a)
	var failed error
	for n, has := range a.has {
		if has {
			if err := p.objects.Delete(ctx, partKey(id, a.first.SHA256, uint32(n))); err != nil {
				failed = fmt.Errorf("removing part %d of %s: %w", n, a.first.ID, err)
			}
		}
	}
	return failed
}
