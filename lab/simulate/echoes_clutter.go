package simulate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// clutter is sea and land: a random scatterer in each cell of the image's lattice, heard through the system. Its
// echoes are those of inverse focusing by the two-dimensional spectrum of a point (Cumming and Wong, equation 5.24),
// whose phase falls linearly with range but for terms below 0.01 rad over a swath; scatterers move by half a sample
// at most, which nobody sees of speckle. Points and ships are not made so, but exactly.
//
// It is made in blocks of lines: each reads the ground that its lines may hear and gives those that hear no other.
type clutter struct {
	g     *echoGeometry
	coast bool
	land  []octave // where land is
	rough []octave // how bright land and sea are

	length, guard, wide int // lines of a block, lines at each end that are not whole, columns of ground
	left                int // columns of ground before the first of the image
	from                int // of the lines that are held
	held                []complex64
}

// mostClutter bounds the memory of a block.
const mostClutter = 1 << 30

// newClutter gives nil where the scene is of points alone.
func (g *echoGeometry) newClutter() (*clutter, error) {
	if g.Scene == "points" {
		return nil, nil
	}
	size := float64(max(256, min(g.Radar.Lines, g.Radar.Samples)))
	c := &clutter{g: g, coast: g.Scene == "coast", from: math.MinInt,
		land: fractal(mix(g.Seed^0xc0a5), size/2, 16, 0.5), rough: fractal(mix(g.Seed^0x4006), 64, 4, 0.7)}
	half := int(g.chirpSamples()/2) + 1
	late := int(g.late * g.Radar.SamplingHz)
	first, last := g.slantRange(0), g.slantRange(float64(g.Radar.Samples))
	var far, spread float64
	for _, hz := range []float64{g.DopplerHz - g.reach(), g.DopplerHz + g.reach()} {
		far = max(far, math.Hypot(last, g.Radar.EffectiveVelocityMS*g.after(last, hz))-last)
		for _, r := range []float64{first, last} {
			spread = max(spread, math.Abs(g.after(r, hz)*g.Radar.PRFHz+float64(g.rowOffset)))
		}
	}
	c.left = half + late + int(far/g.cell) + 1
	c.wide = c.left + g.Radar.Samples + half
	c.guard = int(spread) + 64
	for c.length = 1024; c.length < 4*c.guard; c.length *= 2 {
	}
	if bytes := 8 * c.length * c.wide; bytes > mostClutter {
		return nil, fmt.Errorf("--scene %s: a beam that is heard over %d lines of %d samples needs %d MiB of memory for sea and land, %d are the limit; give fewer --samples, a narrower --beam-hz or --scene points",
			g.Scene, 2*c.guard, c.wide, bytes>>20, mostClutter>>20)
	}
	return c, nil
}

// isLand says whether a place of the image is land: there is more of it at far range.
func (c *clutter) isLand(field float32, col int) bool {
	return c.coast && 6*(float64(col)/float64(c.g.Radar.Samples)-0.62)+0.8*float64(field) > 0
}

// seaAround says whether there is no land near a place.
func (c *clutter) seaAround(row, col float64) bool {
	const near = 96
	field := make([]float32, 2*near+1)
	for y := int(row) - near; y <= int(row)+near; y += 16 {
		fill(field, c.land, int(col)-near, y, len(field), 1)
		for i, f := range field {
			if c.isLand(f, int(col)-near+i) {
				return false
			}
		}
	}
	return true
}

// ground are the scatterers of a row of the image.
func (c *clutter) ground(to []complex64, row int) {
	land, rough := make([]float32, c.wide), make([]float32, c.wide)
	fill(land, c.land, -c.left, row, c.wide, 1)
	fill(rough, c.rough, -c.left, row, c.wide, 1)
	random := rand.New(rand.NewPCG(mix(c.g.Seed^0x61), uint64(int64(row))))
	sea := c.g.seaCell()
	bright := sea * math.Pow(10, c.g.LandDB/20)
	for i := range to {
		level := sea * math.Exp(0.15*float64(rough[i])) // waves
		if c.isLand(land[i], i-c.left) {
			level = bright * math.Exp(0.6*float64(rough[i]))
			if random.Float64() < 0.001 { // houses, cliffs, masts
				level *= 1 + 12*random.Float64()
			}
		}
		level /= math.Sqrt2
		to[i] = complex(float32(level*random.NormFloat64()), float32(level*random.NormFloat64()))
	}
}

