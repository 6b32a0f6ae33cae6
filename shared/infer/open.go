package infer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/onnx"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/quantise"
	"cloudcanvas/shared/vision"
)

// Open loads m. want is an engine's name, or Auto (or "") for the fastest that agrees with the golden
// case. The file's sha256 is checked first, and a file that the project does not know is read and run by a
// child process before this one reads it (see child.go). The Report has every trial, also with an error.
func Open(ctx context.Context, m model.Model, want string, l Layout, log *slog.Logger) (*Network, Report, error) {
	report := Report{Model: m.Name, Version: m.Version}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if m.Builtin != "" {
		return openPeople(m, want, l, report)
	}
	f, err := readFile(m)
	if err != nil {
		return nil, report, err
	}
	f.log = log
	poolFor(nil, 0)
	tries := []string{want}
	if want == Auto || want == "" {
		tries = Engines()
	} else if specOf(want) == nil {
		return nil, report, fmt.Errorf("model %s: no engine %q; use %s or %s", m.Name, want, Auto, strings.Join(Engines(), ", "))
	}
	best, err := f.choose(ctx, tries, l, &report)
	if err != nil {
		return nil, report, err
	}
	report.Layout = l.withDefaults(report.Engine, m.Input.Batch)
	n, err := f.start(best, report.Layout)
	if err != nil {
		return nil, report, err
	}
	log.Info("a network is loaded", "model", m.Name, "version", m.Version, "engine", report.Engine, "device", report.Device,
		"golden", report.Golden, "ms", report.Ms, "trial", report.when(), "sessions", report.Layout.Sessions, "threads", report.Layout.Threads)
	for _, t := range report.Trials {
		if t.Reason != "" {
			log.Debug("an engine is not used for a network", "model", m.Name, "engine", t.Engine, "reason", t.Reason)
		}
	}
	return n, report, nil
}

func openPeople(m model.Model, want string, l Layout, report Report) (*Network, Report, error) {
	if want != Auto && want != "" && want != OpenCVCPU {
		return nil, report, fmt.Errorf("model %s: %w: it is part of OpenCV and runs on %s only", m.Name, ErrUnavailable, OpenCVCPU)
	}
	report.Engine, report.Device, report.Golden = OpenCVCPU, cpuName(), goldenNone
	report.Layout = l.withDefaults(OpenCVCPU, 1)
	workers := make([]worker, report.Layout.Sessions)
	for i := range workers {
		workers[i] = newPeopleWorker(m.Manifest)
	}
	start0 := time.Now()
	if _, err := people(&vision.Image{W: 320, H: 240, Pix: make([]byte, 320*240*3)}, 0, hogScale); err != nil {
		return nil, report, err
	}
	report.Ms = ms(time.Since(start0))
	report.Trials = []Trial{{Engine: OpenCVCPU, Device: report.Device, Golden: goldenNone, Ms: report.Ms}}
	return start(workers, report.Layout, func() {}), report, nil
}

// readFile reads a model's bytes once, checks them, and finds the names of its input and outputs.
func readFile(m model.Model) (*file, error) {
	data, sig, err := onnx.Read(m.Path)
	if err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	if err := m.VerifyBytes(data); err != nil {
		return nil, err
	}
	known, err := model.Known()
	if err != nil {
		return nil, err
	}
	if m.Output.Labels, err = model.LabelsIn(data, m.Output.Labels); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	sum := sha256.Sum256(data)
	f := &file{model: m, sum: hex.EncodeToString(sum[:]), log: slog.New(slog.DiscardHandler)}
	if err := f.adapt(data, sig); err != nil {
		return nil, fmt.Errorf("model %s: %w", m.Name, err)
	}
	f.known = m.SHA256 != "" && slices.ContainsFunc(known, func(k model.Model) bool { return usedAs(k, m) })
	return f, nil
}

