package worker

import (
	"time"

	"cloudcanvas/shared/event"
)

// What is done with late items.
const (
	LateDo   = "do"
	LateSkip = "skip"
)

// deadline is when an item is late: what it says itself, or its age by the route's bound or the
// worker's, whichever is sooner; zero: never. The age is by the clock of the edge that made it.
func (w *Worker) deadline(item *event.Item, r *Route) time.Time {
	most := w.cfg.MaxAge
	if r.maxAge > 0 {
		most = r.maxAge
	}
	due := item.Attrs.Expires
	if most > 0 && !item.Time.IsZero() {
		if aged := item.Time.Add(most); due.IsZero() || aged.Before(due) {
			due = aged
		}
	}
	return due
}

// judge says of a job that is next whether it is late, and whether it is to be skipped.
func (w *Worker) judge(j *job) {
	due := w.deadline(&j.entry.Item, j.route)
	if due.IsZero() || !w.now().After(due) {
		return
	}
	j.due, j.skipped = due, w.cfg.Late == LateSkip
}

func (j *job) late() bool { return !j.due.IsZero() }
