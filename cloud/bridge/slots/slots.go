// Package slots says which edges a bridge carries. Edges fall into 64 slots by a hash of their names; a
// slot is what a lease is for, what bridges share among each other, and what a checkpoint is of.
//
//	members ──▶ Share ──▶ Owner ──▶ leases, one a slot ──▶ Work(those that are owned)
package slots

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

// Count is the number of hash slots that edges fall into: the unit in which state is kept in
// checkpoints, and in which several bridges share the edges.
const Count = 64

// Of is the slot of an edge.
func Of(edge string) int {
	h := fnv.New32a()
	h.Write([]byte(edge))
	return int(h.Sum32() % Count)
}

// Lease is what the owner of a slot owns.
func Lease(slot int) string { return fmt.Sprintf("bridge-%d", slot) }

// Set is a set of slots: bit n stands for slot n.
type Set uint64

// Every is all of them.
const Every = ^Set(0)

// Has says whether the set holds a slot.
func (s Set) Has(slot int) bool { return s>>slot&1 == 1 }

// Carries says whether the set holds an edge's slot.
func (s Set) Carries(edge string) bool { return s.Has(Of(edge)) }

// Len is how many there are.
func (s Set) Len() int { return bits.OnesCount64(uint64(s)) }

// All gives the slots in order.
func (s Set) All() iter.Seq[int] {
	return func(yield func(int) bool) {
		for ; s != 0; s &= s - 1 {
			if !yield(bits.TrailingZeros64(uint64(s))) {
				return
			}
		}
	}
}

// Owned is which slots a bridge owns, and the epochs of their leases, which fence checkpoints.
type Owned struct {
	Slots  Set
	Epochs [Count]coord.Epoch
}

// Share is what falls to one of the members. Each finds out for itself, without a leader: every
// slot ranks the members by a hash of both (rendezvous hashing, Thaler and Ravishankar 1998) and
// goes to the first that has room, so that shares differ by little and few slots move when a member
// comes or goes.
func Share(members []string, me string) (share Set) {
	members = slices.Compact(slices.Sorted(slices.Values(members)))
	if len(members) == 0 {
		return 0
	}
	room := (Count + len(members) - 1) / len(members)
	held := make([]int, len(members))
	for slot := range Count {
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
