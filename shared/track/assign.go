package track

import "math"

// Edge says what it is worth to give a column to a row. Weights are above 0 and finite.
type Edge struct {
	Row, Column int
	Weight      float64
}

// Assigner pairs rows and columns so that the weights of the pairs have the greatest sum. Its memory
// is used again. Used by one goroutine.
//
// It is the Hungarian method: rows come in one after another, each along the shortest augmenting path
// (Jonker and Volgenant, Computing 38, 1987). Only pairs with an edge are looked at, so that things
// that are far apart cost nothing together; a row may also stay alone, at the cost of its weights.
type Assigner struct {
	first        []int // of each row, its first edge; one more closes the last row
	row, column  []int // what each is paired with; -1: nothing
	ofRow, ofCol []float64
	distance     []float64 // of each column from the row that comes in
	from         []int     // the row before it on the shortest way
	done         []bool
	touched      []int
}

// Solve gives the column of each row, -1 for rows without. Edges come in the order of their rows. The
// slice is valid until the next call.
func (a *Assigner) Solve(rows, columns int, edges []Edge) []int {
	a.prepare(rows, columns, edges)
	for r := range rows {
		a.insert(r, edges)
	}
	return a.column
}

func (a *Assigner) prepare(rows, columns int, edges []Edge) {
	a.first, a.column, a.ofRow = sized(a.first, rows+1), sized(a.column, rows), sized(a.ofRow, rows)
	a.row, a.ofCol, a.from = sized(a.row, columns), sized(a.ofCol, columns), sized(a.from, columns)
	a.distance, a.done = sized(a.distance, columns), sized(a.done, columns)
	for _, e := range edges {
		a.first[e.Row+1]++
		a.ofRow[e.Row] = min(a.ofRow[e.Row], -e.Weight) // so that no edge costs less than nothing
	}
	for r := range rows {
		a.first[r+1] += a.first[r]
		a.column[r] = -1
	}
	for c := range columns {
		a.row[c], a.distance[c] = -1, math.Inf(1)
	}
}

// insert finds a place for a row: a free column, or staying alone, of it or of a row that makes way.
func (a *Assigner) insert(r int, edges []Edge) {
	a.touched = a.touched[:0]
	alone, aloneAt := math.Inf(1), -1 // the row that would best stay alone, and what that costs
	free := -1
	reached := 0.0
	for at := r; ; {
		if d := reached - a.ofRow[at]; d < alone {
			alone, aloneAt = d, at
		}
		for _, e := range edges[a.first[at]:a.first[at+1]] {
			if a.done[e.Column] {
				continue
			}
			if math.IsInf(a.distance[e.Column], 1) {
				a.touched = append(a.touched, e.Column)
			}
			if d := reached - e.Weight - a.ofRow[at] - a.ofCol[e.Column]; d < a.distance[e.Column] {
				a.distance[e.Column], a.from[e.Column] = d, at
			}
		}
		next := -1
		for _, c := range a.touched {
			if !a.done[c] && (next < 0 || a.distance[c] < a.distance[next]) {
				next = c
			}
		}
		if next < 0 || a.distance[next] >= alone {
			reached = alone
			break
		}
		reached, a.done[next] = a.distance[next], true
		if a.row[next] < 0 {
			free = next
			break
		}
		at = a.row[next]
	}
	a.reprice(r, reached)
	a.shift(r, free, aloneAt)
}

// reprice keeps what is paired free of cost and everything else at a cost of nothing or more.
func (a *Assigner) reprice(r int, reached float64) {
	a.ofRow[r] += reached
	for _, c := range a.touched {
		if a.done[c] && a.row[c] >= 0 {
			a.ofRow[a.row[c]] += reached - a.distance[c]
			a.ofCol[c] -= reached - a.distance[c]
		}
		a.done[c] = false
	}
}

// shift moves each row on the way to the column it came to.
func (a *Assigner) shift(r, free, aloneAt int) {
	c := free
	if free < 0 {
		c, a.column[aloneAt] = a.column[aloneAt], -1
	}
	for c >= 0 {
		at := a.from[c]
		c, a.column[at], a.row[c] = a.column[at], c, at // the row that came in had none: the way ends
	}
	for _, c := range a.touched {
		a.distance[c] = math.Inf(1)
	}
}

// sized is n zeros in the memory of s where it is large enough.
func sized[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n, n+n/2)
	}
	s = s[:n]
	clear(s)
	return s
}
