package dedup

import (
	"github.com/RoaringBitmap/roaring/v2/roaring64"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
)

// seen is what Kafka has of one epoch of one edge: everything up to through, and a bitmap of the
// numbers above it. The zero value has seen nothing.
type seen struct {
	through uint64
	above   *roaring64.Bitmap // nil while there is nothing: the usual case
}

func (s *seen) has(seq uint64) bool {
	return seq <= s.through || s.above != nil && s.above.Contains(seq)
}

// add says whether seq is new.
func (s *seen) add(seq uint64) bool {
	switch {
	case seq <= s.through:
		return false
	case seq > s.through+1:
		if s.above == nil {
			s.above = roaring64.New()
		}
		return s.above.CheckedAdd(seq)
	}
	s.through = seq
	if s.above != nil {
		s.close()
	}
	return true
}

// close moves the watermark over the numbers that follow it.
func (s *seen) close() {
	for it := s.above.Iterator(); it.HasNext() && it.PeekNext() == s.through+1; it.Next() {
		s.through++
	}
	s.above.RemoveRange(0, s.through+1)
	if s.above.IsEmpty() {
		s.above = nil
	}
}

// addAll adds everything that o has.
func (s *seen) addAll(o *seen) {
	if o.above != nil {
		if s.above == nil {
			s.above = roaring64.New()
		}
		s.above.Or(o.above)
	}
	s.through = max(s.through, o.through)
	if s.above != nil {
		s.above.RemoveRange(0, s.through+1)
		s.close()
	}
}

// highest is the largest number that was seen.
func (s *seen) highest() uint64 {
	if s.above == nil {
		return s.through
	}
	return s.above.Maximum()
}

// missing counts the numbers below the highest that were not seen.
func (s *seen) missing() uint64 {
	if s.above == nil {
		return 0
	}
	return s.highest() - s.through - s.above.GetCardinality()
}

// ranges are the first ranges above the watermark, at most so many.
func (s *seen) ranges(most int) []event.Range {
	if s.above == nil {
		return nil
	}
	return parts.Ranges(roaring64.Values(s.above), most)
}

// gaps are the first ranges that are missing, at most so many.
func (s *seen) gaps(most int) []event.Range {
	var gaps []event.Range
	from := s.through + 1
	for _, r := range s.ranges(most) {
		gaps = append(gaps, event.Range{From: from, To: r.From - 1})
		from = r.To + 1
	}
	return gaps
}
