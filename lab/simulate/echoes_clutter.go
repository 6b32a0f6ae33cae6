package simulate

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/fft"
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
	doppler, ranges     *fft.Plan
}

// together are how many Doppler rows are transformed at a time.
const together = 16

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
	c.length = fft.Good(max(1024, 4*c.guard))
	across := fft.Good(c.wide + c.left)
	if c.length == 0 || across == 0 {
		return nil, fmt.Errorf("--scene %s: a beam that is heard over %d lines of %d samples is too much for sea and land; give --scene points", g.Scene, 2*c.guard, c.wide)
	}
	if bytes := 8 * c.length * c.wide; bytes > mostClutter {
		return nil, fmt.Errorf("--scene %s: a beam that is heard over %d lines of %d samples needs %d MiB of memory for sea and land, %d are the limit; give fewer --samples, a narrower --beam-hz or --scene points",
			g.Scene, 2*c.guard, c.wide, bytes>>20, mostClutter>>20)
	}
	var err error
	if c.doppler, err = fft.NewPlan(c.length); err != nil {
		return nil, err
	}
	c.ranges, err = fft.NewPlan(across)
	return c, err
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
	if err := each(ctx, c.length, func(k int) { c.ground(c.held[k*c.wide:(k+1)*c.wide], from-c.guard+k) }); err != nil {
		return err
	}
	return c.transmit(ctx)
}

// transmit makes the ground that is held its echoes.
func (c *clutter) transmit(ctx context.Context) error {
	threads := runtime.GOMAXPROCS(0)
	c.doppler.Columns(c.held, c.wide, c.wide, false, threads)
	err := each(ctx, (c.length+together-1)/together, func(i int) { c.hear(i*together, min(together, c.length-i*together)) })
	if err != nil {
		return err
	}
	c.doppler.Columns(c.held, c.wide, c.wide, true, threads)
	return ctx.Err()
}

// each does n things, some at a time.
func each(ctx context.Context, n int, do func(i int)) error {
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		work.Go(func() error {
			if ctx.Err() == nil {
				do(i)
			}
			return ctx.Err()
		})
	}
	return work.Wait()
}

// hear makes some Doppler frequencies' rows of ground those of its echoes.
func (c *clutter) hear(first, n int) {
	across := c.ranges.Len()
	x := make([]complex64, n*across)
	for i := range n {
		c.spread(x[i*across:][:across], first+i)
	}
	c.ranges.Rows(x, across, n, false, 1)
	for i := range n {
		c.chirp(x[i*across:][:across], first+i)
	}
	c.ranges.Rows(x, across, n, true, 1)
	for i := range n {
		row := c.held[(first+i)*c.wide:][:c.wide]
		copy(row, x[i*across+c.left:][:c.wide-c.left])
		clear(row[c.wide-c.left:])
	}
}

// bin is what a Doppler row of ground is heard with.
type bin struct {
	hz, lateral, root float64 // lateral is c·hz/2V, root is what is left of the carrier: (5.24)
	weight            float64
}

func (c *clutter) bin(k int) bin {
	g := c.g
	b := bin{hz: float64(k) / float64(c.length) * g.Radar.PRFHz}
	b.hz += g.Radar.PRFHz * math.Round((g.DopplerHz-b.hz)/g.Radar.PRFHz)
	f0, v := g.Radar.CarrierHz, g.Radar.EffectiveVelocityMS
	b.lateral = g.c * b.hz / 2 / v
	b.root = math.Sqrt(f0*f0 - b.lateral*b.lateral)
	rate := 2 * v * v / g.wavelength / g.middle * math.Pow(b.root/f0, 3)
	// By stationary phase.
	b.weight = g.pattern(b.hz) * g.Radar.SamplingHz / math.Sqrt(math.Abs(g.Radar.ChirpRateHzS)) * g.Radar.PRFHz / math.Sqrt(rate)
	return b
}

func (c *clutter) columnOfMiddle() float64 {
	return float64(c.left) + float64(c.g.Radar.Samples-1)/2
}

// spread puts each column of ground where its migration takes it, with the phase of its distance from the middle.
func (c *clutter) spread(x []complex64, k int) {
	b := c.bin(k)
	if b.weight == 0 {
		return
	}
	row := c.held[k*c.wide:][:c.wide]
	middle, stretch := c.columnOfMiddle(), c.g.Radar.CarrierHz/b.root
	for i := range c.wide {
		from := int(math.Round(middle + (float64(i)-middle)/stretch))
		if from < 0 || from >= c.wide {
			continue
		}
		metres := (float64(from) - middle) * c.g.cell
		x[i] = row[from] * complex64(complex(b.weight, 0)*turn(-2*metres*b.root/c.g.c))
	}
}

// chirp multiplies a Doppler row's range frequencies by the phase of the middle, less the delay of its column, and by
// that of the pulse, of its reference and of where the lines begin.
func (c *clutter) chirp(x []complex64, k int) {
	b, g := c.bin(k), c.g
	if b.weight == 0 {
		return
	}
	fs, rate := g.Radar.SamplingHz, g.Radar.ChirpRateHzS
	for i := range x {
		f := float64(i) / float64(len(x)) * fs
		if i > len(x)/2 {
			f -= fs
		}
		if math.Abs(f) > math.Abs(rate)*g.Radar.ChirpS/2 {
			x[i] = 0
			continue
		}
		carrier := g.Radar.CarrierHz + f
		cycles := -2*g.middle/g.c*(math.Sqrt(carrier*carrier-b.lateral*b.lateral)-f) - f*f/(2*rate)
		cycles += -b.hz*float64(g.rowOffset)/g.Radar.PRFHz - f*g.late + (math.Copysign(1, rate)-1)/8
		x[i] *= complex64(turn(cycles))
	}
}
