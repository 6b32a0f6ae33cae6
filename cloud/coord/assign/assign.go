// Package assign divides partitions among workers in proportion to what each can really do, and
// moves as little as it can: a partition that moves costs a pause, and a model's batch that is half
// full. The leader writes the division into a document; workers follow it.
package assign

import (
	"cmp"
	"maps"
	"slices"
)

// Weight is one member and its measured rate, items/s. Where no rate is known (0 or less), the mean
// of the known ones is taken.
type Weight struct {
	ID   string
	Rate float64
}

// Assign gives each partition 0 … partitions-1 to one member. Each member's share of the partitions is
// its share of the rates, rounded by largest remainders (Hamilton's method, so that it is within one
// partition of the exact quota). Of previous, as much stays where it is as these shares allow. It is
// the same for the same input, whatever the order of members. With no members nothing is assigned.
func Assign(partitions int, members []Weight, previous map[int]string) map[int]string {
	quota := quotas(partitions, members, previous)
	next := make(map[int]string, partitions)
	held := map[string]int{}
	var free []int
	for p := range partitions {
		id, had := previous[p]
		if had && held[id] < quota[id] {
			next[p] = id
			held[id]++
			continue
		}
		free = append(free, p)
	}
	for _, id := range slices.Sorted(maps.Keys(quota)) {
		for ; held[id] < quota[id]; held[id]++ {
			next[free[0]] = id
			free = free[1:]
		}
	}
	return next
}

// quotas are the number of partitions for each member. They sum to partitions.
func quotas(partitions int, members []Weight, previous map[int]string) map[string]int {
	rates := effective(members)
	total := 0.0
	for _, rate := range rates {
		total += rate
	}
	if len(rates) == 0 {
		return nil
	}
	holds := map[string]int{}
	for p, id := range previous {
		if p < partitions {
			holds[id]++
		}
	}
	type share struct {
		id        string
		remainder float64
		holder    bool // already holds the partition that rounding up would give it
	}
	quota := make(map[string]int, len(rates))
	shares := make([]share, 0, len(rates))
	left := partitions
	for id, rate := range rates {
		exact := float64(partitions) * rate / total
		quota[id] = int(exact)
		left -= quota[id]
		shares = append(shares, share{id, exact - float64(quota[id]), holds[id] > quota[id]})
	}
	// Remainders that are equal but for rounding of the machine count as equal: then it stays with
	// whoever has it.
	slices.SortFunc(shares, func(a, b share) int {
		if d := a.remainder - b.remainder; d > 1e-9 || d < -1e-9 {
			return cmp.Compare(b.remainder, a.remainder)
		}
		if a.holder != b.holder {
			if a.holder {
				return -1
			}
			return 1
		}
		return cmp.Compare(a.id, b.id)
	})
	for n := 0; left > 0; n = (n + 1) % len(shares) {
		quota[shares[n].id]++
		left--
	}
	return quota
}

// effective are the rates to count with, by member.
func effective(members []Weight) map[string]float64 {
	rates := make(map[string]float64, len(members))
	known, sum := 0, 0.0
	for _, m := range members {
		if m.Rate > 0 {
			known++
			sum += m.Rate
		}
	}
	mean := 1.0
	if known > 0 {
		mean = sum / float64(known)
	}
	for _, m := range members {
		rates[m.ID] = m.Rate
		if !(m.Rate > 0) {
			rates[m.ID] = mean
		}
	}
	return rates
}

// Uneven says how far a division is from what the rates ask for: the longest time that a member
// would need for its partitions, over the time if all ended together. 1 is the best there is.
func Uneven(partitions int, members []Weight, now map[int]string) float64 {
	rates, held, total := effective(members), map[string]int{}, 0.0
	for _, rate := range rates {
		total += rate
	}
	for _, id := range now {
		held[id]++
	}
	worst := 0.0
	for id, rate := range rates {
		worst = max(worst, float64(held[id])/rate)
	}
	if partitions == 0 || total == 0 {
		return 1
	}
	return worst * total / float64(partitions)
}
