package bridge

import (
	"container/list"
	"encoding/binary"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/shared/event"
)

// known is which item stands under a number.
type known struct {
	seq uint64
	id  ulid.ULID
	sum [8]byte // the first bytes of its sha256
}

func knownOf(i *event.Item) known {
	k := known{seq: i.Seq, id: i.ID}
	copy(k.sum[:], i.SHA256[:])
	return k
}

// is says whether both are the same item, whatever their numbers.
func (k known) is(o known) bool { return k.id == o.id && k.sum == o.sum }

// ids remembers which items stand under the last numbers of each epoch, so that an item is never taken
// for another that has its number, and is recognised when it comes under another number. It is
// bounded: an epoch keeps those that it can of its last numbers, idsLarge where there is room and idsEach
// where there are many epochs; and where all epochs together have too many even so, what is known of
// the one used least recently is forgotten. Only the commit loop uses it.
type ids struct {
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
	slots []known // their number is a power of two; seq 0: empty
	place *list.Element
}

// Bounds of what is remembered: about 90 bytes an item with its index, 12 MB in all.
const (
	idsLarge = 4096 // as many readings as a device may have taken and not acknowledged
	idsEach  = 512
	idsLeast = 8
	idsMost  = 1 << 17
)

func newIDs(most int) *ids {
	return &ids{most: most, edges: map[string]*edgeIDs{}, recent: list.New()}
}

// at gives the item that stands under a number, as far as it is remembered.
func (m *ids) at(edge string, epoch event.Epoch, seq uint64) (known, bool) {
	if e := m.edges[edge]; e != nil {
		if of := e.epochs[epoch]; of != nil {
			k := of.slots[seq&uint64(len(of.slots)-1)]
			return k, k.seq == seq
		}
	}
	return known{}, false
}

// find gives the epoch and number that an item of this edge stands under, as far as it is remembered.
func (m *ids) find(edge string, k known) (epoch event.Epoch, seq uint64, found bool) {
	e := m.edges[edge]
	if e == nil {
		return "", 0, false
	}
	p, ok := e.by[tail(k.id)]
	if !ok || !p.slots[p.seq&uint64(len(p.slots)-1)].is(k) {
		return "", 0, false
	}
	return p.epoch, p.seq, true
}

// recalls is how many items later one of a message that came again is still recognised: the numbers by
// which a broker tells messages apart begin anew after 65,535.
const recalls = 8192

// redelivered says whether Kafka has, of an epoch before, what a message became that has come again: its
// item is another, made at another time, and its id differs in nothing else. Within its own epoch the
// edge knows itself what it had.
func (m *ids) redelivered(edge string, epoch event.Epoch, id ulid.ULID) bool {
	e := m.edges[edge]
	if e == nil {
		return false
	}
	p, ok := e.by[tail(id)]
	return ok && p.epoch != epoch && e.turns-p.turn < recalls && event.SameMessage(p.slots[p.seq&uint64(len(p.slots)-1)].id, id)
}

// put remembers an item. What stands under its number already stays: it came first.
func (m *ids) put(edge string, epoch event.Epoch, k known) {
	e := m.edges[edge]
	if e == nil {
		e = &edgeIDs{epochs: map[event.Epoch]*epochIDs{}, by: map[uint64]place{}}
		m.edges[edge] = e
	}
	of := e.epochs[epoch]
	if of == nil {
		of = &epochIDs{edge: edge, epoch: epoch, slots: make([]known, idsLeast)}
		of.place = m.recent.PushFront(of)
		e.epochs[epoch] = of
	}
	m.recent.MoveToFront(of.place)
	slot := m.slotFor(of, k.seq)
	switch slot.seq {
	case k.seq:
		return
	case 0:
		m.held++
	default:
		e.drop(of, *slot)
	}
	*slot = k
	e.turns++
	e.by[tail(k.id)] = place{of, k.seq, e.turns}
	for m.held > m.most && (m.large > 0 || m.recent.Len() > 1) {
		m.makeRoom()
	}
}

// makeRoom takes what is beyond idsEach from the epoch that was used least recently of those that have
// so much, and where none has, forgets the one used least recently.
func (m *ids) makeRoom() {
	for at := m.recent.Back(); m.large > 0; at = at.Prev() {
		if of := at.Value.(*epochIDs); len(of.slots) > idsEach {
			m.shrink(of)
			return
		}
	}
	m.forget(m.recent.Back().Value.(*epochIDs))
}

// slotFor is where a number goes; the slots grow while another number stands there and there is room.
func (m *ids) slotFor(of *epochIDs, seq uint64) *known {
	for {
		n := len(of.slots)
		slot := &of.slots[seq&uint64(n-1)]
		if slot.seq == 0 || slot.seq == seq || n == idsLarge || n >= idsEach && m.held+n > m.most {
			return slot
		}
		if n == idsEach {
			m.large++
		}
		grown := make([]known, 2*n)
		for _, k := range of.slots {
			if k.seq != 0 {
				grown[k.seq&uint64(len(grown)-1)] = k
			}
		}
		of.slots = grown
	}
}

// shrink leaves an epoch idsEach slots, with the later numbers.
func (m *ids) shrink(of *epochIDs) {
	m.large--
	e, left := m.edges[of.edge], make([]known, idsEach)
	for _, k := range of.slots {
		slot := &left[k.seq&(idsEach-1)]
		if k.seq == 0 {
			continue
		}
		gone := k
		if k.seq > slot.seq {
			*slot, gone = k, *slot
		}
		if gone.seq != 0 {
			e.drop(of, gone)
			m.held--
		}
	}
	of.slots = left
}

// drop takes an item out of the index, unless another of the same tail stands there.
func (e *edgeIDs) drop(of *epochIDs, k known) {
	if p := e.by[tail(k.id)]; p.epochIDs == of && p.seq == k.seq {
		delete(e.by, tail(k.id))
	}
}

func (m *ids) forget(of *epochIDs) {
	e := m.edges[of.edge]
	if len(of.slots) > idsEach {
		m.large--
	}
	for _, k := range of.slots {
		if k.seq != 0 {
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
