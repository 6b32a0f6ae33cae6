package linktile

// A row of predictions is a sum of rows with weights, which processors with AVX2 compute for several pixels at a
// time: a quarter of what coding a tile took was these sums. They are whole numbers, so both ways give the same.

// lanes is how many numbers the vectors take at a time. Rows have as many more behind their end, so that what is
// left of a row needs no other way.
const lanes = 16

// tap is a row, from the neighbour of its first pixel on, and its weight.
type tap struct {
	row    *int32
	weight int64
}

// padded makes room for a row of w numbers, and for those that vectors read and write behind it.
func padded[T any](w int) []T { return make([]T, w+lanes)[: w : w+lanes] }

// whole is how many numbers are computed for a row of w.
func whole(w int) int { return (w + lanes - 1) / lanes * lanes }

// tapped adds the neighbours of a row's w pixels from a place on, one for each weight.
func tapped(to []tap, row []int32, w, from int, weights ...int32) []tap {
	for k, weight := range weights {
		some := row[from+k : from+k+whole(w)] // all that is read is there
		to = append(to, tap{&some[0], int64(weight)})
	}
	return to
}

// sumValues computes the part of a row's predictions that rests on numbers which are known: with left, on those to the
// left as well, as an encoder knows them.
func (s *surroundings) sumValues(p *predictor, left bool) {
	w := &p.weight
	if vectors {
		t := tapped(s.taps[:0], s.own.above, s.w, pad-1, w[2:5]...)
		t = tapped(t, s.own.here, s.w, pad-2, w[5:tapsOwn]...)
		if left {
			t = tapped(t, s.own.below, s.w, pad-2, w[1], w[0])
		}
		if p.first >= 0 {
			t = tapped(t, s.first.above, s.w, pad-1, w[tapsOwn:tapsOwn+3]...)
			t = tapped(t, s.first.here, s.w, pad-1, w[tapsOwn+3:tapsOwn+6]...)
			t = tapped(t, s.first.below, s.w, pad-1, w[tapsOwn+6:tapsOwn+tapsFirst]...)
		}
		if p.second >= 0 {
			second := w[tapsOwn+tapsFirst:]
			t = tapped(t, s.second.above, s.w, pad, second[0])
			t = tapped(t, s.second.here, s.w, pad-1, second[1:4]...)
			t = tapped(t, s.second.below, s.w, pad, second[4])
		}
		sumWideAVX2(&s.value[0], whole(s.w), &t[0], len(t), p.offset)
		return
	}
	addOwn(s.value, s.own.above[pad-1:], s.own.here, w, p.offset)
	if left {
		addLeft(s.value, s.own.below[pad-2:], w[0], w[1])
	}
	if p.first >= 0 {
		f := w[tapsOwn:]
		add3(s.value, s.first.above[pad-1:], f[0], f[1], f[2])
		add3(s.value, s.first.here[pad-1:], f[3], f[4], f[5])
		add3(s.value, s.first.below[pad-1:], f[6], f[7], f[8])
	}
	if p.second >= 0 {
		addSecond(s.value, s.second, w[tapsOwn+tapsFirst:])
	}
}

// sumSizes is sumValues for the sizes to expect of the residuals.
func (s *surroundings) sumSizes(p *predictor, left bool) {
	w := &p.sizeWeight
	if vectors {
		t := tapped(s.taps[:0], s.ownSize.here, s.w, pad-1, w[2:5]...)
		t = tapped(t, s.ownSize.above, s.w, pad, w[5])
		if left {
			t = tapped(t, s.ownSize.below, s.w, pad-2, w[1], w[0])
		}
		if p.first >= 0 {
			t = tapped(t, s.firstSize.here, s.w, pad-1, w[6:9]...)
			t = tapped(t, s.firstSize.above, s.w, pad, w[9])
			t = tapped(t, s.firstSize.below, s.w, pad, w[10])
		}
		if p.second >= 0 {
			t = tapped(t, s.secondSize.here, s.w, pad, w[11])
		}
		sumNarrowAVX2(&s.size[0], whole(s.w), &t[0], len(t), p.sizeOffset)
		return
	}
	sizeOwn(s.size, s.ownSize.above[pad:], s.ownSize.here[pad-1:], w, p.sizeOffset)
	if left {
		row := s.ownSize.below[pad-2:]
		for i := range s.size {
			s.size[i] += row[i]*w[1] + row[i+1]*w[0]
		}
	}
	if p.first >= 0 {
		size5(s.size, s.firstSize, w)
	}
	if p.second >= 0 {
		size1(s.size, s.secondSize.here[pad:], w[11])
	}
}

// widen copies numbers to a row.
func widen(to []int32, from []uint16) {
	n := 0
	if vectors {
		n = len(from) / lanes * lanes
		if n > 0 {
			widenAVX2(&to[:n][0], &from[0], n)
		}
	}
	for i, v := range from[n:] {
		to[n+i] = int32(v)
	}
}
