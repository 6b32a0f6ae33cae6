package simulate

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/sar"
)

// EchoesOptions say what a radar is to have heard. Amplitudes are in the numbers that are stored.
type EchoesOptions struct {
	Out   string // folder for NAME.iq8, NAME.yaml and truth.json, made if it is not there
	Name  string
	Radar sar.Params // how the radar works and what is known of its flight; Data and AGC are filled in here

	DopplerHz float64 // of the middle of the beam, absolute
	BeamHz    float64 // the Doppler band that the beam lights: from edge to edge, or between half amplitudes with sinc2; 0: 0.8 PRF
	Antenna   string  // rect: all of the band equally; sinc2: as an antenna without weighting does, both ways

	Points  []EchoPoint // none: three by three over what is lit whole, on scenes of points
	Scene   string      // points: nothing else; sea; coast: sea, land and the ships between
	Ships   int
	SeaRMS  float64 // of the echoes of sea that fills the beam, I and Q together
	LandDB  float64 // land over sea
	ShipDB  float64 // a ship's strongest point over sea, in the image
	Noise   float64 // of the receiver, standard deviation of I and of Q
	AGCdB   float64 // the receiver attenuates in steps of 1 dB up to here and back, along the lines; 0: no AGC file
	Aliased bool    // a geometry that aliases is wanted
	Place   *EchoPlace
	Seed    uint64
}

// EchoPoint is a point in the image.
type EchoPoint struct {
	Row, Col  float64
	Amplitude float64 // of its echoes; 0: 2
	PhaseRad  float64
}

// EchoPlace is where the middle of the scene lies: an orbit over it is made.
type EchoPlace struct{ Latitude, Longitude, HeadingDeg, IncidenceDeg float64 }

// DefaultEchoes is a satellite in C band, much as RADARSAT-1 was.
func DefaultEchoes() EchoesOptions {
	return EchoesOptions{Name: "simulated", Scene: "points", Antenna: "rect", SeaRMS: 6, LandDB: 12, ShipDB: 24, Noise: 1, Seed: 1,
		Radar: sar.Params{Format: sar.IQ8, Lines: 1536, Samples: 2048, CarrierHz: 5.3e9, PRFHz: 1256.98, SamplingHz: 32.317e6, ChirpRateHzS: -0.72135e12,
			ChirpS: 41.75e-6, PulseReference: "centre", FirstSampleSlantRangeM: 988647, EffectiveVelocityMS: 7062, SpeedOfLightMS: 299792458, LookSide: "right"}}
}

// EchoesReport is what was made.
type EchoesReport struct {
	YAML      string  `json:"yaml"`
	Points    int     `json:"points"` // of the truth's targets
	Ships     int     `json:"ships"`
	Saturated float64 `json:"saturated"` // share of the stored numbers that were cut off
}

// Echoes writes what the radar heard, what is known of it, and the truth. It works by blocks of lines: memory does
// not grow with their number.
func Echoes(ctx context.Context, o EchoesOptions) (EchoesReport, error) {
	r, err := echoes(ctx, o)
	if err != nil {
		return r, fmt.Errorf("simulate echoes: %w", err)
	}
	return r, nil
}

func echoes(ctx context.Context, o EchoesOptions) (r EchoesReport, err error) {
	g, err := newEchoGeometry(o)
	if err != nil {
		return r, err
	}
	m, err := g.scene()
	if err != nil {
		return r, err
	}
	if err := os.MkdirAll(o.Out, 0o755); err != nil {
		return r, err
	}
	g.Radar.Data, r.YAML = o.Name+"."+string(o.Radar.Format), filepath.Join(o.Out, o.Name+".yaml")
	if o.AGCdB > 0 {
		g.Radar.AGC = o.Name + ".agc.txt"
		if err := durable.WriteFile(filepath.Join(o.Out, g.Radar.AGC), g.agcFile(), 0o644); err != nil {
			return r, err
		}
	}
	if r.Saturated, err = g.record(ctx, m, filepath.Join(o.Out, g.Radar.Data)); err != nil {
		return r, err
	}
	truth := g.truth(m)
	truth.Saturated = r.Saturated
	for _, t := range truth.Targets {
		if t.Kind == "ship" {
			r.Ships++
		}
	}
	r.Points = len(truth.Targets) - r.Ships
	if err := durable.WriteJSON(filepath.Join(o.Out, "truth.json"), truth); err != nil {
		return r, err
	}
	return r, durable.WriteFile(r.YAML, g.describe(), 0o644)
}

// blockBytes bounds the lines that are held at a time, as complex128.
const blockBytes = 64 << 20

