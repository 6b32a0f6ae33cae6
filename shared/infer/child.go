package infer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"cloudcanvas/shared/infer/trial"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/onnx"
	"cloudcanvas/shared/telemetry"
)

// ErrRefused says that an engine crashed, hung or took all memory when a child process tried the model in
// it: it is not tried again.
var ErrRefused = errors.New("the model was refused after its trial")

// A program with this package in it can be its own child, for these questions.
const trialsOf = "networks"

func init() { trial.Serve(trialsOf, answerTrials) }

// A trial's bounds, where the layout has none: honest networks read and run within a tenth of them, on a
// Raspberry Pi as well.
const (
	trialCPU        = 30 * time.Second // and a second for each MB of the file and each million values of its input
	trialPatience   = 4                // so many times as long by the clock: the machine has other work
	trialMemory     = 1 << 30          // and so many times the file and its input:
	trialPerByte    = 16
	trialPerInput   = 128
	trialOnGPU      = 8 << 30 // of the machine's own memory, for a GPU's driver
	trialShare      = 0.8     // of the memory that is free, at most
	trialData       = 4       // what may be asked for, against what may be used …
	trialDataBeside = 8 << 30 // … and for stacks that are never touched
)

// trialFile is a file as a child gets it. The parent has looked through it.
type trialFile struct {
	Model model.Model `json:"model"`
	Sum   string      `json:"sum"`
}

type trialQuestion struct {
	Engine  string `json:"engine"`
	Layout  Layout `json:"layout"`
	Runtime string `json:"runtime"` // Layout's, which is nobody's else to read
}

type trialAnswer struct {
	Golden string `json:"golden"`
	Kind   string `json:"kind,omitempty"` // of error: unavailable, misfit, disagrees or other; empty: it passed
	Error  string `json:"error,omitempty"`
}

// answerTrials is the child: it reads a file into the engines it is asked for, one after the other.
func answerTrials(questions *json.Decoder, answers *json.Encoder) error {
	var tf trialFile
	if err := questions.Decode(&tf); err != nil {
		return err
	}
	if err := answers.Encode(true); err != nil {
		return err
	}
	for {
		var q trialQuestion
		if err := questions.Decode(&q); err != nil {
			return err
		}
		if err := answers.Encode(tf.try(q)); err != nil {
			return err
		}
	}
}

func (tf trialFile) try(q trialQuestion) trialAnswer {
	data, err := os.ReadFile(tf.Model.Path)
	if err != nil {
		return trialAnswer{Kind: "other", Error: err.Error()}
	}
	sum := sha256.Sum256(data)
	if hex.EncodeToString(sum[:]) != tf.Sum {
		return trialAnswer{Kind: "other", Error: tf.Model.Path + " changed while it was on trial"}
	}
	f := &file{model: tf.Model, sum: tf.Sum, log: slog.New(slog.DiscardHandler)}
	sig, err := onnx.ParseSignature(data)
	if err == nil {
		err = f.adapt(data, sig)
	}
	if err != nil {
		return trialAnswer{Kind: "other", Error: err.Error()}
	}
	poolFor(nil, 0)
	q.Layout.Runtime = q.Runtime
	var t Trial
	c, err := f.try(q.Engine, q.Layout, 1, nil, &t)
	if err == nil {
		c.close()
		return trialAnswer{Golden: t.Golden}
	}
	kind := "other"
	switch {
	case errors.Is(err, ErrUnavailable):
		kind = "unavailable"
	case errors.Is(err, ErrMisfit):
		kind = "misfit"
	case errors.Is(err, ErrDisagrees):
		kind = "disagrees"
	}
	return trialAnswer{Golden: t.Golden, Kind: kind, Error: err.Error()}
}

// trier lets a child try a file in one engine after the other. Only what is passed there is read here.
type trier struct {
	file    *file
	journal trial.Journal
	child   *trial.Child
	onGPU   bool // the child may use one
}

func (f *file) trier(l Layout) *trier {
	t := &trier{file: f, journal: trial.Journal{Dir: l.Trials}}
	if l.Trials == "" {
		t.journal.Dir = l.Remember
	}
	return t
}

// tryAlone is a trial in one engine, for callers that open it themselves. Nothing is remembered of it.
func (f *file) tryAlone(ctx context.Context, engine string, l Layout) error {
	t := f.trier(Layout{})
	defer t.close()
	return t.admit(ctx, engine, l.withDefaults(engine, f.model.Input.Batch), &Trial{})
}

// Try lets a child process read and run a model in every engine that is here, without reading it in this
// one. It is nil where one of them answers rightly, and for the project's own models, which have answered.
func Try(ctx context.Context, m model.Model, l Layout) error {
	if m.Builtin != "" {
		return nil
	}
	f, err := readFile(m)
	if err != nil || f.known {
		return err
	}
	t := f.trier(l)
	defer t.close()
	var reasons []error
	for _, engine := range Engines() {
		full := l.withDefaults(engine, m.Input.Batch)
		if !f.here(engine, full) {
			continue
		}
		err := t.admit(ctx, engine, full, &Trial{})
		if err == nil || ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, ErrMisfit) { // of the file, whatever reads it
			return fmt.Errorf("model %s: %w", m.Name, err)
		}
		reasons = append(reasons, fmt.Errorf("%s: %w", engine, err))
	}
	return fmt.Errorf("model %s: no engine can run it: %w", m.Name, errors.Join(reasons...))
}

