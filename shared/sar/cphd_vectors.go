package sar

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
)

// cphdVector is what is kept of a vector's parameters.
type cphdVector struct {
	seconds    float64    // between sending and receiving, after CollectionStart
	position   [3]float64 // of the antenna then
	delay      float64    // of the reference point, there and back
	toa1, toa2 float64    // between which its signal is good
	gain       float32    // AmpSF; 0: it has no signal
}

// cphdVectors are all of them, and what they have in common.
type cphdVectors struct {
	all                  []cphdVector
	srp                  [3]float64 // of the middle vector
	fx1, fx2, sc0, scss  float64
	start                time.Time
	states               []StateVector
	prf                  float64
	shortest, longest    float64 // delays at which any signal is good
	nearestSRP, furthest float64 // delays of reference points
}

const light = 299_792_458.0 // as the standard has it

// vectors reads the parameters of all vectors. It refuses those that no stripmap has whose pulses come evenly.
func (c *cphd) vectors() (*cphdVectors, error) {
	ch := c.meta.Data.Channel[0]
	width, count := c.meta.Data.NumBytesPVP, ch.NumVectors
	start, err := c.meta.start()
	if err != nil {
		return nil, err
	}
	v := &cphdVectors{start: start, all: make([]cphdVector, 0, count), shortest: math.Inf(1), longest: math.Inf(-1), nearestSRP: math.Inf(1), furthest: math.Inf(-1)}
	chosen := cphdStates(count, func(i int) (float64, error) {
		raw := make([]byte, width)
		_, err := c.file.ReadAt(raw, c.at.pvpAt+ch.PVPArrayByteOffset+int64(i)*int64(width))
		return c.number(raw, "TxTime"), err
	})
	const batch = 4096
	raw := make([]byte, min(batch, count)*width)
	for from := 0; from < count; from += batch {
		part := raw[:min(batch, count-from)*width]
		if _, err := c.file.ReadAt(part, c.at.pvpAt+ch.PVPArrayByteOffset+int64(from)*int64(width)); err != nil {
			return nil, fmt.Errorf("read parameters of vectors: %w", err)
		}
		for k := range len(part) / width {
			i := from + k
			if err := v.take(c, part[k*width:(k+1)*width], i, count, chosen[i]); err != nil {
				return nil, fmt.Errorf("vector %d: %w", i, err)
			}
		}
	}
	return v, v.even()
}

// cphdStates are the vectors that the orbit is made of: three, so that half of what lies between two serves around
// them as well, or one each 20 s.
func cphdStates(count int, seconds func(i int) (float64, error)) map[int]bool {
	n := 3
	if a, err := seconds(0); err == nil {
		if b, err := seconds(count - 1); err == nil && b-a > 40 {
			n = int(min((b-a)/20, 1000)) + 1
		}
	}
	chosen := map[int]bool{}
	for k := range n {
		chosen[k*(count-1)/(n-1)] = true
	}
	return chosen
}

