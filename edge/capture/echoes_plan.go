package capture

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/sar"
)

// open opens the echoes and decides how they are cut.
func (f *EchoesFile) open(ctx context.Context) (*sar.Echoes, *EchoesInfo, error) {
	echoes, err := sar.Open(f.path)
	if err != nil {
		return nil, nil, oneLine{err}
	}
	info, err := f.study(ctx, echoes)
	if err != nil {
		echoes.Close()
		return nil, nil, oneLine{fmt.Errorf("echoes %s: %w", f.path, err)}
	}
	return echoes, info, nil
}

// oneLine is an error in one line: what is said of a configuration has a line for the advice.
type oneLine struct{ error }

func (e oneLine) Error() string {
	return strings.Join(strings.FieldsFunc(strings.ReplaceAll(e.error.Error(), "\n    ", "; "), func(r rune) bool { return r == '\n' }), ", ")
}

func (e oneLine) Unwrap() error { return e.error }

func (f *EchoesFile) study(ctx context.Context, echoes *sar.Echoes) (*EchoesInfo, error) {
	if f.options.DopplerCentroidHz != nil {
		echoes.Params.DopplerCentroidHz = f.options.DopplerCentroidHz
		if err := echoes.Params.Check(); err != nil {
			return nil, err
		}
	}
	centroid, err := sar.EstimateCentroid(ctx, echoes)
	if err != nil {
		return nil, err
	}
	plan, err := PlanEchoes(echoes.Params, centroid, sar.Weighting(f.options.Weighting), f.options.Memory)
	if err != nil {
		return nil, err
	}
	info := &EchoesInfo{ID: f.id, Path: f.path, Plan: plan, Captured: echoes.Params.StartTime}
	data, err := os.Stat(filepath.Join(filepath.Dir(f.path), echoes.Params.Data))
	if err != nil {
		return nil, fmt.Errorf("data: %w", err)
	}
	info.FileBytes = data.Size()
	timeFrom := "file"
	if info.Captured.IsZero() {
		info.Captured, timeFrom = data.ModTime().UTC(), event.Assumed
	}
	info.Facts = facts(plan, f.options, info.Captured, timeFrom)
	if echoes.Params.EffectiveVelocityMS == 0 {
		info.Facts = append(info.Facts, event.SceneFact{What: "effective_velocity", Value: fmt.Sprintf("%.2f m/s", plan.Params.EffectiveVelocityMS), From: "orbit"})
	}
	return info, nil
}

// inspect looks at all numbers once: of what can't be focused nothing is sent.
func (i *EchoesInfo) inspect(ctx context.Context, echoes *sar.Echoes) error {
	quality, err := echoes.Inspect(ctx)
	if err != nil {
		return err
	}
	for _, warning := range quality.Warnings() {
		i.Facts = append(i.Facts, event.SceneFact{What: event.Implausible, Value: warning, From: "echoes"})
	}
	if echoes.Params.DopplerCentroidHz == nil {
		return nil
	}
	doubt, err := i.Plan.Centroid.Doubt(ctx, echoes)
	if err == nil && doubt != "" {
		i.Facts = append(i.Facts, event.SceneFact{What: event.Implausible, Value: doubt, From: "echoes"})
	}
	return err
}

// facts are what focusing rests on, and where each was found.
func facts(plan *sar.Plan, o EchoesOptions, captured time.Time, timeFrom string) []event.SceneFact {
	c, from := plan.Centroid, "echoes"
	switch {
	case o.DopplerCentroidHz != nil:
		from = "option"
	case plan.Params.DopplerCentroidHz != nil:
		from = "file"
	}
	all := []event.SceneFact{
		{What: "doppler_centroid", Value: fmt.Sprintf("%.2f Hz: %.2f Hz and %d times the PRF", c.Hz, c.BasebandHz, c.Ambiguity), From: from},
		{What: "weighting", Value: fmt.Sprintf("%s in range, %s in azimuth", plan.Weights.Range, plan.Weights.Azimuth), From: "option"},
		{What: "time", Value: captured.UTC().Format(time.RFC3339Nano), From: timeFrom},
	}
	if plan.Params.Simulated {
		all = append(all, event.SceneFact{What: "simulated", Value: "nobody took these echoes: they were simulated", From: "file"})
	}
	return all
}

// Bounds of a block as an item, and of the rows that are made of it, which are one too. Lines of a block overlap those of
// its neighbours by an aperture and more, so small blocks send many lines twice; what handles an item holds it in
// memory, and takes 256 MiB.
const (
	wantedBlockBytes = 16 << 20 // of lines
	mostBlockBytes   = 160 << 20
	mostRowBytes     = 224 << 20
	mostWorkerBytes  = 900 << 20 // that a worker needs for a block, which has 1 GiB (decode_bytes)
	mostSentTwice    = 0.25      // of the lines
	leastPlanMemory  = 1 << 20
)

// PlanEchoes cuts an acquisition into blocks whose items have some 16 MiB, or more where so small ones would send more than
// a quarter of the lines twice.
func PlanEchoes(p sar.Params, c sar.Centroid, w sar.Weighting, memory int64) (best *sar.Plan, err error) {
	refused := ""
	for m := memory; m >= leastPlanMemory; m -= m / 8 {
		plan, err := sar.NewPlan(p, c, w, m)
		if err != nil && best == nil && refused == "" {
			return nil, err
		} else if err != nil {
			break
		}
		cost := costOf(plan)
		if why := cost.tooMuch(); why != "" {
			refused = why
			continue
		}
		if best != nil && float64(cost.lines) > (1+mostSentTwice)*float64(p.Lines) {
			break
		}
		if best = plan; cost.raw <= wantedBlockBytes {
			break
		}
	}
	if best == nil {
		return nil, fmt.Errorf("samples: of the smallest blocks that can be focused %s: cut the lines into swaths of fewer samples", refused)
	}
	return best, nil
}

// planCost is what the largest block of a plan takes, and how many lines all have together.
type planCost struct {
	raw, rows, worker int64 // bytes
	lines             int
}

func costOf(plan *sar.Plan) (c planCost) {
	line := int64(plan.Params.Samples) * int64(plan.Params.Format.Bytes())
	for _, b := range plan.Blocks {
		_, n := plan.Stored(b)
		c.raw, c.rows, c.worker = max(c.raw, int64(n)*line), max(c.rows, plan.RowsBytes(b)), max(c.worker, plan.Memory(b)+plan.RowsBytes(b))
		c.lines += n
	}
	return c
}

// tooMuch says which bound is passed; "" where none is.
func (c planCost) tooMuch() string {
	for _, bound := range []struct {
		what     string
		is, most int64
	}{{"lines", c.raw, mostBlockBytes}, {"rows", c.rows, mostRowBytes}, {"what a worker needs", c.worker, mostWorkerBytes}} {
		if bound.is > bound.most {
			return fmt.Sprintf("the %s have %d MiB, and %d are possible", bound.what, bound.is>>20, bound.most>>20)
		}
	}
	return ""
}