func (t *trier) close() {
	if t.child != nil {
		t.child.Close()
		t.child = nil
	}
}

// admit says whether an engine may read the file in this process. The project's own models, known by
// their sha256, have been read by every engine before.
func (t *trier) admit(ctx context.Context, engine string, l Layout, r *Trial) error {
	if t.file.known || !t.file.here(engine, l) {
		return nil
	}
	e := t.entry(engine, l)
	switch was := t.journal.Find(e); was.Outcome {
	case trial.Passed:
		return nil
	case trial.Refused:
		return fmt.Errorf("%w: %s; remove %s to have it tried again", ErrRefused, was.Reason, t.journal.Path(e))
	default:
		e.Cut = was.Cut
	}
	if err := t.journal.Begin(e); err != nil {
		t.file.log.Warn("the trial of a model could not be written down; it is made again at the next start", "model", t.file.model.Name, telemetry.Err, err)
	}
	bounds, lean := t.bounds(engine, l)
	answer, err := t.ask(ctx, engine, l, bounds)
	var died *trial.Failure
	switch {
	case errors.As(err, &died) && lean && ctx.Err() == nil:
		t.journal.Drop(e)
		return fmt.Errorf("%w: %s, and this machine has no more to spare now", ErrRefused, died.How)
	case errors.As(err, &died):
		reason := "when a process of its own read and ran it, " + died.How
		return errors.Join(fmt.Errorf("%w: %s", ErrRefused, reason), t.journal.Settle(e, trial.Refused, reason))
	case err != nil:
		t.journal.Drop(e)
		return err
	}
	r.Golden = answer.Golden
	if answer.Kind == "" {
		t.journal.Settle(e, trial.Passed, "") // likewise
		return nil
	}
	t.journal.Drop(e)
	switch answer.Kind {
	case "unavailable":
		return childError{answer.Error, ErrUnavailable}
	case "misfit":
		return childError{answer.Error, ErrMisfit}
	case "disagrees":
		return childError{answer.Error, ErrDisagrees}
	}
	return errors.New(answer.Error)
}

// childError is what a child answered, and which of this package's errors it was.
type childError struct {
	words string
	kind  error
}

func (s childError) Error() string { return s.words }
func (s childError) Unwrap() error { return s.kind }

// ask puts the question to the child, and starts one where there is none.
func (t *trier) ask(ctx context.Context, engine string, l Layout, b trial.Bounds) (answer trialAnswer, err error) {
	if err := ctx.Err(); err != nil {
		return answer, err
	}
	if t.child != nil && onGPU(engine) && !t.onGPU {
		t.close() // it has limits that a GPU's driver does not keep to
	}
	if t.child == nil {
		if err := t.start(ctx, onGPU(engine), b); err != nil {
			return answer, err
		}
	}
	l.Sessions, l.Queue = 1, 1
	err = t.child.Ask(ctx, trialQuestion{engine, l, l.Runtime}, &answer, b)
	if err != nil {
		t.child = nil
	}
	return answer, err
}

func (t *trier) start(ctx context.Context, gpu bool, b trial.Bounds) (err error) {
	limits := trial.Limits{For: trialsOf, CPU: b.CPU * time.Duration(len(Engines())+1)}
	if !gpu {
		limits.Data = b.Memory*trialData + trialDataBeside
	}
	if t.child, err = trial.Start(limits); err != nil {
		return err
	}
	t.onGPU = gpu
	tf := trialFile{Model: t.file.model, Sum: t.file.sum}
	tf.Model.Signature = nil
	if tf.Model.Path, err = filepath.Abs(tf.Model.Path); err != nil {
		return err
	}
	var accepted bool
	if err = t.child.Ask(ctx, tf, &accepted, b); err != nil {
		t.child = nil
	}
	return err
}

// bounds are a trial's. lean: the machine has less memory free than the model may take.
func (t *trier) bounds(engine string, l Layout) (b trial.Bounds, lean bool) {
	in := t.file.trialInput(t.file.model.Case).Shape
	values := int64(in[0]) * int64(in[1]) * int64(in[2]) * int64(in[3])
	size := int64(len(t.file.data))
	b.CPU = l.TrialTime
	if b.CPU == 0 {
		b.CPU = trialCPU + time.Duration(size+values)*time.Second/1e6
	}
	b.Wall = trialPatience * b.CPU
	b.Memory = l.TrialMemory
	if b.Memory == 0 {
		b.Memory = trialMemory + trialPerByte*size + trialPerInput*4*values
		if onGPU(engine) {
			b.Memory += trialOnGPU
		}
	}
	if free := int64(trialShare * float64(trial.Available())); free > 0 && free < b.Memory {
		b.Memory, lean = free, true
	}
	return b, lean
}

// entry tells this trial from others: by the file, the engine, its library, the machine, and what goes in.
func (t *trier) entry(engine string, l Layout) trial.Entry {
	f := t.file
	h := sha256.New()
	fmt.Fprintln(h, f.identity(specOf(engine).library.version(l.Runtime)), f.outputs, l.Threads, l.MaxBatch)
	json.NewEncoder(h).Encode([]any{f.model.Input, f.model.Output, f.model.Case}) // a decoder that fits is what passed
	return trial.Entry{Model: f.model.Name, Version: f.model.Version, SHA256: f.sum, Engine: engine, Key: hex.EncodeToString(h.Sum(nil)[:8])}
}
