package dedup

import (
	"container/list"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// Known is which item stands under a number.
type Known struct {
	Seq uint64
	ID  ulid.ULID
	sum [8]byte // the first bytes of its sha256
}

func KnownOf(i *event.Item) Known {
	k := Known{Seq: i.Seq, ID: i.ID}
	copy(k.sum[:], i.SHA256[:])
	return k
}

// Is says whether both are the same item, whatever their numbers.
func (k Known) Is(o Known) bool { return k.ID == o.ID && k.sum == o.sum }

// NumberOf is whose number a record has, and which item stands there; the id is zero where none can be read.
func NumberOf(r kafka.Record) (id parts.Identity, k Known, kind string) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_edge":
			id.Edge = string(h.Value)
		case "ce_epoch":
			id.Epoch = event.Epoch(h.Value)
		case "ce_seq":
			id.Seq, _ = strconv.ParseUint(string(h.Value), 10, 64) // 0 where it is none
		case "ce_type":
			kind = string(h.Value)
		case "ce_id":
			k.ID, _ = ulid.ParseStrict(string(h.Value))
		case "ce_sha256":
			if digits := 2 * len(k.sum); len(h.Value) >= digits {
				_, _ = hex.Decode(k.sum[:], h.Value[:digits])
			}
		}
	}
	k.Seq = id.Seq
	return id, k, kind
}

// IDs remembers which items stand under the last numbers of each epoch, so that an item is never taken
// for another that has its number, and is recognised when it comes under another number. It is
// bounded: an epoch keeps those that it can of its last numbers, idsLarge where there is room and idsEach
// where there are many epochs; and where all epochs together have too many even so, what is known of
// the one used least recently is forgotten. Only the commit loop uses it.
type IDs struct {
	most   int // items of all epochs
	held   int
	large  int // epochs with more than idsEach slots
	edges  map[string]*edgeIDs
	recent *list.List // of *epochIDs, the one used last in front
}

// edgeIDs are those of one edge.
type edgeIDs struct {
	epochs map[event.Epoch]*epochIDs
	by     map[uint64]place // by the last bytes of the id, which are random
	turns  uint64           // how many were put
}

// place is where an item stands.
type place struct {
	*epochIDs
	seq  uint64
	turn uint64 // when it was put
}

// epochIDs are those of one epoch: a number's slot is its remainder, so that the next lap replaces it.
type epochIDs struct {
	edge  string
	epoch event.Epoch
	slots []Known // their number is a power of two; seq 0: empty
	place *list.Element
}

// Bounds of what is remembered: about 90 bytes an item with its index, 12 MB in all.
const (
	idsLarge = 4096 // as many readings as a device may have taken and not acknowledged
	idsEach  = 512
	idsLeast = 8
	MostIDs  = 1 << 17
)

func NewIDs(most int) *IDs {
	return &IDs{most: most, edges: map[string]*edgeIDs{}, recent: list.New()}
}

// At gives the item that stands under a number, as far as it is remembered.
func (m *IDs) At(edge string, epoch event.Epoch, seq uint64) (Known, bool) {
	if e := m.edges[edge]; e != nil {
		if of := e.epochs[epoch]; of != nil {
			k := of.slots[seq&uint64(len(of.slots)-1)]
			return k, k.Seq == seq
		}
	}
	return Known{}, false
}

// Find gives the epoch and number that an item of this edge stands under, as far as it is remembered.
func (m *IDs) Find(edge string, k Known) (epoch event.Epoch, seq uint64, found bool) {
	e := m.edges[edge]
	if e == nil {
		return "", 0, false
	}
	p, ok := e.by[tail(k.ID)]
	if !ok || !p.slots[p.seq&uint64(len(p.slots)-1)].Is(k) {
		return "", 0, false
	}
	return p.epoch, p.seq, true
}

// redeliveryWindow is how many items later one of a message that came again is still recognised: the numbers that a
// broker gives messages begin anew after 65,535.
const redeliveryWindow = 8192

