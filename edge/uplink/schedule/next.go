package schedule

import (
	"cmp"
	"slices"

	"cloudcanvas/shared/event"
)

// Choice is an item that would go, for people to see.
type Choice struct {
	Seq      uint64         `json:"seq"`
	Priority event.Priority `json:"priority"`
	Rung     event.Rung     `json:"rung"`
	Value    float64        `json:"value"`
	Bytes    int64          `json:"bytes"`
	Sent     uint32         `json:"parts_sent"`
	Parts    uint32         `json:"parts"`             // 0: not cut yet
	Streams  string         `json:"streams,omitempty"` // whose quota it goes under
	Why      Reason         `json:"why"`
}

// Next are the items that would go next as things are, at most n. More urgent ones that come, and
// the share of the oldest, change it.
func (s *Scheduler) Next(n int) []Choice {
	type candidate struct {
		e entry
		i *item
	}
	var all []candidate
	for _, i := range s.begun {
		all = append(all, candidate{i.entry, i})
	}
	waits := func(slot uint32) bool {
		if e := s.store.at(slot); s.alive(e.seq) {
			all = append(all, candidate{*e, nil})
		}
		return true
	}
	for l := range s.queues {
		var firsts []*series
		s.scan(&s.queues[l].heap, 2*n, func(slot uint32) bool {
			if c := s.of(s.store.at(slot)); c != nil {
				firsts = append(firsts, c)
				return true
			}
			return waits(slot)
		})
		for _, c := range firsts {
			s.scan(&c.heap, 2*n, waits)
		}
	}
	slices.SortStableFunc(all, func(a, b candidate) int {
		switch begun := a.i != nil; {
		case a.e.rank != b.e.rank:
			return cmp.Compare(a.e.rank, b.e.rank)
		case begun != (b.i != nil):
			if begun {
				return -1
			}
			return 1
		case a.e.series == b.e.series && s.of(&a.e) != nil:
			if s.of(&a.e).key.order == NewestFirst {
				return cmp.Compare(b.e.seq, a.e.seq)
			}
			return cmp.Compare(a.e.seq, b.e.seq)
		case a.e.before(&b.e):
			return -1
		}
		return 1
	})
	choices := make([]Choice, 0, n)
	for _, c := range all[:min(n, len(all))] {
		x := Choice{Seq: c.e.seq, Priority: c.e.priority(), Rung: c.e.rung(), Bytes: int64(c.e.bytes),
			Value: float64(c.e.density) * float64(int64(c.e.bytes)+Overhead), Why: Best}
		if q := s.queueOf(&c.e).quota; q != nil {
			x.Streams = q.Streams
		}
		if c.i != nil {
			x.Parts, x.Sent, x.Why = c.i.of, c.i.of-c.i.toSend, Begun
		}
		if c.e.urgent() {
			x.Why = Urgent
		}
		choices = append(choices, x)
	}
	return choices
}
