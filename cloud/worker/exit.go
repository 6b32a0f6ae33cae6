package worker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/cloud/coord"
	"cloudcanvas/cloud/queue"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// ExitReportsDocument is where workers report how their last run ended. The coordinator keeps it under its
// first name.
const ExitReportsDocument = "worker-deaths"

// A worker that crashes can't say on which item, and whoever takes over its partitions can't know. So it
// reports it when it starts again, before it owns anything: how its last run ended, and on which items it
// crashed, alone in hand and of itself. docs/delivery.md explains what that is.
type exitReport struct {
	Run   string    `json:"run"` // that ended
	End   string    `json:"end"` // see crashguard.Death
	Why   string    `json:"why"`
	Items []string  `json:"items,omitempty"` // keys of items
	At    time.Time `json:"at"`              // when it was reported
}

// Bounds of what workers report.
const (
	mostReports = 256
	maxWhy      = 300 // bytes
	maxUnknown  = 8   // exits with one item alone in hand that nobody explained; then it is given up
)

// reportLastExit reports how the process before this one ended. It tries until that is written: an owner
// without the report would try again what crashed us.
func (w *Worker) reportLastExit(ctx context.Context) error {
	last := w.Attempts.LastEnd()
	if w.ExitReports == nil || last.Run == "" {
		return nil
	}
	why := last.Why[:min(len(last.Why), maxWhy)]
	report := exitReport{Run: last.Run, End: last.End, Why: why, Items: last.Alone, At: w.now().UTC()}
	w.Log.Info("the worker reports how its last run ended", "end", report.End, telemetry.Err, report.Why, "items", len(report.Items))
	return w.retry(ctx, "reporting how the worker's last run ended", func() error {
		reports, version, err := readReports(ctx, w.ExitReports)
		if err != nil {
			return err
		}
		reports = slices.DeleteFunc(reports, func(r exitReport) bool { return r.Run == report.Run })
		reports = append(reports, report)
		data, err := json.Marshal(reports[max(0, len(reports)-mostReports):])
		if err != nil {
			return fmt.Errorf("writing how a worker ended: %w", err)
		}
		_, err = w.ExitReports.Put(ctx, data, version)
		return err
	})
}

func readReports(ctx context.Context, d coord.Document) (reports []exitReport, version int64, err error) {
	data, version, err := d.Get(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(data) > 0 && json.Unmarshal(data, &reports) != nil {
		reports = nil // of a program that is not this one: written anew
	}
	return reports, version, nil
}

// errCrashedOnIt and errUnexplained are the reasons of dead letters.
var (
	errCrashedOnIt = errors.New("a worker crashed on the item, with nothing else in hand")
	errUnexplained = errors.New("runs of workers ended with only this item in hand, and none has reported why; start each worker with an attempts.folder that outlives it")
)

// checkExits says of an item that was alone in hand at the ends of those runs whether it caused one, and
// for which nobody knows. A kill from outside says nothing against the items in hand.
func (p *loop) checkExits(ctx context.Context, runs []string, e *queue.Entry) (unknown []string, guilty error) {
	var reports []exitReport
	if p.ExitReports != nil {
		err := p.retry(ctx, "reading how workers ended", func() (err error) {
			reports, _, err = readReports(ctx, p.ExitReports)
			return err
		})
		if err != nil {
			return runs, nil
		}
	}
	for _, run := range runs {
		at := slices.IndexFunc(reports, func(r exitReport) bool { return r.Run == run })
		switch {
		case at < 0:
			unknown = append(unknown, run)
		case slices.Contains(reports[at].Items, attemptKey(&e.Item)):
			return nil, fmt.Errorf("%w: %s; the item is not tried again", errCrashedOnIt, reports[at].Why)
		}
	}
	if len(unknown) >= maxUnknown {
		return nil, fmt.Errorf("%d %w", len(unknown), errUnexplained)
	}
	return unknown, nil
}

// attemptKey is an item's identity in the crash journal.
func attemptKey(i *event.Item) string { return "work:" + i.ID.String() }

func (j *job) input() crashguard.Input {
	i := &j.entry.Item
	return crashguard.Input{Source: i.Stream, Name: i.Subject, Key: attemptKey(i), What: i.Type, Alone: j.alone}
}

// noted does something in native code with jobs, which are noted meanwhile.
func (w *Worker) noted(ctx context.Context, jobs []*job, do func() error) error {
	var done func()
	var err error
	if len(jobs) == 1 {
		done, err = w.Attempts.Begin(ctx, jobs[0].input())
	} else {
		inputs := make([]crashguard.Input, len(jobs))
		for n, j := range jobs {
			inputs[n] = j.input()
		}
		done, err = w.Attempts.BeginAll(ctx, inputs...)
	}
	if err != nil {
		return err
	}
	defer done()
	return w.shielded(do)
}

// shielded turns a panic into an error, and counts it: bytes from outside caused it, and they must not
// stop the worker.
func (w *Worker) shielded(do func() error) error {
	err := crashguard.Shield(do)
	var p *crashguard.Panic
	if errors.As(err, &p) {
		w.metrics.panics.Inc()
	}
	return err
}
