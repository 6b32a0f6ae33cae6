package bridge

import (
	"encoding/base64"

	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"cloudcanvas/shared/event"
)

// seen are the numbers of one epoch of one edge that Kafka has: everything up to through, and some
// above it.
type seen struct {
	through uint64
	above   *roaring64.Bitmap // all greater than through
}

func newSeen() *seen { return &seen{above: roaring64.New()} }

func (s *seen) has(seq uint64) bool { return seq <= s.through || s.above.Contains(seq) }

// add says whether seq is new.
func (s *seen) add(seq uint64) bool {
	if seq == 0 || s.has(seq) {
		return false
	}
	if seq != s.through+1 {
		s.above.Add(seq)
		return true
	}
	s.through = seq
	for !s.above.IsEmpty() && s.above.Minimum() == s.through+1 {
		s.through++
		s.above.Remove(s.through)
	}
	return true
}

// ranges are what lies above the watermark, ascending, at most so many.
func (s *seen) ranges(most int) []event.Range {
	var all []event.Range
	for it := s.above.Iterator(); it.HasNext(); {
		seq := it.Next()
		if n := len(all); n > 0 && all[n-1].To+1 == seq {
			all[n-1].To = seq
		} else if n == most {
			break // a later receipt says more
		} else {
			all = append(all, event.Range{From: seq, To: seq})
		}
	}
	return all
}

// mark is seen as a checkpoint holds it.
type mark struct {
	Through uint64 `json:"through"`
	Above   string `json:"above,omitempty"` // a roaring64 bitmap in its portable form, base64
}

func (s *seen) mark() (mark, error) {
	m := mark{Through: s.through}
	if s.above.IsEmpty() {
		return m, nil
	}
	s.above.RunOptimize()
	data, err := s.above.ToBytes()
	m.Above = base64.StdEncoding.EncodeToString(data)
	return m, err
}

func (m mark) seen() (*seen, error) {
	s := newSeen()
	s.through = m.Through
	if m.Above == "" {
		return s, nil
	}
	data, err := base64.StdEncoding.DecodeString(m.Above)
	if err == nil {
		err = s.above.UnmarshalBinary(data)
	}
	return s, err
}

// join adds what another has seen.
func (s *seen) join(o *seen) {
	s.above.Or(o.above)
	if o.through > s.through {
		s.through = o.through
	}
	s.above.RemoveRange(0, s.through+1)
	for !s.above.IsEmpty() && s.above.Minimum() == s.through+1 {
		s.through++
		s.above.Remove(s.through)
	}
}
