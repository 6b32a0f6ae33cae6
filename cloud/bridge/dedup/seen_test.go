package dedup

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
)

func TestSeenIsASet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s, other seen
		model := map[uint64]bool{}
		for _, seq := range rapid.SliceOf(rapid.Uint64Range(1, 60)).Draw(t, "seqs") {
			if isNew := s.add(seq); isNew == model[seq] {
				t.Fatalf("add(%d) says %v", seq, isNew)
			}
			model[seq] = true
		}
		for _, seq := range rapid.SliceOf(rapid.Uint64Range(1, 60)).Draw(t, "others") {
			other.add(seq)
			model[seq] = true
		}
		s.addAll(&other)
		through := uint64(0)
		for model[through+1] {
			through++
		}
		if s.through != through {
			t.Fatalf("through %d, not %d", s.through, through)
		}
		missing, highest := uint64(0), uint64(0)
		for seq := uint64(1); seq <= 61; seq++ {
			if s.has(seq) != model[seq] {
				t.Fatalf("has(%d) is %v", seq, s.has(seq))
			}
			if model[seq] {
				highest = seq
			}
		}
		for seq := uint64(1); seq < highest; seq++ {
			if !model[seq] {
				missing++
			}
		}
		if s.highest() != highest || s.missing() != missing {
			t.Fatalf("highest %d, missing %d; not %d, %d", s.highest(), s.missing(), highest, missing)
		}
		r := event.Receipt{Epoch: "e", Through: s.through, Above: s.ranges(event.MaxRanges)}
		if err := r.Check(); err != nil {
			t.Fatal(err)
		}
		gaps := s.gaps(100)
		for seq := uint64(1); seq <= highest; seq++ {
			if r.Has(seq) != model[seq] {
				t.Fatalf("the receipt says %v of %d", r.Has(seq), seq)
			}
			inGap := slices.ContainsFunc(gaps, func(g event.Range) bool { return g.From <= seq && seq <= g.To })
			if inGap == model[seq] {
				t.Fatalf("the gaps %v of %d", gaps, seq)
			}
		}
	})
}

func TestSeenBearsTheLargestNumbers(t *testing.T) {
	var s seen
	for _, seq := range []uint64{parts.MaxSeq, parts.MaxSeq - 1, 1} {
		if !s.add(seq) || s.add(seq) {
			t.Errorf("add(%d)", seq)
		}
	}
	if s.through != 1 || s.highest() != parts.MaxSeq || s.missing() != parts.MaxSeq-3 {
		t.Errorf("%d, %d, %d", s.through, s.highest(), s.missing())
	}
	if r := s.ranges(1); len(r) != 1 || r[0] != (event.Range{From: parts.MaxSeq - 1, To: parts.MaxSeq}) {
		t.Errorf("%v", r)
	}
}

func TestCheckpointGivesBackWhatWasSaved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := New(func() time.Time { return time.Unix(1e9, 0) })
		type number struct {
			edge  string
			epoch event.Epoch
			seq   uint64
		}
		numbers := rapid.SliceOf(rapid.Custom(func(t *rapid.T) number {
			return number{rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "edge"), rapid.SampledFrom([]event.Epoch{"e1", "e2"}).Draw(t, "epoch"), rapid.Uint64Range(1, 40).Draw(t, "seq")}
		})).Draw(t, "numbers")
		for _, n := range numbers {
			l.Add(n.edge, n.epoch, n.seq)
		}
		own := slots.Owned{Slots: slots.Every}
		for slot := range own.Epochs {
			own.Epochs[slot] = 7
		}
		records, err := l.Save(own, Offsets{"canvas.events": {0: 12}})
		if err != nil || len(records) != slots.Count {
			t.Fatal(len(records), err)
		}
		back := New(time.Now)
		for _, r := range records {
			c, err := parseCheckpoint(r)
			if err != nil {
				t.Fatal(err)
			}
			if c.Epoch != 7 || c.Offsets["canvas.events"][0] != 12 {
				t.Fatalf("%+v", c)
			}
			if err := back.Load(c); err != nil {
				t.Fatal(err)
			}
		}
		was, is := l.Status(), back.Status()
		for n := range was {
			was[n].Last, is[n].Last = time.Time{}, time.Time{}
			if w, i := was[n], is[n]; w.Edge != i.Edge || w.Epoch != i.Epoch || w.Through != i.Through || w.Missing != i.Missing || !w.Since.Equal(i.Since) || !slices.Equal(w.Gaps, i.Gaps) {
				t.Fatalf("%+v became %+v", w, i)
			}
		}
		if len(was) != len(is) {
			t.Fatalf("%d accounts became %d", len(was), len(is))
		}
	})
}