// record makes the lines and writes them.
func (g *echoGeometry) record(ctx context.Context, m *echoScene, path string) (saturated float64, err error) {
	f, err := os.Create(path + ".new")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	lines, cut := max(1, min(512, blockBytes/16/g.Radar.Samples)), int64(0)
	size := g.sampleBytes() * g.Radar.Samples
	stored := make([]byte, lines*size)
	for from := 0; from < g.Radar.Lines; from += lines {
		n := min(lines, g.Radar.Lines-from)
		clutter, err := m.clutter.lines(ctx, from, n)
		if err != nil {
			return 0, err
		}
		work, ctx := errgroup.WithContext(ctx)
		work.SetLimit(runtime.GOMAXPROCS(0))
		for i := range n {
			work.Go(func() error {
				if err := ctx.Err(); err != nil {
					return err
				}
				line := make([]complex128, g.Radar.Samples)
				if clutter != nil {
					for c, v := range clutter[i*g.Radar.Samples : (i+1)*g.Radar.Samples] {
						line[c] = complex128(v)
					}
				}
				for _, p := range m.heard(from + i) {
					g.echo(line, p, from+i)
				}
				g.noise(line, from+i)
				atomic.AddInt64(&cut, int64(g.store(stored[i*size:(i+1)*size], line, 1/g.gain(from+i))))
				return nil
			})
		}
		if err := work.Wait(); err != nil {
			return 0, err
		}
		if _, err := w.Write(stored[:n*size]); err != nil {
			return 0, err
		}
	}
	if err := errors.Join(w.Flush(), f.Sync(), f.Close()); err != nil {
		return 0, err
	}
	return float64(cut) / float64(2*g.Radar.Lines*g.Radar.Samples), durable.Rename(path+".new", path)
}

// echo adds a point's echo to a line: exact but for the stop while a pulse is under way, as in the book.
func (g *echoGeometry) echo(line []complex128, p lit, at int) {
	t := float64(at)/g.Radar.PRFHz - p.zero // from when it is nearest
	distance := math.Hypot(p.r0, g.Radar.EffectiveVelocityMS*t)
	weight := p.amplitude * g.pattern(-2*g.Radar.EffectiveVelocityMS*g.Radar.EffectiveVelocityMS*t/distance/g.wavelength)
	if weight == 0 {
		return
	}
	fs, k := g.Radar.SamplingHz, g.Radar.ChirpRateHzS
	centre := (2/g.c*(distance-g.Radar.FirstSampleSlantRangeM) + g.late) * fs // of the pulse, in samples
	half := g.Radar.ChirpS / 2 * fs
	from, to := max(0, int(math.Ceil(centre-half))), min(len(line)-1, int(math.Floor(centre+half)))
	if from > to {
		return
	}
	// The phase is a polynomial of the second degree, whose second difference is constant.
	x, bend := float64(from)-centre, math.Pi*k/(fs*fs)
	z := polar(weight, bend*x*x+p.phase) * turn(-2*distance/g.wavelength)
	step, twist := polar(1, bend*(2*x+1)), polar(1, 2*bend)
	for i := from; i <= to; i++ {
		line[i] += z
		z *= step
		step *= twist
	}
}

func polar(r, phase float64) complex128 {
	sin, cos := math.Sincos(phase)
	return complex(r*cos, r*sin)
}

// turn is e^(2πj·cycles); whole cycles are taken off first.
func turn(cycles float64) complex128 {
	return polar(1, 2*math.Pi*(cycles-math.Round(cycles)))
}

func (g *echoGeometry) noise(line []complex128, at int) {
	if g.Noise == 0 {
		return
	}
	random := rand.New(rand.NewPCG(mix(g.Seed^0x6e), uint64(at)))
	for i := range line {
		line[i] += complex(g.Noise*random.NormFloat64(), g.Noise*random.NormFloat64())
	}
}

func (g *echoGeometry) sampleBytes() int {
	return map[sar.Format]int{sar.IQ8: 2, sar.IQ16: 4, sar.CF32: 8}[g.Radar.Format]
}

// store rounds a line as the format has it, and says how many numbers it had to cut off.
func (g *echoGeometry) store(to []byte, line []complex128, gain float64) (cut int) {
	top := map[sar.Format]float64{sar.IQ8: math.MaxInt8, sar.IQ16: math.MaxInt16}[g.Radar.Format]
	for i, z := range line {
		for j, v := range [2]float64{real(z) * gain, imag(z) * gain} {
			at := 2*i + j
			if top > 0 {
				if v = math.RoundToEven(v); v > top || v < -top-1 {
					cut++
				}
				v = min(max(v, -top-1), top)
			}
			switch g.Radar.Format {
			case sar.IQ8:
				to[at] = byte(int8(v))
			case sar.IQ16:
				binary.LittleEndian.PutUint16(to[2*at:], uint16(int16(v)))
			default:
				binary.LittleEndian.PutUint32(to[4*at:], math.Float32bits(float32(v)))
			}
		}
	}
	return cut
}
