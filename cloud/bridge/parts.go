package bridge

import (
	"container/list"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
	"time"

	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

// parts puts items together that are too large for one message.
//
// A part is acknowledged once it rests in the object store, not when the whole is in Kafka: an item
// may have more parts than the MQTT broker lets be in flight, so that waiting for the last would
// wait for ever. What rests in the store is named in receipts and never sent again, so it must
// outlive this process: a link of 1 kB/s can't send 10 MB twice. Memory holds a copy of the parts
// that came last, up to a bound, so that the store is seldom read.
type parts struct {
	objects Objects
	limit   int64 // bytes in memory
	most    int64 // bytes of one item
	held    int64
	count   int // parts of all items, here or not
	items   map[identity]*assembly
	edges   map[string]*unfinished
	recent  *list.List // of *assembly, the one touched last in front
	forgot  bool       // the store may hold parts of items that are not in items
}

// identity is what an item is known by.
type identity struct {
	edge  string
	epoch event.Epoch
	seq   uint64
}

func identityOf(i *event.Item) identity { return identity{i.Edge, i.Epoch, i.Seq} }

// cut is one way in which an item was cut into parts.
type cut struct {
	id   identity
	hash event.Hash // of the whole
	of   uint32     // how many parts there are
}

func cutOf(i *event.Item) cut { return cut{identityOf(i), i.SHA256, i.Attrs.Parts} }

// partsUnder is what the parts of a slot's edges lie under in the object store.
func partsUnder(slot int) string { return fmt.Sprintf("parts/%d/", slot) }

func (c cut) under() string {
	return fmt.Sprintf("%s%s/%s/%d/", partsUnder(slots.Of(c.id.edge)), c.id.edge, c.id.epoch, c.id.seq)
}

// key is where a part rests. It says all that is needed to find an unfinished item again.
func (c cut) key(part uint32) string { return fmt.Sprintf("%s%s/%d/%d", c.under(), c.hash, c.of, part) }

// parsePartKey takes a key apart.
func parsePartKey(key string) (c cut, part uint32, ok bool) {
	field := strings.Split(key, "/")
	if len(field) != 8 || len(field[5]) != hex.EncodedLen(len(c.hash)) {
		return c, 0, false
	}
	_, errHash := hex.Decode(c.hash[:], []byte(field[5]))
	seq, err := strconv.ParseUint(field[4], 10, 64)
	of, errOf := strconv.ParseUint(field[6], 10, 32)
	n, errPart := strconv.ParseUint(field[7], 10, 32)
	c.id = identity{field[2], event.Epoch(field[3]), seq}
	c.of = uint32(of)
	ok = errors.Join(errHash, err, errOf, errPart) == nil && n < of && of <= maxParts && seq > 0 && seq <= maxSeq && c.id.epoch.Valid() && c.key(uint32(n)) == key
	return c, uint32(n), ok
}

// assembly is an item on its way to being whole.
type assembly struct {
	cut
	first event.Item // the envelope that all parts share; empty while none came in this life
	data  [][]byte   // in memory; nil: not here, or only in the store
	has   []bool     // safe in the store
	left  int        // parts that are not
	bytes int64      // of the parts in the store; those from a former life are taken for usual ones
	came  int64      // of those that came in this one
	spent bool       // it came to nothing: its parts go when the batch is settled
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
	unfinishedItems = 256
	unfinishedParts = 1 << 17
)

// maxParts bounds the parts of unfinished items that are kept count of. Those of an item that is
// forgotten still rest in the store and are found again.
const maxParts = 1 << 20

// leastPart is the smallest size that the parts of a large item may have on average: it bounds what
// a lie about their number can cost.
const leastPart = 16 << 10

func newParts(objects Objects, limit, most int64) *parts {
	return &parts{objects: objects, limit: limit, most: most, items: map[identity]*assembly{}, edges: map[string]*unfinished{}, recent: list.New()}
}

// survey makes assemblies of the parts that former lives of the bridge left under those keys. Where
// an item was cut anew and both cuts are there, the one with more parts counts; the keys of the
// other are stale.
func (p *parts) survey(keys []string) (found []*assembly, stale []string) {
	have := map[cut][]uint32{}
	best := map[identity]cut{}
	for _, key := range keys {
		c, n, ok := parsePartKey(key)
		if !ok || int64(c.of) > p.mostParts() {
			continue
		}
		have[c] = append(have[c], n)
		if len(have[c]) > len(have[best[c.id]]) {
			best[c.id] = c
		}
	}
	for c, numbers := range have {
		if best[c.id] != c {
			for _, n := range numbers {
				stale = append(stale, c.key(n))
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
		if last := c.of - 1; a.left == 0 {
			a.has[last] = false
			a.left++
		}
		found = append(found, a)
	}
	return found, stale
}

func (p *parts) mostParts() int64 { return max(16, p.most/leastPart) }

// begin makes an assembly, and lets those touched least recently go where there are too many.
func (p *parts) begin(c cut) *assembly {
	a := &assembly{cut: c, data: make([][]byte, c.of), has: make([]bool, c.of), left: int(c.of)}
	a.place = p.recent.PushFront(a)
	a.moved = time.Now()
	p.items[c.id] = a
	p.count += len(a.has)
	of := p.edges[c.id.edge]
	if of == nil {
		of = &unfinished{}
		p.edges[c.id.edge] = of
	}
	of.items++
	of.parts += len(a.has)
	for p.count > maxParts && p.recent.Len() > 1 {
		p.forget(p.recent.Back().Value.(*assembly))
		p.forgot = true
	}
	return a
}

// open finds the assembly that a part belongs to. A part that does not fit what is known of its item
// begins it anew: the edge may cut it otherwise since it was configured anew. stale are the keys of
// what no longer counts then.
func (p *parts) open(ctx context.Context, i *event.Item) (a *assembly, stale []string, err error) {
	c := cutOf(i)
	if int64(c.of) > p.mostParts() {
		return nil, nil, fmt.Errorf("%w: %d parts, for an item of at most %d bytes", event.ErrTooLarge, c.of, p.most)
	}
	a = p.items[c.id]
	if a == nil && p.forgot {
		keys, err := p.objects.Keys(ctx, c.under())
		if err != nil {
			return nil, nil, fmt.Errorf("looking for the parts of %s in the object store: %w", i.ID, err)
		}
		_, stale = p.survey(keys)
		a = p.items[c.id]
	}
	if a != nil && (a.cut != c || !a.first.ID.IsZero() && (a.first.ID != i.ID || a.first.Attrs.PartOf != i.Attrs.PartOf)) {
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

// parts are the numbers of those that rest in the store.
func (a *assembly) parts() (numbers []uint32) {
	for n, has := range a.has {
		if has {
			numbers = append(numbers, uint32(n))
		}
	}
	return numbers
}

// keys are what those parts lie under.
func (a *assembly) keys() (keys []string) {
	for _, n := range a.parts() {
		keys = append(keys, a.key(n))
	}
	return keys
}

// missing says whether the store does not have that part yet.
func (a *assembly) missing(part uint32) bool { return !a.has[part] }

// stored records that a part rests in the store, and says whether the item is whole now.
func (p *parts) stored(a *assembly, i *event.Item) (whole bool) {
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

func (p *parts) weigh(a *assembly, bytes int64) {
	a.bytes += bytes
	p.edges[a.id.edge].bytes += bytes
}

// tooLarge says whether more of an item has come than may.
func (p *parts) tooLarge(a *assembly) bool { return a.came > p.most }

// surplus gives the unfinished items of an edge that go, the one touched least recently first, so that
// the others are within its bounds. The one in hand stays.
func (p *parts) surplus(inHand *assembly, bytes int64) (gone []*assembly) {
	of := p.edges[inHand.id.edge]
	items, parts, held := of.items, of.parts, of.bytes
	for e := p.recent.Back(); e != nil && (items > unfinishedItems || parts > unfinishedParts || held > bytes); e = e.Prev() {
		if a := e.Value.(*assembly); a.id.edge == inHand.id.edge && a != inHand {
			gone = append(gone, a)
			items, parts, held = items-1, parts-len(a.has), held-a.bytes
		}
	}
	return gone
}

// stale gives the items of which nothing has come since then.
func (p *parts) stale(since time.Time) (gone []*assembly) {
	for e := p.recent.Back(); e != nil; e = e.Prev() {
		a := e.Value.(*assembly)
		if a.moved.After(since) {
			break
		}
		gone = append(gone, a)
	}
	return gone
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
	tooLarge := fmt.Errorf("%w: more than %d bytes in %d parts (bridge.item_bytes)", event.ErrTooLarge, p.most, len(a.data))
	if p.tooLarge(a) {
		return i, tooLarge
	}
	for n := range a.data {
		piece := a.data[n]
		if piece == nil {
			var err error
			piece, err = p.objects.Get(ctx, a.key(uint32(n)))
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
func (p *parts) forget(a *assembly) {
	p.drop(a)
	p.count -= len(a.has)
	of := p.edges[a.id.edge]
	of.items, of.parts, of.bytes = of.items-1, of.parts-len(a.has), of.bytes-a.bytes
	if of.items == 0 {
		delete(p.edges, a.id.edge)
	}
	p.recent.Remove(a.place)
	delete(p.items, a.id)
}

// discard lets an item's parts go from memory, whether it became whole, was dropped by the edge, or
// does not match its sha256, and gives their keys.
func (p *parts) discard(id identity) (keys []string) {
	if a := p.items[id]; a != nil {
		p.forget(a)
		return a.keys()
	}
	return nil
}
