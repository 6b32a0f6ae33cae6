package slots

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestEverySlotHasOneOwnerAndSharesDifferByLittle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		members := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z]{1,6}-[0-9]{1,4}`), 1, 20, rapid.ID[string]).Draw(t, "members")
		total := Set(0)
		for _, m := range members {
			share := Share(rapid.Permutation(members).Draw(t, "order"), m)
			if total&share != 0 {
				t.Fatalf("%s shares %b with others", m, total&share)
			}
			if most := (Count + len(members) - 1) / len(members); share.Len() > most {
				t.Fatalf("%s has %d slots, %d is its share", m, share.Len(), most)
			}
			total |= share
		}
		if total != Every {
			t.Fatalf("nobody has %b", ^total)
		}
		if Share(members, "STRANGER") != 0 {
			t.Fatal("who is not there has a share")
		}
	})
}

func TestFewSlotsMoveWhenABridgeComesOrGoes(t *testing.T) {
	for n := 1; n < 12; n++ {
		var before, after []string
		for m := range n + 1 {
			after = append(after, fmt.Sprintf("cloud-%d-%d", m, 1000+7*m))
		}
		before = after[:n]
		moved := 0
		for _, m := range before {
			moved += (Share(before, m) &^ Share(after, m)).Len()
		}
		if fair := (Count + n) / (n + 1); moved > 3*fair {
			t.Errorf("from %d to %d bridges %d slots move, %d would do", n, n+1, moved, fair)
		}
	}
}

func TestSlotSetIsInOrder(t *testing.T) {
	s := Set(0)
	for _, slot := range []int{63, 0, 17} {
		s |= 1 << slot
	}
	if got := slices.Collect(s.All()); !slices.Equal(got, []int{0, 17, 63}) || s.Len() != 3 || !s.Has(17) || s.Has(18) {
		t.Errorf("%v", got)
	}
}
