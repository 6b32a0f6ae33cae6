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

// DeathsDocument is where workers tell each other how they ended.
const DeathsDocument = "worker-deaths"

// A worker that dies can't say what it died of, and whoever takes over its partitions can't know. So it
// says so when it starts again, before it owns anything: how it ended, and which items it died of, alone
// in hand and of itself. docs/delivery.md tells what that is.
type deathReport struct {
	Run   string    `json:"run"` // that ended
	End   string    `json:"end"` // see crashguard.Death
	Why   string    `json:"why"`
	Items []string  `json:"items,omitempty"` // keys of items
	At    time.Time `json:"at"`              // when it was told
}

// Bounds of what workers tell.
const (
	mostReports = 256
	maxWhy      = 300 // bytes
	maxUnknown  = 8   // deaths with one item alone in hand that nobody explained; then it is given up
)

// tellDeath tells how the process before this one ended. It insists: an owner that does not hear of it
// tries again what killed us.
func (w *Worker) tellDeath(ctx context.Context) error {
	last := w.Attempts.LastEnd()
	if w.Deaths == nil || last.Run == "" {
		return nil
	}
	why := last.Why[:min(len(last.Why), maxWhy)]
	told := deathReport{Run: last.Run, End: last.End, Why: why, Items: last.Alone, At: w.now().UTC()}
	w.Log.Info("telling the others how this worker's last run ended", "end", told.End, telemetry.Err, told.Why, "items", len(told.Items))
	return w.insist(ctx, "telling the others how this worker's last run ended", func() error {
		reports, version, err := readReports(ctx, w.Deaths)
		if err != nil {
			return err
		}
		reports = slices.DeleteFunc(reports, func(r deathReport) bool { return r.Run == told.Run })
		reports = append(reports, told)
		data, err := json.Marshal(reports[max(0, len(reports)-mostReports):])
		if err != nil {
			return fmt.Errorf("writing how a worker ended: %w", err)
		}
		_, err = w.Deaths.Put(ctx, data, version)
		return err
	})
}

func readReports(ctx context.Context, d coord.Document) (reports []deathReport, version int64, err error) {
	data, version, err := d.Get(ctx)
	if err != nil {
		return nil, 0, err
	}
	if len(data) > 0 && json.Unmarshal(data, &reports) != nil {
		reports = nil // of a program that is not this one: written anew
	}
	return reports, version, nil
}

// errDiedOfIt and errDiedBeside are the reasons of dead letters.
var (
	errDiedOfIt   = errors.New("a worker died of it, with nothing else in hand")
	errDiedBeside = errors.New("workers ended with nothing else in hand, and none has told of what; start each with an attempts.folder that outlives it")
)

// verdict says of an item that was alone in hand at the ends of those runs whether it is to blame, and
// at which ends nobody knows. A worker that was killed from outside has nothing against its items.
func (p *loop) verdict(ctx context.Context, runs []string, e *queue.Entry) (unknown []string, guilty error) {
	var reports []deathReport
	if p.Deaths != nil {
		err := p.insist(ctx, "asking how workers ended", func() (err error) {
			reports, _, err = readReports(ctx, p.Deaths)
			return err
		})
		if err != nil {
			return runs, nil
		}
	}
	for _, run := range runs {
		at := slices.IndexFunc(reports, func(r deathReport) bool { return r.Run == run })
		switch {
		case at < 0:
			unknown = append(unknown, run)
		case slices.Contains(reports[at].Items, attemptKey(&e.Item)):
			return nil, fmt.Errorf("%w: %s; it is not tried again", errDiedOfIt, reports[at].Why)
		}
	}
	if len(unknown) >= maxUnknown {
		return nil, fmt.Errorf("%d %w", len(unknown), errDiedBeside)
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
