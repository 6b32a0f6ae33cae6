package uplink

import (
	"container/heap"

	"cloudcanvas/shared/event"
)

// queue orders what waits: urgent first, then by value per byte, then by age.
type queue struct{ refs refHeap }

func (q *queue) add(refs ...event.Ref) {
	for _, r := range refs {
		heap.Push(&q.refs, r)
	}
}

func (q *queue) best() event.Ref { return heap.Pop(&q.refs).(event.Ref) }

func (q *queue) len() int { return len(q.refs) }

type refHeap []event.Ref

func (h refHeap) Len() int { return len(h) }
func (h refHeap) Less(i, j int) bool {
	a, b := h[i], h[j]
	if a.Priority != b.Priority {
		return a.Priority < b.Priority
	}
	if da, db := density(a), density(b); da != db {
		return da > db
	}
	return a.Seq < b.Seq
}
func (h refHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h *refHeap) Push(x any)   { *h = append(*h, x.(event.Ref)) }
func (h *refHeap) Pop() any {
	last := len(*h) - 1
	r := (*h)[last]
	*h = (*h)[:last]
	return r
}

// density is value per byte; a small constant keeps tiny items comparable.
func density(r event.Ref) float64 { return r.Value / float64(r.Bytes+512) }
