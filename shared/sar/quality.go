package sar

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
)

// Shares from which on something is told of echoes.
const (
	clippedShare = 0.01  // of the numbers, at the ends of the format
	largestShare = 0.15  // of the numbers, at the largest value that occurs: a converter of a few bits that is overdriven
	zeroShare    = 0.001 // of the lines
)

// Quality is what the numbers of echoes look like.
type Quality struct {
	Lines     int     `json:"lines"`      // that were looked at
	ZeroLines int     `json:"zero_lines"` // in which nothing was received
	Clipped   float64 `json:"clipped"`    // share of the numbers at the ends of iq8 or iq16
	Largest   float64 `json:"largest"`    // absolute value
	AtLargest float64 `json:"at_largest"` // share of the numbers that have it
	MeanI     float64 `json:"mean_i"`     // a receiver's offset
	MeanQ     float64 `json:"mean_q"`
	RMS       float64 `json:"rms"` // of a sample, about zero
}

// Inspect reads all echoes once. An error says that no image can be made of them; what may spoil one is told by
// Warnings.
func (e *Echoes) Inspect(ctx context.Context) (Quality, error) {
	p := &e.Params
	line := p.Samples * p.Format.Bytes()
	some := max(1, (4<<20)/line)
	tally := newTally(p.Format)
	for from := 0; from < p.Lines; from += some {
		if err := ctx.Err(); err != nil {
			return Quality{}, err
		}
		n := min(some, p.Lines-from)
		raw, _, err := e.Raw(from, n)
		if err != nil {
			return Quality{}, fmt.Errorf("%s: %w", e.Path, err)
		}
		for i := range n {
			if bad := tally.add(raw[i*line : (i+1)*line]); bad >= 0 {
				return Quality{}, fmt.Errorf("%s: data: sample %d of line %d is NaN or infinite: mend or leave out that part of the file", e.Path, bad, from+i)
			}
		}
	}
	q := tally.quality()
	if q.ZeroLines == q.Lines {
		return q, fmt.Errorf("%s: data: all %d lines are zeros: nothing was received, or this is not the file of the echoes", e.Path, q.Lines)
	}
	if q.constant() {
		return q, fmt.Errorf("%s: data: all samples are about %.4g%+.4gi: nothing was received, a channel is stuck at an end of its range, or this is not the file of the echoes", e.Path, q.MeanI, q.MeanQ)
	}
	return q, nil
}

// constant says that samples hardly differ from their mean.
func (q Quality) constant() bool {
	offset := math.Hypot(q.MeanI, q.MeanQ)
	return (q.RMS-offset)*(q.RMS+offset) < 1e-6*q.RMS*q.RMS
}

// Warnings are what a person should know of echoes before looking at their image.
func (q Quality) Warnings() (told []string) {
	if q.Clipped > clippedShare {
		told = append(told, fmt.Sprintf("data: %.1f %% of the numbers are at the end of the format (%.0f): the receiver was saturated, levels of bright targets are too low", 100*q.Clipped, q.Largest))
	} else if q.AtLargest > largestShare {
		told = append(told, fmt.Sprintf("data: %.1f %% of the numbers have the largest value that occurs (%g): the receiver was saturated, levels of bright targets are too low", 100*q.AtLargest, q.Largest))
	}
	if n := q.ZeroLines; float64(n) > zeroShare*float64(q.Lines) {
		told = append(told, fmt.Sprintf("data: %d of %d lines are zeros: nothing was received in them, or they were lost", n, q.Lines))
	}
	if offset := math.Hypot(q.MeanI, q.MeanQ); offset > 0.2*q.RMS {
		told = append(told, fmt.Sprintf("data: the numbers have a mean of %.3g%+.3gi at an RMS of %.3g: signed numbers are expected (is format right?)", q.MeanI, q.MeanQ, q.RMS))
	}
	return told
}

// tally counts the values of whole numbers, or sums those of others.
type tally struct {
	format           Format
	lines, zeroLines int
	counts           []int64 // of each value of iq8 and iq16, I and Q alike
	sums             [2]float64
	numbers          int64
	square           float64
	largest          float64
	atLargest        int64
}

func newTally(f Format) *tally {
	t := &tally{format: f}
	if f != CF32 {
		t.counts = make([]int64, 1<<(8*f.number()))
	}
	return t
}

// add looks at a line; it returns the sample that is no number, or -1.
func (t *tally) add(line []byte) int {
	t.lines++
	zero := true
	switch size := t.format.number(); t.format {
	case IQ8:
		var sums [2]int64
		for i, b := range line {
			t.counts[b]++
			sums[i&1] += int64(int8(b))
			zero = zero && b == 0
		}
		t.sums[0] += float64(sums[0])
		t.sums[1] += float64(sums[1])
	case IQ16:
		var sums [2]int64
		for i := 0; i < len(line); i += size {
			v := binary.LittleEndian.Uint16(line[i:])
			t.counts[v]++
			sums[i>>1&1] += int64(int16(v))
			zero = zero && v == 0
		}
		t.sums[0] += float64(sums[0])
		t.sums[1] += float64(sums[1])
	case CF32:
		for i := 0; i < len(line); i += size {
			v := float64(math.Float32frombits(binary.LittleEndian.Uint32(line[i:])))
			if v-v != 0 {
				return i / (2 * size)
			}
			t.sums[i>>2&1] += v
			t.square += v * v
			zero = zero && v == 0
			switch v = math.Abs(v); {
			case v > t.largest:
				t.largest, t.atLargest = v, 1
			case v == t.largest:
				t.atLargest++
			}
		}
	}
	t.numbers += int64(len(line) / t.format.number())
	if zero {
		t.zeroLines++
	}
	return -1
}

func (t *tally) quality() Quality {
	q := Quality{Lines: t.lines, ZeroLines: t.zeroLines}
	if t.numbers == 0 {
		return q
	}
	n := float64(t.numbers)
	square, largest, at := t.square, t.largest, t.atLargest
	half := len(t.counts) / 2
	for i, count := range t.counts {
		v := math.Abs(float64(i))
		if i >= half {
			v = float64(2*half - i)
		}
		square += v * v * float64(count)
		switch {
		case count == 0:
		case v > largest:
			largest, at = v, count
		case v == largest:
			at += count
		}
	}
	if half > 0 {
		// -128 and 127 are both the end; so is -127 of those who keep to the symmetric numbers.
		q.Clipped = float64(t.counts[half-1]+t.counts[half]+t.counts[half+1]) / n
		if q.Clipped > 0 {
			largest = float64(half - 1)
		}
	}
	q.Largest, q.AtLargest = largest, float64(at)/n
	q.MeanI, q.MeanQ, q.RMS = t.sums[0]*2/n, t.sums[1]*2/n, math.Sqrt(square*2/n)
	return q
}