// adapt gives the engines the file as they are fed, and finds the names of what goes in and comes out.
func (f *file) adapt(data []byte, sig onnx.Signature) error {
	for _, in := range sig.Inputs {
		if err := f.fits(in); len(in.Shape) >= 3 && err != nil {
			return fmt.Errorf("%w: %w", ErrMisfit, err)
		}
		if len(in.Shape) == 4 {
			f.batch = max(in.Shape[0], 1)
		}
	}
	var size [2]int
	if s := f.model.Input.Size; len(s) == 2 {
		size = [2]int{s[0], s[1]}
	}
	data, fed, err := onnx.Adapt(data, sig, size)
	if err != nil {
		return fmt.Errorf("%s %w", f.model.Path, err)
	}
	f.task = onnx.TaskOf(data)
	nodes, _, err := onnx.Nodes(data)
	if err != nil {
		return fmt.Errorf("%s: %w", f.model.Path, err)
	}
	f.quantised = slices.ContainsFunc(nodes, func(n onnx.Node) bool { return n.Op == "QuantizeLinear" || n.Op == "QLinearConv" })
	f.data, f.inputs, f.outputs = data, fed.Inputs[0].Name, nil
	given := map[string]string{}
	var names []string
	for _, o := range fed.Outputs {
		given[onnx.Plain(o.Name)] = o.Name
		names = append(names, onnx.Plain(o.Name))
		f.outputs = append(f.outputs, o.Name)
	}
	if want := f.model.Output.Tensors; len(want) > 0 {
		f.outputs = nil
		for _, name := range want {
			if given[name] == "" {
				return fmt.Errorf("output.tensors names %q; the file has %v", name, names)
			}
			f.outputs = append(f.outputs, given[name])
		}
	}
	return nil
}

// usedAs says whether a model is one of the project's, and is given what that is given.
func usedAs(known, m model.Model) bool {
	return known.SHA256 == m.SHA256 && reflect.DeepEqual(known.Input, m.Input) &&
		(m.Case == nil || known.Case != nil && reflect.DeepEqual(known.Case.Input, m.Case.Input))
}

// fits compares the manifest's input with the file's, so that the mistake is said in words.
func (f *file) fits(in onnx.TensorInfo) error {
	spec := f.model.Input
	n, h, w := spec.Batch, -1, -1
	if len(spec.Size) == 2 {
		w, h = spec.Size[0], spec.Size[1]
	}
	said := f.shape4(n, h, w)
	if len(in.Shape) != 0 && len(in.Shape) != 4 && len(in.Shape) != 3 {
		return fmt.Errorf("the file's input %s is %v, not an image", in.Name, in.Shape)
	}
	shape := in.Shape
	if len(shape) == 3 { // one picture
		shape = append([]int{1}, shape...)
	}
	if scale, offset := spec.Affine(0); in.Type == onnx.Uint8 && len(spec.Bands) == 0 && (scale != 1 || offset != 0) {
		return fmt.Errorf("the file's input %s takes pixels as bytes, the manifest makes %.3g to %.3g of them; leave out scale, mean and std", in.Name, offset, 255*scale+offset)
	}
	for i, d := range shape {
		if d > 0 && said[i] > 0 && d != said[i] {
			return fmt.Errorf("the file's input %s is %v, the manifest says %v (%s); correct size, bands, layout or batch", in.Name, in.Shape, said, spec.Layout)
		}
	}
	return nil
}

// start makes the sessions and their goroutines.
func (f *file) start(e *candidate, l Layout) (*Network, error) {
	var workers []worker
	fail := func(err error) (*Network, error) {
		for _, w := range workers {
			w.close()
		}
		e.close()
		return nil, fmt.Errorf("model %s: %w", f.model.Name, err)
	}
	plan := newPlan(f.model.Input)
	for range l.Sessions {
		d, err := newDecoder(f.model.Manifest)
		if err != nil {
			return fail(err)
		}
		s := e.first
		if e.first = nil; s == nil {
			if s, err = e.session(); err != nil {
				return fail(err)
			}
		}
		workers = append(workers, &netWorker{plan: plan, session: s, decoder: d})
	}
	f.data, f.small = nil, nil // the engines have their own copies now
	return start(workers, l, e.close), nil
}

// planned says whether there is a plan for 8 bits that belongs to these weights: ranges of others would be
// wrong without anybody noticing.
func (f *file) planned() error {
	plan := f.model.Int8
	if plan == nil {
		return fmt.Errorf("%w: model %s has no int8.json; canvas-edge models quantise %s makes one from pictures of yours", ErrUnavailable, f.model.Name, f.model.Name)
	}
	if f.sum != plan.SHA256 {
		return fmt.Errorf("%w: int8.json of model %s belongs to other weights (sha256 %.12s…); canvas-edge models quantise %s makes one for these", ErrUnavailable, f.model.Name, plan.SHA256, f.model.Name)
	}
	return nil
}

// inInt8 makes the file with convolutions in 8 bits, once.
func (f *file) inInt8() ([]byte, error) {
	if f.small != nil {
		return f.small, nil
	}
	small, err := quantise.Rewrite(f.data, *f.model.Int8)
	if err != nil {
		return nil, fmt.Errorf("%w: model %s in 8 bits: %w", ErrUnavailable, f.model.Name, err)
	}
	f.small = small
	return small, nil
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
