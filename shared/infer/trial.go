package infer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"cloudcanvas/shared/model"
)

// A trial's time: enough passes for the best to be steady, few enough for a start in seconds.
const (
	trialPasses = 7
	trialTime   = 800 * time.Millisecond
)

// gpuMemory is the least that a network on a CUDA device takes there (its weights and its context's
// buffers); one that took less ran on the CPU, whatever it was asked to do.
const gpuMemory = 1 << 20

// candidate is an engine with the session that its trial ran in.
type candidate struct {
	engine
	first session
	ms    float64 // its best pass
}

// pass computes what was bound last once more. Of a nil candidate it is nothing.
func (c *candidate) pass() error {
	if c == nil {
		return nil
	}
	at := time.Now()
	_, err := c.first.forward()
	c.ms = min(c.ms, ms(time.Since(at)))
	return err
}

// hopeless says whether a pass of so many milliseconds is too slow for more to be looked at.
func (c *candidate) hopeless(pass float64) bool { return c != nil && pass > 1.5*c.ms }

func (c *candidate) close() {
	if c == nil {
		return
	}
	if c.first != nil {
		c.first.close()
	}
	c.engine.close()
}

// fastest tries the engines one after the other and leaves the best one open: each against the best
// so far, pass by pass, so that both see the machine as busy as it is. The report gets every trial;
// reasons are the errors of those that failed.
func (f *file) fastest(ctx context.Context, names []string, l Layout, r *Report) (best *candidate, reasons []error) {
	trials := f.trier(l)
	defer trials.close()
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			best.close()
			return nil, append(reasons, err)
		}
		trial := Trial{Engine: name}
		passes := trialPasses
		if len(names) == 1 { // nothing to compare with
			passes = 1
		}
		full := l.withDefaults(name, f.model.Input.Batch)
		var c *candidate
		err := trials.admit(ctx, name, full, &trial)
		if err == nil {
			c, err = f.try(name, full, passes, best, &trial)
			if err != nil && f.keptAs(specOf(name), full).forget() { // which may be all that is wrong
				c, err = f.try(name, full, passes, best, &trial)
			}
		}
		known := slices.IndexFunc(r.Trials, func(t Trial) bool { return t.Engine == r.Engine })
		if best != nil {
			r.Ms, r.Trials[known].Ms = best.ms, best.ms
		}
		switch {
		case err != nil:
			trial.Reason = err.Error()
			reasons = append(reasons, fmt.Errorf("%s: %w", name, err))
		case best == nil || trial.Ms < r.Ms:
			if best != nil {
				best.close()
				r.Trials[known].Reason = fmt.Sprintf("slower than %s", name)
			}
			best = c
			r.Engine, r.Device, r.Golden, r.Ms = name, trial.Device, trial.Golden, trial.Ms
		default:
			c.close()
			trial.Reason = "slower than " + r.Engine
		}
		r.Trials = append(r.Trials, trial)
	}
	return best, reasons
}

// try opens an engine, compares it with the golden case and times it beside the best so far, by so many
// passes at most.
func (f *file) try(name string, l Layout, passes int, best *candidate, t *Trial) (_ *candidate, err error) {
	freeBefore := int64(-1)
	if s := specOf(name); s != nil && s.fallsBack {
		freeBefore = cudaFree()
	}
	e, err := f.open(name, l)
	if err != nil {
		return nil, err
	}
	c := &candidate{engine: e, ms: math.Inf(1)}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	t.Device = e.device()
	s, err := e.session()
	if err != nil {
		return nil, err
	}
	c.first = s
	at := time.Now()
	if err := f.golden(s, name, t); err != nil {
		return nil, err
	}
	first := time.Since(at)
	if freeBefore >= 0 && freeBefore-cudaFree() < gpuMemory {
		return nil, fmt.Errorf("%w: it took no memory of %s, so it ran on the CPU", ErrUnavailable, t.Device)
	}
	if best.hopeless(ms(first) / 2) { // the first pass lays out memory as well
		t.Ms = ms(first)
		return c, nil
	}
	for pass, began := 0, time.Now(); pass < passes && (pass == 0 || time.Since(began) < trialTime && !best.hopeless(c.ms)); pass++ {
		if err := c.pass(); err != nil {
			return nil, err
		}
		best.pass() // it has shown that it can
	}
	t.Ms = c.ms
	return c, nil
}

// golden runs the golden case, or without one a made picture that must give finite numbers, and lets the
// decoder read what comes out.
func (f *file) golden(s session, name string, t *Trial) error {
	known := f.model.Case
	if specOf(name).int8 {
		known = &f.model.Int8.Golden // what it gave where it was made, not what float gives
	}
	in := f.trialInput(known)
	input, err := s.bind(in.Shape[0], in.Shape[2], in.Shape[3])
	if err != nil {
		return err
	}
	if len(input) != in.Shape[0]*in.Shape[1]*in.Shape[2]*in.Shape[3] {
		return fmt.Errorf("golden case of %s: its input is %v, the manifest has %d channels", f.model.Name, in.Shape, f.model.Input.Channels())
	}
	in.Fill(input)
	out, err := s.forward()
	if err != nil {
		return err
	}
	t.Golden = goldenNone
	if known == nil {
		if err := f.asTheFileSays(name); err != nil {
			return err
		}
		for _, o := range out {
			if slices.ContainsFunc(o.data, func(v float32) bool { return math.IsNaN(float64(v)) }) {
				return fmt.Errorf("%w: output %s is not a number", ErrDisagrees, o.name)
			}
		}
		return f.suits(out, in)
	}
	t.Golden = goldenMismatch
	tolerance := known.Tolerance
	if specOf(name).half {
		tolerance = known.Half
	}
	var wrong []error
	for _, want := range known.Outputs {
		i := slices.IndexFunc(out, func(o tensor) bool { return o.name == want.Name })
		if i < 0 {
			continue // an output that the decoder does not use
		}
		if !slices.Equal(out[i].shape, want.Shape) {
			wrong = append(wrong, fmt.Errorf("output %s is %v, should be %v", want.Name, out[i].shape, want.Shape))
		} else if err := want.Compare(out[i].data, tolerance); err != nil {
			wrong = append(wrong, err)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%w: %w", ErrDisagrees, errors.Join(wrong...))
	}
	if err := f.suits(out, in); err != nil {
		return err
	}
	t.Golden = goldenMatch
	return nil
}

// asTheFileSays refuses an engine for a file that computes in 8 bits itself, where no golden case shows that it
// rounds as the file says. ONNX Runtime does; OpenVINO was seen to give scores that are off by 0.13.
func (f *file) asTheFileSays(engine string) error {
	if f.quantised && !specOf(engine).exact8 {
		return fmt.Errorf("%w: the file computes in 8 bits, which %s may round otherwise than it says; give the model a golden case, or use onnxruntime-cpu", ErrUnavailable, engine)
	}
	return nil
}

// trialInput is the golden case's, or the smallest that the manifest allows.
func (f *file) trialInput(known *model.Golden) model.GoldenInput {
	if known != nil {
		return known.Input
	}
	in := f.model.Input
	w, h := in.MultipleOf, in.MultipleOf
	if len(in.Size) == 2 {
		w, h = in.Size[0], in.Size[1]
	}
	made := model.GoldenInput{Shape: []int{1, in.Channels(), h, w}, Layout: in.Layout, High: 1}
	if len(in.Bands) == 0 { // as bright as pictures are
		scale, offset := in.Affine(0)
		made.Low, made.High = float32(offset), float32(255*scale+offset)
	}
	return made
}
