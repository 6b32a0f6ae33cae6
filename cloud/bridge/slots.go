package bridge

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"iter"
	"math/bits"
	"slices"

	"cloudcanvas/cloud/coord"
)

// Slots is the number of hash slots that edges fall into: the unit in which state is kept in
// checkpoints, and in which several bridges share the edges.
const Slots = 64

// Slot is the slot of an edge.
func Slot(edge string) int {
	h := fnv.New32a()
	h.Write([]byte(edge))
	return int(h.Sum32() % Slots)
}

// SlotLease is what the owner of a slot owns.
func SlotLease(slot int) string { return fmt.Sprintf("bridge-%d", slot) }

// SlotSet is a set of slots: bit n stands for slot n.
type SlotSet uint64

// EverySlot is all of them.
const EverySlot = ^SlotSet(0)

// Has says whether the set holds a slot.
func (s SlotSet) Has(slot int) bool { return s>>slot&1 == 1 }

// Carries says whether the set holds an edge's slot.
func (s SlotSet) Carries(edge string) bool { return s.Has(Slot(edge)) }

// Len is how many there are.
func (s SlotSet) Len() int { return bits.OnesCount64(uint64(s)) }

// All gives the slots in order.
func (s SlotSet) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros64(uint64(s))) {
				return
			}
		}
	}
}

// tenure is which slots a bridge owns, and the epochs of their leases, which fence checkpoints.
type tenure struct {
	slots  SlotSet
	epochs [Slots]coord.Epoch
}

// shareOf is what falls to one of the members. Each finds out for itself, without a leader: every
// slot ranks the members by a hash of both (rendezvous hashing, Thaler and Ravishankar 1998) and
// goes to the first that has room, so that shares differ by little and few slots move when a member
// comes or goes.
func shareOf(members []string, me string) (share SlotSet) {
	members = slices.Compact(slices.Sorted(slices.Values(members)))
	if len(members) == 0 {
		return 0
	}
	room := (Slots + len(members) - 1) / len(members)
	held := make([]int, len(members))
	for slot := range Slots {
		best, score := -1, uint64(0)
		for n, m := range members {
			if s := rank(m, slot); held[n] < room && (best < 0 || s > score) {
				best, score = n, s
			}
		}
		held[best]++
		if members[best] == me {
			share |= 1 << slot
		}
	}
	return share
}

func rank(member string, slot int) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%s", slot, member))
	return binary.BigEndian.Uint64(sum[:])
}