// lines are n lines from one on; nil where there is no clutter. They are asked for in order.
func (c *clutter) lines(ctx context.Context, from, n int) ([]complex64, error) {
	if c == nil {
		return nil, nil
	}
	samples := c.g.Radar.Samples
	out := make([]complex64, n*samples)
	for done := 0; done < n; {
		at := from + done
		if whole := c.length - 2*c.guard; at < c.from || at >= c.from+whole {
			if err := c.block(ctx, at); err != nil {
				return nil, err
			}
		}
		m := min(n-done, c.from+c.length-2*c.guard-at)
		skip := c.guard + at - c.from
		for i := range m {
			copy(out[(done+i)*samples:(done+i+1)*samples], c.held[(skip+i)*c.wide:])
		}
		done += m
	}
	return out, nil
}

// block makes the lines from one on: row k of held is line from - guard + k.
func (c *clutter) block(ctx context.Context, from int) error {
	c.from = from
	if c.held == nil {
		c.held = make([]complex64, c.length*c.wide)
	}
	rows := func(n int, each func(i int)) error {
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(runtime.GOMAXPROCS(0))
		for i := range n {
			work.Go(func() error { each(i); return ctx.Err() })
		}
		return work.Wait()
	}
	top := from - c.guard
	const columns = 16
	along := func(inverse bool) error { // Doppler transforms, some columns at a time
		return rows((c.wide+columns-1)/columns, func(i int) {
			x := make([]complex128, c.length)
			for col := i * columns; col < min(c.wide, (i+1)*columns); col++ {
				for k := range x {
					x[k] = complex128(c.held[k*c.wide+col])
				}
				transform(x, inverse)
				for k := range x {
					c.held[k*c.wide+col] = complex64(x[k])
				}
			}
		})
	}
	if err := rows(c.length, func(k int) { c.ground(c.held[k*c.wide:(k+1)*c.wide], top+k) }); err != nil {
		return err
	}
	if err := along(false); err != nil {
		return err
	}
	across := 1
	for across < c.wide+c.left {
		across *= 2
	}
	if err := rows(c.length, func(k int) { c.hear(c.held[k*c.wide:(k+1)*c.wide], k, across) }); err != nil {
		return err
	}
	return along(true)
}

// hear makes a Doppler frequency's row of ground that of its echoes.
func (c *clutter) hear(row []complex64, k, across int) {
	g := c.g
	prf, fs, f0 := g.Radar.PRFHz, g.Radar.SamplingHz, g.Radar.CarrierHz
	hz := float64(k) / float64(c.length) * prf
	hz += prf * math.Round((g.DopplerHz-hz)/prf)
	weight := g.pattern(hz)
	if weight == 0 {
		clear(row)
		return
	}
	lateral := g.c * hz / 2 / g.Radar.EffectiveVelocityMS
	root := math.Sqrt(f0*f0 - lateral*lateral)
	stretch := f0 / root // of range, by migration
	rate := 2 * g.Radar.EffectiveVelocityMS * g.Radar.EffectiveVelocityMS / g.wavelength / g.middle * math.Pow(root/f0, 3)
	weight *= fs / math.Sqrt(math.Abs(g.Radar.ChirpRateHzS)) * prf / math.Sqrt(rate) // stationary phase

	x := make([]complex128, across)
	middle := float64(c.left) + float64(g.Radar.Samples-1)/2
	for i := range c.wide {
		from := int(math.Round(middle + (float64(i)-middle)/stretch))
		if from < 0 || from >= c.wide {
			continue
		}
		metres := (float64(from) - middle) * g.cell
		x[i] = complex128(row[from]) * polar(weight, -2*math.Pi*math.Mod(2*metres*root/g.c, 1))
	}
	transform(x, false)
	for i := range x {
		f := float64(i) / float64(across) * fs
		if i > across/2 {
			f -= fs
		}
		if math.Abs(f) > math.Abs(g.Radar.ChirpRateHzS)*g.Radar.ChirpS/2 {
			x[i] = 0
			continue
		}
		// The phase of the middle, less the delay of its column, in cycles; and where the pulse and the lines begin.
		cycles := -2*g.middle/g.c*(math.Sqrt((f0+f)*(f0+f)-lateral*lateral)-f) - f*f/(2*g.Radar.ChirpRateHzS)
		cycles += -hz*float64(g.rowOffset)/prf - f*g.late + (math.Copysign(1, g.Radar.ChirpRateHzS)-1)/8
		x[i] *= polar(1, 2*math.Pi*math.Mod(cycles, 1))
	}
	transform(x, true)
	for i := range row {
		row[i] = 0
		if at := i + c.left; at < c.wide {
			row[i] = complex64(x[at])
		}
	}
}
