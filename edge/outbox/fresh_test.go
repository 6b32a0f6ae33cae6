package outbox

import (
	"fmt"
	"testing"

	"cloudcanvas/shared/event"
)

// TestABacklogIsGivenOldestFirstAndWhatComesMeanwhileAfterIt has more than one chunk of each priority.
func TestABacklogIsGivenOldestFirstAndWhatComesMeanwhileAfterIt(t *testing.T) {
	for name, few := range map[string]int{"by the index": 1000, "by the rows": 10} {
		t.Run(name, func(t *testing.T) { backlogInOrder(t, few) })
	}
}

func backlogInOrder(t *testing.T, few int) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	put := func(n int, first int) {
		t.Helper()
		var drafts []Draft
		for i := range n {
			drafts = append(drafts, Draft{Kind: event.Reading, Stream: "boiler", Subject: "boiler", Priority: event.Priority(1 + (first+i)%3), Value: 0.5,
				Type: "application/json", Data: fmt.Appendf(nil, "%d", (first+i)*7919%100_000)})
		}
		for len(drafts) > 0 {
			k := min(500, len(drafts))
			if _, err := o.CommitMarked(t.Context(), drafts[:k], nil); err != nil {
				t.Fatal(err)
			}
			drafts = drafts[k:]
		}
	}
	const before, chunk = 900, 100
	put(before, 0)
	o.Close()
	o = open(t, dir, DefaultConfig())
	o.chunk, o.backlog.maxSorted = chunk, few
	last := map[event.Priority]uint64{}
	given := 0
	for round := 0; ; round++ {
		if round < 6 {
			put(30, before+30*round)
		}
		refs := o.Fresh()
		if len(refs) == 0 {
			break
		}
		for _, r := range refs {
			if r.Seq <= last[r.Priority] {
				t.Fatalf("round %d: %d of priority %d after %d", round, r.Seq, r.Priority, last[r.Priority])
			}
			last[r.Priority] = r.Seq
			given++
		}
	}
	if s := o.Stats(); given != int(s.Waiting) {
		t.Errorf("%d of %d were given", given, s.Waiting)
	}
}

func TestAnUrgentItemDoesNotWaitForABacklog(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	const chunk = 100
	drafts := make([]Draft, 3*chunk)
	for i := range drafts {
		drafts[i] = draft(i)
	}
	if _, err := o.CommitMarked(t.Context(), drafts, nil); err != nil {
		t.Fatal(err)
	}
	o.Close()
	o = open(t, dir, DefaultConfig())
	o.chunk = chunk
	o.Fresh()
	alert := draft(1)
	alert.Kind, alert.Priority = event.Alert, event.Urgent
	if _, err := o.CommitMarked(t.Context(), []Draft{alert}, nil); err != nil {
		t.Fatal(err)
	}
	if refs := o.Fresh(); len(refs) == 0 || refs[0].Priority != event.Urgent {
		t.Errorf("%d given, the alert not among the first", len(refs))
	}
}

// TestABufferOfBeforeMarksIsOpened makes one as an earlier program left it.
func TestABufferOfBeforeMarksIsOpened(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	if _, err := o.Commit(t.Context(), draft(1)); err != nil {
		t.Fatal(err)
	}
	o.Close()
	db, err := openDatabase(databasePath(dir), false)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("DROP TABLE marks"); err != nil {
		t.Fatal(err)
	}
	db.Close()
	o = open(t, dir, DefaultConfig())
	if _, err := o.CommitMarked(t.Context(), []Draft{draft(2)}, []Mark{{"a", []byte("b")}}); err != nil {
		t.Fatal(err)
	}
	if s := balanced(t, o); s.Waiting != 2 {
		t.Errorf("%+v", s)
	}
}
