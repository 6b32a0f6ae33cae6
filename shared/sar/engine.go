package sar

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/cmplx"
	"math/rand/v2"

	"cloudcanvas/shared/fft/gpu"
)

// Where blocks are focused.
const (
	OnCPU  = "cpu"
	OnGPU  = "gpu"  // a GPU that is not there, or disagrees with the CPU, is an error
	OnAuto = "auto" // on a GPU where there is one that agrees with the CPU
)

// CUFFT names the engine on a GPU, in versions of results: its bits are others than the CPU's, whose bits are the same
// on all machines.
const CUFFT = "cufft"

// mostApart bounds the golden case: by how much the GPU's image may differ from the CPU's anywhere, in dB of the peak.
const mostApart = -90

// Engine is where blocks are focused. nil is the CPU.
type Engine struct {
	device device
	name   string
}

// device is a gpu.Device; tests have others.
type device interface {
	Focus(gpu.Block) error
	String() string
	Close()
}

// errDevice is wrapped by what a device failed with.
var errDevice = errors.New("the GPU failed")

// OpenEngine opens what a setting (cpu, gpu, auto; empty: cpu) asks for; libraries are looked for in dir, or where the
// system has them if that is empty. A GPU has to focus a small block as the CPU does first. `why` says what was chosen,
// and of auto why it is not a GPU; it is empty for the CPU that was asked for.
func OpenEngine(ctx context.Context, setting, dir string) (e *Engine, why string, err error) {
	switch setting {
	case "", OnCPU:
		return nil, "", nil
	case OnGPU, OnAuto:
	default:
		return nil, "", fmt.Errorf("echoes are focused on %q: it is %s, %s or %s", setting, OnCPU, OnGPU, OnAuto)
	}
	if e, why, err = openGPU(ctx, dir); err == nil {
		return e, why, nil
	}
	if ctx.Err() != nil || setting == OnGPU {
		return nil, "", fmt.Errorf("focusing on a GPU: %w", err)
	}
	return nil, fmt.Sprintf("echoes are focused on the CPU: %v", err), nil
}

func openGPU(ctx context.Context, dir string) (*Engine, string, error) {
	d, err := gpu.Open(dir)
	if err != nil {
		return nil, "", err
	}
	e := &Engine{device: d, name: d.String()}
	apart, err := e.golden(ctx)
	if err == nil && !(apart <= mostApart) {
		err = fmt.Errorf("%s differs from the CPU by %.1f dB of the peak, %d dB are allowed", e.name, apart, mostApart)
	}
	if err != nil {
		d.Close()
		return nil, "", err
	}
	return e, fmt.Sprintf("echoes are focused on %s, whose golden case is %.1f dB off the CPU's", e.name, apart), nil
}

// Close frees the device.
func (e *Engine) Close() {
	if e != nil {
		e.device.Close()
	}
}

// Focus is Plan.Focus on the engine. `on` is what has really made the image: CUFFT, or empty for the CPU. A block that
// the GPU can't do is done by the CPU, and `failed` says why.
func (e *Engine) Focus(ctx context.Context, p *Plan, b Block, raw []byte, gains []float32) (im *Image, on string, failed, err error) {
	if e != nil {
		im, err = p.focus(b, raw, gains, func(f *focuser) error { return e.run(ctx, f) })
		if !errors.Is(err, errDevice) {
			return im, CUFFT, nil, err
		}
		failed = err
	}
	im, err = p.Focus(ctx, b, raw, gains)
	return im, "", failed, err
}

// run is focuser.run on the device.
func (e *Engine) run(ctx context.Context, f *focuser) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	b := gpu.Block{Data: f.data, Width: f.width, Rows: f.block.Lines, Columns: f.g.columns, Split: (f.width + 1) / 2, Window: f.rangeWindow(), Factors: make([]float32, f.block.Lines)}
	b.Before, b.Middle, b.After = f.phases()
	weight := f.azimuthWeight()
	for k := range b.Factors {
		b.Factors[k] = weight(k)
	}
	if err := e.device.Focus(b); err != nil {
		return fmt.Errorf("%w: %w", errDevice, err)
	}
	return nil
}

// goldenPlan is that of a small acquisition, as from an aeroplane, whose one block is the golden case.
func goldenPlan(centroid float64, w Weighting) (*Plan, error) {
	p := Defaults()
	p.Data, p.Format, p.Lines, p.Samples = "golden", IQ16, 400, 300
	p.CarrierHz, p.PRFHz, p.SamplingHz, p.ChirpRateHzS, p.ChirpS = 10e9, 200, 100e6, 80e12, 1e-6
	p.FirstSampleSlantRangeM, p.EffectiveVelocityMS = 3000, 100
	return NewPlan(p, p.split(centroid, "given"), w, 64<<20)
}

// golden focuses a small squinted block of noise, with weights, on the device and on the CPU.
func (e *Engine) golden(ctx context.Context) (apart float64, err error) {
	plan, err := goldenPlan(1190, Weighting{Range: "hamming", Azimuth: "kaiser"})
	if err != nil {
		return 0, fmt.Errorf("the golden case: %w", err)
	}
	b := plan.Blocks[0]
	_, lines := plan.Stored(b)
	random, raw := rand.New(rand.NewPCG(1, 2)), make([]byte, lines*plan.Params.Samples*plan.Params.Format.Bytes())
	for i := range raw {
		raw[i] = byte(random.Uint32())
	}
	want, err := plan.Focus(ctx, b, raw, nil)
	if err != nil {
		return 0, fmt.Errorf("the golden case: %w", err)
	}
	got, err := plan.focus(b, raw, nil, func(f *focuser) error { return e.run(ctx, f) })
	if err != nil {
		return 0, fmt.Errorf("the golden case: %w", err)
	}
	return got.apart(want), nil
}

// apart is by how much two images differ at most, in dB of the second one's peak; +Inf where one has no numbers.
func (im *Image) apart(want *Image) float64 {
	var off, peak float64
	for i, v := range want.Pix {
		d := im.Pix[i] - v
		if cmplx.IsNaN(complex128(d)) {
			return math.Inf(1)
		}
		off, peak = max(off, math.Hypot(float64(real(d)), float64(imag(d)))), max(peak, math.Hypot(float64(real(v)), float64(imag(v))))
	}
	return 20 * math.Log10(off/peak)
}
