package onnx

import (
	"fmt"
	"math"
	"math/bits"
)

// learn keeps what a constant says, for operators that take it as a shape or a number of turns.
func (s *scope) learn(n operator) {
	if len(n.outputs) == 0 {
		return
	}
	var said []int64
	switch n.op {
	case "Constant":
		if said = n.tensor; said == nil {
			said = n.ints["value_int"]
		}
		if said == nil {
			said = n.ints["value_ints"]
		}
	case "Identity", "Cast", "Unsqueeze", "Squeeze", "Reshape", "Flatten":
		if len(n.inputs) > 0 {
			said, _ = s.find(n.inputs[0])
		}
	case "Concat":
		for _, in := range n.inputs {
			part, ok := s.find(in)
			if !ok {
				return
			}
			said = append(said, part...)
		}
	}
	if said != nil && len(said) <= maxKept {
		s.ints[n.outputs[0]] = said
	}
}

// bounds refuses an operator that, by the constants it is given, turns or grows without bound. within is
// what its own graphs see.
func (n operator) bounds(s, within *scope) error {
	at := func(i int) []int64 {
		if i >= len(n.inputs) {
			return nil
		}
		said, _ := s.find(n.inputs[i])
		return said
	}
	switch n.op {
	case "Loop":
		if turns := at(0); len(turns) == 1 {
			if within.turns = times(s.turns, turns[0]); within.turns > maxTurns {
				return fmt.Errorf("turns %d times (with the loops around it %d), at most %d are taken", turns[0], within.turns, maxTurns)
			}
		}
	case "ConstantOfShape":
		return makes(at(0))
	case "Expand":
		return makes(at(1))
	case "Tile":
		return makes(at(1))
	case "Reshape", "CenterCropPad":
		return makes(at(1))
	case "Resize", "Upsample":
		if len(n.inputs) > 3 {
			return makes(at(3))
		}
	case "OneHot":
		return makes(at(1))
	case "Pad":
		pads := at(1)
		if pads == nil {
			pads = n.ints["pads"]
		}
		for _, p := range pads {
			if p > maxMade {
				return fmt.Errorf("adds %d places on a side, at most %d are taken", p, maxMade)
			}
		}
	case "Range":
		from, to, step := at(0), at(1), at(2)
		if len(from) == 1 && len(to) == 1 && len(step) == 1 && step[0] != 0 {
			if places := math.Abs((float64(to[0]) - float64(from[0])) / float64(step[0])); places > maxMade {
				return fmt.Errorf("makes %.0f numbers, at most %d are taken", places, maxMade)
			}
		}
	case "RandomNormal", "RandomUniform":
		return makes(n.ints["shape"])
	}
	return nil
}

// makes refuses a shape of too many elements. Places of 0 and below stand for what the input has.
func makes(shape []int64) error {
	n := int64(1)
	for _, d := range shape {
		if d > 1 {
			n = times(n, d)
		}
	}
	if n > maxMade {
		return fmt.Errorf("makes %v, more than %d elements", shape, maxMade)
	}
	return nil
}

// times multiplies without going over.
func times(a, b int64) int64 {
	if a < 0 || b < 0 {
		return 0
	}
	high, low := bits.Mul64(uint64(a), uint64(b))
	if high != 0 || low > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(low)
}
