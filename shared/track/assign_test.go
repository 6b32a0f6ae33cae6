package track

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

// best tries every pairing of the rows from r on.
func best(r, rows int, edges []Edge, taken map[int]bool) float64 {
	if r == rows {
		return 0
	}
	most := best(r+1, rows, edges, taken)
	for _, e := range edges {
		if e.Row == r && !taken[e.Column] {
			taken[e.Column] = true
			most = max(most, e.Weight+best(r+1, rows, edges, taken))
			delete(taken, e.Column)
		}
	}
	return most
}

func TestTheAssignmentIsTheBestOfAll(t *testing.T) {
	var a Assigner // one for all, as its memory is used again
	rapid.Check(t, func(t *rapid.T) {
		rows, columns := rapid.IntRange(0, 6).Draw(t, "rows"), rapid.IntRange(0, 6).Draw(t, "columns")
		var edges []Edge
		weight := map[[2]int]float64{}
		for r := range rows {
			for c := range columns {
				// Few different weights make ties, one in a thousand makes a range as CLEAR needs it.
				if w := rapid.SampledFrom([]float64{0, 0, 0.1, 0.2, 0.3, 0.7, 1, 1000.5}).Draw(t, "weight"); w > 0 {
					edges = append(edges, Edge{r, c, w})
					weight[[2]int{r, c}] = w
				}
			}
		}
		sum, taken := 0.0, map[int]bool{}
		for r, c := range a.Solve(rows, columns, edges) {
			if c < 0 {
				continue
			}
			w, there := weight[[2]int{r, c}]
			if !there || taken[c] {
				t.Fatalf("row %d has column %d, which it can't have", r, c)
			}
			sum += w
			taken[c] = true
		}
		if want := best(0, rows, edges, map[int]bool{}); math.Abs(sum-want) > 1e-9 {
			t.Fatalf("%v of %v", sum, want)
		}
	})
}

func TestARowMakesWayOrStaysAloneWhereThatIsWorthMore(t *testing.T) {
	var a Assigner
	for name, c := range map[string]struct {
		rows, columns int
		edges         []Edge
		want          []int
	}{
		"nothing":       {0, 0, nil, nil},
		"no edges":      {2, 2, nil, []int{-1, -1}},
		"makes way":     {2, 2, []Edge{{0, 0, 0.9}, {0, 1, 0.8}, {1, 0, 0.7}}, []int{1, 0}},
		"stays alone":   {2, 1, []Edge{{0, 0, 0.4}, {1, 0, 0.9}}, []int{-1, 0}},
		"greedy is bad": {2, 2, []Edge{{0, 0, 0.6}, {0, 1, 0.5}, {1, 0, 0.55}, {1, 1, 0.1}}, []int{1, 0}},
	} {
		got := a.Solve(c.rows, c.columns, c.edges)
		if len(got) != len(c.want) {
			t.Fatalf("%s: %v", name, got)
		}
		for i := range got {
			if got[i] != c.want[i] {
				t.Errorf("%s: %v, want %v", name, got, c.want)
			}
		}
	}
}
