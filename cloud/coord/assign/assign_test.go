package assign_test

import (
	"fmt"
	"maps"
	"math"
	"testing"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord/assign"
)

func count(division map[int]string) map[string]int {
	n := map[string]int{}
	for _, id := range division {
		n[id]++
	}
	return n
}

func TestSharesFollowTheRates(t *testing.T) {
	division := assign.Assign(28, []assign.Weight{{"slow", 1}, {"middle", 2}, {"fast", 4}}, nil)
	if got := count(division); got["slow"] != 4 || got["middle"] != 8 || got["fast"] != 16 {
		t.Errorf("divided as %v", got)
	}
	if u := assign.Uneven(28, []assign.Weight{{"slow", 1}, {"middle", 2}, {"fast", 4}}, division); math.Abs(u-1) > 1e-9 {
		t.Errorf("uneven by %v", u)
	}
}

func TestUnknownRateCountsAsTheMean(t *testing.T) {
	got := count(assign.Assign(12, []assign.Weight{{"a", 10}, {"b", 30}, {"new", 0}, {"broken", math.NaN()}}, nil))
	if got["a"] != 2 && got["a"] != 1 || got["new"] != 3 || got["broken"] != 3 {
		t.Errorf("divided as %v", got)
	}
}

func drawMembers(t *rapid.T, label string) []assign.Weight {
	n := rapid.IntRange(0, 8).Draw(t, label)
	members := make([]assign.Weight, n)
	for i := range members {
		members[i] = assign.Weight{fmt.Sprintf("w%d", i), rapid.Float64Range(0, 100).Draw(t, "rate")}
	}
	return members
}

func TestEveryPartitionHasOneOwnerWithinOneOfItsQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		partitions := rapid.IntRange(0, 64).Draw(t, "partitions")
		members := drawMembers(t, "members")
		previous := assign.Assign(rapid.IntRange(0, 64).Draw(t, "before"), drawMembers(t, "members before"), nil)
		division := assign.Assign(partitions, members, previous)
		if len(members) == 0 {
			if len(division) != 0 {
				t.Fatalf("assigned to nobody: %v", division)
			}
			return
		}
		rates, total, known, sum := map[string]float64{}, 0.0, 0, 0.0
		for _, m := range members {
			if m.Rate > 0 {
				known, sum = known+1, sum+m.Rate
			}
		}
		for _, m := range members {
			rates[m.ID] = m.Rate
			if m.Rate <= 0 {
				rates[m.ID] = 1
				if known > 0 {
					rates[m.ID] = sum / float64(known)
				}
			}
			total += rates[m.ID]
		}
		for p := range partitions {
			if _, ok := rates[division[p]]; !ok {
				t.Fatalf("partition %d belongs to %q", p, division[p])
			}
		}
		got := count(division)
		for id, rate := range rates {
			if exact := float64(partitions) * rate / total; math.Abs(float64(got[id])-exact) > 1+1e-6 {
				t.Fatalf("%s has %d, its quota is %v", id, got[id], exact)
			}
		}
		if again := assign.Assign(partitions, members, division); !maps.Equal(again, division) {
			t.Fatalf("not at rest: %v then %v", division, again)
		}
	})
}

func TestOneLeavingMovesOnlyItsOwnPartitionsGiveOrTakeOneEach(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := drawMembers(t, "members")
		if len(members) < 2 {
			t.Skip()
		}
		for i := range members {
			members[i].Rate++ // known: an unknown rate is the mean, which changes with the group
		}
		partitions := rapid.IntRange(1, 64).Draw(t, "partitions")
		before := assign.Assign(partitions, members, nil)
		gone := members[0].ID
		after := assign.Assign(partitions, members[1:], before)
		moved := 0
		for p, id := range before {
			if id != gone && after[p] != id {
				moved++
			}
		}
		// Rounding may take one from a member that was rounded up before.
		if moved > len(members)-1 {
			t.Fatalf("%d partitions of those who stayed moved", moved)
		}
		for _, m := range members[1:] {
			lost := 0
			for p, id := range before {
				if id == m.ID && after[p] != id {
					lost++
				}
			}
			if lost > 1 {
				t.Fatalf("%s lost %d partitions although another left", m.ID, lost)
			}
		}
	})
}
