package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cloudcanvas/shared/budget"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// Focuser makes an image of raw radar echoes: no network, but an algorithm. An error that is not ctx's means that
// the block is at fault.
type Focuser interface {
	// Memory is how many bytes Focus takes beside the block itself, and how many the rows have, as the block's
	// header has it.
	Memory(block []byte) (work, rows int64, err error)
	// Focus gives what the block makes. It depends on the block and the engine alone.
	Focus(ctx context.Context, block []byte) (Focused, error)
}

// Focused is what a block makes: rows, as sar.RowsType, and the targets in them, as sar.TargetsType. Engine is what
// has really made them, empty for the CPU: others have other last bits, so that it is part of the results' version.
type Focused struct {
	Rows, Targets []byte
	Engine        string
}

// version is that of an algorithm which has made something of this.
func (f *Focused) version(of string) string {
	if f.Engine != "" {
		of += "-" + f.Engine
	}
	return of
}

// admitBlock takes the memory that focusing a block needs. A block is decoded when its turn has come to be
// focused, so that only what it weighs on the link is in memory before. The error is not nil only when ctx ended.
func (w *Worker) admitBlock(ctx context.Context, j *job, block []byte) error {
	item := &j.entry.Item
	switch {
	case item.Type != sar.EchoesType:
		j.poison = poison(stageTransform, "NoModel", fmt.Errorf("only echoes of a radar (%s) can be focused, %s %s is %.60q", sar.EchoesType, item.Kind, item.ID, item.Type))
		return nil
	case item.Attrs.Want != sar.WantFocus:
		j.poison = poison(stageTransform, "NoModel", fmt.Errorf("%s %s is echoes of a radar, which can be focused (want: %s), not %.40q", item.Kind, item.ID, sar.WantFocus, item.Attrs.Want))
		return nil
	case w.Focuser == nil:
		j.poison = poison(stageTransform, "NoModel", fmt.Errorf("this worker can't focus echoes of a radar"))
		return nil
	}
	if err := j.turn.await(ctx); err != nil {
		return err
	}
	var work, rows int64
	err := w.shielded(func() (err error) {
		work, rows, err = w.Focuser.Memory(block)
		return err
	})
	size := work + rows
	switch {
	case err != nil:
	case rows > w.cfg.ObjectBytes:
		err = fmt.Errorf("%w: its rows have %d bytes, %d is the limit of an object (worker.object_bytes); have the device cut shorter blocks", budget.ErrTooLarge, rows, w.cfg.ObjectBytes)
	default:
		if err = w.Memory.Check(size); err != nil {
			err = fmt.Errorf("%w; have the device cut shorter blocks, or give this worker more", err)
		}
	}
	if err != nil {
		class := "Undecodable"
		if errors.Is(err, budget.ErrTooLarge) {
			class = "TooLarge"
		}
		j.poison = poison(stageConvert, class, fmt.Errorf("%s %s (%s, %d bytes): %w", item.Kind, item.ID, item.Type, len(block), err))
		return nil
	}
	j.route, j.block = w.Models.focus, block
	give, err := w.Memory.Take(ctx, size)
	if err != nil {
		return err
	}
	ready, err := w.ahead.Take(ctx, min(size, w.ahead.Size()))
	if err != nil {
		give()
		return err
	}
	j.turn.pass(ctx)
	forgetReady, forgetRows := context.AfterFunc(ctx, ready), context.AfterFunc(ctx, give)
	j.giveBack = func() { forgetReady(); ready() }
	j.giveRows = func() { forgetRows(); give() }
	return nil
}

// focus makes the rows of a job's block. The error is not nil only when ctx ended.
func (p *loop) focus(ctx context.Context, j *job) error {
	if p.checkDeadline(j); j.skipped || j.focused.Rows != nil {
		return nil
	}
	item, block := &j.entry.Item, j.block
	j.block = nil
	began := time.Now()
	j.route.rate.begin()
	err := p.noted(ctx, []*job{j}, func() (err error) {
		j.focused, err = p.Focuser.Focus(ctx, block)
		return err
	})
	j.timings.forward = interval{began, time.Now()}
	if err == nil {
		j.route.rate.end(1)
		p.metrics.inference.WithLabelValues(j.focused.version(j.route.Name)).Observe(time.Since(began).Seconds())
		return nil
	}
	j.route.rate.end(0)
	j.focused = Focused{}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	class := "FocusFailed"
	var panicked *crashguard.Panic
	switch {
	case errors.Is(err, crashguard.ErrQuarantined):
		class = "Deadly"
	case errors.As(err, &panicked):
		class = "Panic"
	}
	j.poison = poison(stageTransform, class, fmt.Errorf("focusing %s %s (%d bytes): %w", item.Kind, item.ID, len(block), err))
	return nil
}

// blockResults are the rows of a block and the targets in them, each an item of its own: rows are large, and who
// waits for targets need not fetch them.
func blockResults(j *job) ([]event.Item, error) {
	in := &j.entry.Item
	of := func(name, version, media string, data []byte) event.Item {
		return event.Item{
			ID: event.ResultID(in.ID, name, version), Edge: in.Edge, Kind: event.Result, Stream: in.Stream, Subject: in.Subject, Time: in.Time, Priority: in.Priority,
			Attrs: event.Attrs{
				Scene: in.Attrs.Scene, Tile: in.Attrs.Tile, Model: name, ModelVersion: version,
				Want: in.Attrs.Want, Input: inputOf(in), TraceParent: in.Attrs.TraceParent, Late: j.late(),
			},
			Type: media, SHA256: event.Sum(data), Data: data,
		}
	}
	if j.skipped {
		data, err := json.Marshal(sar.Targets{Targets: []sar.Target{}, Skipped: fmt.Sprintf("its deadline, %s, had passed when its turn came", j.due.UTC().Format(time.RFC3339))})
		return []event.Item{of(sar.Detector, sar.DetectorVersion, sar.TargetsType, data)}, err
	}
	return []event.Item{
		of(sar.Algorithm, j.focused.version(sar.AlgorithmVersion), sar.RowsType, j.focused.Rows),
		of(sar.Detector, j.focused.version(sar.DetectorVersion), sar.TargetsType, j.focused.Targets),
	}, nil
}
