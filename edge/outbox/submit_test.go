package outbox

import (
	"errors"
	"testing"
)

func TestMarksAndItemsAreThereTogetherOrNotAtAll(t *testing.T) {
	dir := t.TempDir()
	o := open(t, dir, DefaultConfig())
	items, err := o.CommitMarked(t.Context(), []Draft{draft(1), draft(2)}, []Mark{{"reading/1", []byte("a")}, {"reading/2", []byte("b")}, {"window/x", []byte("c")}})
	if err != nil || len(items) != 2 || items[1].Seq != 2 {
		t.Fatalf("%+v, %v", items, err)
	}
	if _, err := o.CommitMarked(t.Context(), nil, []Mark{{"reading/1", []byte("d")}, {"window/x", nil}}); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("no")
	err = o.change(t.Context(), func(s *step) error {
		if err := s.note([]Mark{{"reading/2", []byte("never")}}); err != nil {
			return err
		}
		return refused
	})
	if !errors.Is(err, refused) {
		t.Error(err)
	}
	o.Close()
	o = open(t, dir, DefaultConfig())
	if s := balanced(t, o); s.Waiting != 2 {
		t.Errorf("%+v", s)
	}
	marks, err := o.Marks("reading/")
	if err != nil || len(marks) != 2 || string(marks[0].Value) != "d" || string(marks[1].Value) != "b" {
		t.Errorf("%q, %v", marks, err)
	}
	if marks, _ := o.Marks("window/"); len(marks) != 0 {
		t.Errorf("%q", marks)
	}
}

func TestTheQuotaHoldsForWhatIsCommittedWithMarks(t *testing.T) {
	c := DefaultConfig()
	c.QuotaRows = 3
	o := open(t, t.TempDir(), c)
	for n := range 4 {
		if _, err := o.CommitMarked(t.Context(), []Draft{draft(2 * n), draft(2*n + 1)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	if s := balanced(t, o); s.Committed != 8 || s.Waiting != 3 || s.Dropped != 5 {
		t.Errorf("%+v", s)
	}
}