// take adds a vector.
func (v *cphdVectors) take(c *cphd, raw []byte, i, count int, state bool) error {
	for name := range c.pvp {
		if name == "SIGNAL" {
			continue
		}
		for _, x := range c.numbers(raw, name) {
			if x-x != 0 {
				return fmt.Errorf("%s is %v", name, x)
			}
		}
	}
	sent, received := c.number(raw, "TxTime"), c.number(raw, "RcvTime")
	tx, rx, srp := c.vector(raw, "TxPos"), c.vector(raw, "RcvPos"), c.vector(raw, "SRPPos")
	one := cphdVector{
		seconds: (sent + received) / 2, delay: (norm(minus(tx, srp)) + norm(minus(rx, srp))) / light,
		toa1: c.number(raw, "TOA1"), toa2: c.number(raw, "TOA2"), gain: 1,
	}
	for axis := range 3 {
		one.position[axis] = (tx[axis] + rx[axis]) / 2
	}
	if _, ok := c.pvp["AmpSF"]; ok {
		one.gain = float32(c.number(raw, "AmpSF"))
	}
	if at, ok := c.pvp["SIGNAL"]; ok && binary.BigEndian.Uint64(raw[at.byte:]) == 0 {
		one.gain = 0
	}
	fx1, fx2, sc0, scss := c.number(raw, "FX1"), c.number(raw, "FX2"), c.number(raw, "SC0"), c.number(raw, "SCSS")
	if i == 0 {
		v.fx1, v.fx2, v.sc0, v.scss = fx1, fx2, sc0, scss
	}
	samples := float64(c.meta.Data.Channel[0].NumSamples)
	switch {
	case math.Abs(sent) > 1e6 || !(received > sent && received-sent < 1):
		return fmt.Errorf("TxTime is %v, RcvTime %v", sent, received)
	case !(one.delay > 1e-7 && one.delay < 1):
		return fmt.Errorf("SRPPos lies %.6g s of light from the antenna", one.delay)
	case math.Abs(one.delay-(received-sent)) > 1e-4:
		return fmt.Errorf("RcvTime is %.6g s after TxTime, but SRPPos is %.6g s of light away", received-sent, one.delay)
	case !(scss > 0) || !(fx1 > 0 && fx2 > fx1):
		return fmt.Errorf("FX1 is %v, FX2 %v, SCSS %v", fx1, fx2, scss)
	case math.Abs(sc0-v.sc0) > 1e-3*v.scss || math.Abs(scss-v.scss)*samples > 1e-3*v.scss || math.Abs(fx1-v.fx1) > 1e-3*(v.fx2-v.fx1) || math.Abs(fx2-v.fx2) > 1e-3*(v.fx2-v.fx1):
		return fmt.Errorf("SC0 %v, SCSS %v, FX1 %v or FX2 %v differ from the first vector's (%v, %v, %v, %v): samples that change from pulse to pulse are not read", sc0, scss, fx1, fx2, v.sc0, v.scss, v.fx1, v.fx2)
	case !(one.toa2 > one.toa1 && one.toa1 > -1 && one.toa2 < 1):
		return fmt.Errorf("TOA1 is %v, TOA2 %v", one.toa1, one.toa2)
	case i > 0 && one.seconds <= v.all[i-1].seconds:
		return fmt.Errorf("TxTime and RcvTime are not after those of the vector before")
	}
	v.shortest, v.longest = min(v.shortest, one.delay+one.toa1), max(v.longest, one.delay+one.toa2)
	v.nearestSRP, v.furthest = min(v.nearestSRP, one.delay), max(v.furthest, one.delay)
	if i == count/2 {
		v.srp = srp
	}
	if state {
		a, b := c.vector(raw, "TxVel"), c.vector(raw, "RcvVel")
		s := StateVector{Time: v.start.Add(duration(one.seconds)), Position: one.position}
		for axis := range 3 {
			s.Velocity[axis] = (a[axis] + b[axis]) / 2
			s.Position[axis] += s.Velocity[axis] * (s.Time.Sub(v.start).Seconds() - one.seconds) // it is of a whole nanosecond
		}
		v.states = append(v.states, s)
	}
	v.all = append(v.all, one)
	return nil
}

// even says whether the pulses came evenly and the antenna's way is that of a satellite: the algorithm knows neither
// gaps nor the bends of an aircraft.
func (v *cphdVectors) even() error {
	n := len(v.all)
	first, last := v.all[0].seconds, v.all[n-1].seconds
	v.prf = float64(n-1) / (last - first)
	for i, one := range v.all {
		if off := one.seconds - first - float64(i)/v.prf; math.Abs(off)*v.prf > 0.01 {
			return fmt.Errorf("vector %d was taken %.3g s off an even PRF of %.6g Hz: pulses are missing or the PRF changes, which is not focused; cut the collection at the gap", i, off, v.prf)
		}
	}
	o, err := NewOrbit(v.states)
	if err != nil {
		return fmt.Errorf("TxPos, TxVel: %w", err)
	}
	allowed := light / ((v.fx1 + v.fx2) / 2) / 16
	for i, one := range v.all {
		p, _, _ := o.at(one.seconds - o.base.Sub(v.start).Seconds())
		if off := norm(minus(p, one.position)); off > allowed {
			return fmt.Errorf("vector %d was taken %.3g m off a smooth orbit, more than a 16th of the wavelength: it looks like an aircraft's, whose way would have to be compensated, which is not built", i, off)
		}
	}
	swath := v.longest - v.shortest
	if walk := v.furthest - v.nearestSRP; walk > swath/2 {
		return fmt.Errorf("the reference point (SRPPos) comes %.3g s of light nearer or farther, while the swath (TOA1 to TOA2) is %.3g s: it looks like a spotlight's or a strongly squinted one's, which is not focused", walk, swath-walk)
	}
	return nil
}

func (c *cphd) number(raw []byte, name string) float64 {
	return math.Float64frombits(binary.BigEndian.Uint64(raw[c.pvp[name].byte:]))
}

func (c *cphd) vector(raw []byte, name string) (v [3]float64) {
	copy(v[:], c.numbers(raw, name))
	return v
}

func (c *cphd) numbers(raw []byte, name string) []float64 {
	at := c.pvp[name]
	all := make([]float64, at.numbers)
	for i := range all {
		all[i] = math.Float64frombits(binary.BigEndian.Uint64(raw[at.byte+8*i:]))
	}
	return all
}