// Redelivered says whether Kafka has, of an epoch before, what a message became that has come again: its
// item is another, made at another time, and its id differs in nothing else. Within its own epoch the
// edge knows itself what it had.
func (m *IDs) Redelivered(edge string, epoch event.Epoch, id ulid.ULID) bool {
	e := m.edges[edge]
	if e == nil {
		return false
	}
	p, ok := e.by[tail(id)]
	return ok && p.epoch != epoch && e.turns-p.turn < redeliveryWindow && event.SameMessage(p.slots[p.seq&uint64(len(p.slots)-1)].ID, id)
}

// Put remembers an item. What stands under its number already stays: it came first.
func (m *IDs) Put(edge string, epoch event.Epoch, k Known) {
	e := m.edges[edge]
	if e == nil {
		e = &edgeIDs{epochs: map[event.Epoch]*epochIDs{}, by: map[uint64]place{}}
		m.edges[edge] = e
	}
	of := e.epochs[epoch]
	if of == nil {
		of = &epochIDs{edge: edge, epoch: epoch, slots: make([]Known, idsLeast)}
		of.place = m.recent.PushFront(of)
		e.epochs[epoch] = of
	}
	m.recent.MoveToFront(of.place)
	slot := m.slotFor(of, k.Seq)
	switch slot.Seq {
	case k.Seq:
		return
	case 0:
		m.held++
	default:
		e.drop(of, *slot)
	}
	*slot = k
	e.turns++
	e.by[tail(k.ID)] = place{of, k.Seq, e.turns}
	for m.held > m.most && (m.large > 0 || m.recent.Len() > 1) {
		m.makeRoom()
	}
}

// makeRoom takes what is beyond idsEach from the epoch that was used least recently of those that have
// so much, and where none has, forgets the one used least recently.
func (m *IDs) makeRoom() {
	for at := m.recent.Back(); m.large > 0; at = at.Prev() {
		if of := at.Value.(*epochIDs); len(of.slots) > idsEach {
			m.shrink(of)
			return
		}
	}
	m.forget(m.recent.Back().Value.(*epochIDs))
}

// slotFor is where a number goes; the slots grow while another number stands there and there is room.
func (m *IDs) slotFor(of *epochIDs, seq uint64) *Known {
	for {
		n := len(of.slots)
		slot := &of.slots[seq&uint64(n-1)]
		if slot.Seq == 0 || slot.Seq == seq || n == idsLarge || n >= idsEach && m.held+n > m.most {
			return slot
		}
		if n == idsEach {
			m.large++
		}
		grown := make([]Known, 2*n)
		for _, k := range of.slots {
			if k.Seq != 0 {
				grown[k.Seq&uint64(len(grown)-1)] = k
			}
		}
		of.slots = grown
	}
}

// shrink leaves an epoch idsEach slots, with the later numbers.
func (m *IDs) shrink(of *epochIDs) {
	m.large--
	e, left := m.edges[of.edge], make([]Known, idsEach)
	for _, k := range of.slots {
		slot := &left[k.Seq&(idsEach-1)]
		if k.Seq == 0 {
			continue
		}
		gone := k
		if k.Seq > slot.Seq {
			*slot, gone = k, *slot
		}
		if gone.Seq != 0 {
			e.drop(of, gone)
			m.held--
		}
	}
	of.slots = left
}

// drop takes an item out of the index, unless another of the same tail stands there.
func (e *edgeIDs) drop(of *epochIDs, k Known) {
	if p := e.by[tail(k.ID)]; p.epochIDs == of && p.seq == k.Seq {
		delete(e.by, tail(k.ID))
	}
}

func (m *IDs) forget(of *epochIDs) {
	e := m.edges[of.edge]
	if len(of.slots) > idsEach {
		m.large--
	}
	for _, k := range of.slots {
		if k.Seq != 0 {
			e.drop(of, k)
			m.held--
		}
	}
	m.recent.Remove(of.place)
	delete(e.epochs, of.epoch)
	if len(e.epochs) == 0 {
		delete(m.edges, of.edge)
	}
}

func tail(id ulid.ULID) uint64 { return binary.BigEndian.Uint64(id[8:]) }
