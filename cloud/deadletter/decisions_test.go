package deadletter

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/cloud/coord/local"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func TestADiscardedDeadLetterStaysUntilSomebodySaysOtherwise(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic))
	space := local.NewSpace()
	anna, otto := operator(k, space.Coordinator("anna"), "anna"), operator(k, space.Coordinator("otto"), "otto")
	if outcomes, err := anna.Discard(t.Context(), Place{0, 0}, Place{0, 0}, Place{0, 9}); err != nil || states(outcomes) != "0-0 discarded;0-0 already;0-9 refused;" {
		t.Fatalf("%+v %v", outcomes, err)
	}
	outcomes, err := otto.Replay(t.Context(), Place{0, 0}, Place{0, 1})
	if err != nil || states(outcomes) != "0-0 refused;0-1 replayed;" || !strings.Contains(outcomes[0].Why, "discarded by anna") {
		t.Fatalf("%+v %v", outcomes, err)
	}
	if outcomes, err = anna.Discard(t.Context(), Place{0, 1}); err != nil || states(outcomes) != "0-1 refused;" || !strings.Contains(outcomes[0].Why, "put back by otto") {
		t.Fatalf("%+v %v", outcomes, err)
	}
	otto.Again = true
	if outcomes, err = otto.Replay(t.Context(), Place{0, 0}); err != nil || states(outcomes) != "0-0 replayed;" {
		t.Fatalf("%+v %v", outcomes, err)
	}
	if n := len(work(t, k)); n != 2 {
		t.Errorf("%d records", n)
	}
}

func TestTwoPeopleAtOncePutADeadLetterBackOnce(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic), deadLetter(2, event.WorkTopic))
	space := local.NewSpace()
	var all sync.WaitGroup
	for n := range 6 {
		all.Go(func() {
			who := fmt.Sprintf("o%d", n)
			if _, err := operator(k, space.Coordinator(who), who).Replay(t.Context(), Place{0, 0}, Place{0, 1}, Place{0, 2}); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(work(t, k)); n != 3 {
		t.Errorf("%d records went back, want 3", n)
	}
}

func TestAnOperatorsClockThatIsBehindUndoesNoDecision(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic))
	a := operator(k, local.NewSpace().Coordinator("o"), "o")
	a.Now = func() time.Time { return time.Now().Add(-48 * time.Hour) }
	for range 2 {
		if _, err := a.Replay(t.Context(), Place{0, 0}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Discard(t.Context(), Place{0, 1}); err != nil {
			t.Fatal(err)
		}
	}
	a.Now = nil
	if outcomes, err := a.Replay(t.Context(), Place{0, 0}, Place{0, 1}); err != nil || states(outcomes) != "0-0 already;0-1 refused;" || len(work(t, k)) != 1 {
		t.Errorf("%+v %v", outcomes, err)
	}
}

func TestADecisionIsNotAboutADeadLetterThatCameLater(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic))
	group := local.NewSpace().Coordinator("operator")
	old := Decisions{Done: offsets{}, Dropped: offsets{}} // of another Kafka that stood here
	old.note(Decision{Action: Discarded, By: "anna", At: time.Now().Add(-48 * time.Hour)}, Place{0, 0})
	old.note(Decision{Action: PutBack, By: "anna", At: time.Now().Add(-48 * time.Hour)}, Place{0, 1})
	b, err := old.marshal()
	if err == nil {
		_, err = group.Document(DecisionsName).Put(t.Context(), b, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	now := operator(k, group, "o")
	if outcomes, err := now.Replay(t.Context(), Place{0, 0}); err != nil || states(outcomes) != "0-0 replayed;" {
		t.Errorf("%+v %v", outcomes, err)
	}
	if outcomes, err := now.Discard(t.Context(), Place{0, 1}); err != nil || states(outcomes) != "0-1 discarded;" {
		t.Errorf("%+v %v", outcomes, err)
	}
	l, err := List(t.Context(), k, 9)
	if err != nil {
		t.Fatal(err)
	}
	book, err := ReadDecisions(t.Context(), group.Document(DecisionsName))
	if book.Mark(l.Entries); err != nil || l.Entries[0].Decision.Action != PutBack || l.Entries[1].Decision.Action != Discarded || l.Entries[1].Replayed {
		t.Errorf("%+v %v", l.Entries, err)
	}
}

func TestTheBookOfAnEarlierProgramIsRead(t *testing.T) {
	k := kafkaWith(t, deadLetter(0, event.WorkTopic), deadLetter(1, event.WorkTopic))
	group := local.NewSpace().Coordinator("operator")
	if _, err := group.Document(DecisionsName).Put(t.Context(), []byte(`{"done":{"0":[[0,0]]}}`), 0); err != nil {
		t.Fatal(err)
	}
	outcomes, err := operator(k, group, "o").Replay(t.Context(), Place{0, 0}, Place{0, 1})
	if err != nil || states(outcomes) != "0-0 already;0-1 replayed;" {
		t.Fatalf("%+v %v", outcomes, err)
	}
}

func TestTheBookHoldsExactlyWhatWasDecided(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, want := Decisions{Done: offsets{}, Dropped: offsets{}}, map[Place]string{}
		for _, n := range rapid.SliceOfN(rapid.IntRange(0, 60), 0, 80).Draw(t, "offsets") {
			p := Place{n % 2, int64(n / 2)}
			action := rapid.SampledFrom([]string{PutBack, Discarded}).Draw(t, "action")
			if want[p] == PutBack {
				continue
			}
			k.note(Decision{Action: action, By: "o"}, p)
			want[p] = action
		}
		b, err := k.marshal()
		if err != nil {
			t.Fatal(err)
		}
		if k, err = ParseDecisions(b); err != nil {
			t.Fatal(err)
		}
		same := func(p Place) bool {
			d := k.Of(p, time.Time{})
			return want[p] == "" && d == nil || d != nil && d.Action == want[p] && d.By == "o"
		}
		for n := range 62 {
			if p := (Place{n % 2, int64(n / 2)}); !same(p) {
				t.Fatalf("%v: %+v, want %q", p, k.Of(p, time.Time{}), want[p])
			}
		}
		for _, o := range []offsets{k.Done, k.Dropped} {
			for _, all := range o {
				for n := 1; n < len(all); n++ {
					if all[n].From <= all[n-1].To+1 {
						t.Fatalf("ranges %v are not joined", all)
					}
				}
			}
		}
		first := int64(rapid.IntRange(0, 31).Draw(t, "first"))
		k.forget(map[int]kafka.OffsetRange{0: {First: first, End: 31}, 1: {First: first, End: 31}})
		for p := range want {
			if p.Offset >= first && !same(p) {
				t.Fatalf("%v was forgotten", p)
			}
		}
	})
}

func TestABookThatGrowsLetsGoOfWhoDidWhat(t *testing.T) {
	k := Decisions{Done: offsets{}, Dropped: offsets{}}
	for n := range 5000 {
		k.note(Decision{Action: Discarded, By: strings.Repeat("x", 900)}, Place{0, int64(n)})
	}
	b, err := k.marshal()
	if err != nil || len(b) > documentBytes {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if d := k.Of(Place{0, 0}, time.Time{}); d == nil || d.Action != Discarded {
		t.Errorf("%+v", d)
	}
	if d := k.Of(Place{0, 4999}, time.Time{}); d == nil || d.By == "" {
		t.Errorf("%+v", d)
	}
}

func FuzzABookFromOutside(f *testing.F) {
	f.Add([]byte(`{"done":{"0":[[0,3]]},"discarded":{"1":[[2,2]]},"open":{"places":["0-1"]},"acts":[{"action":"discard","places":{"0":[[1,1]]}}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseDecisions(b)
		if err != nil {
			return
		}
		k.Of(Place{0, 1}, time.Time{})
		k.note(Decision{Action: PutBack}, Place{0, 1})
		k.forget(map[int]kafka.OffsetRange{0: {First: 1, End: 2}})
		if d := k.Of(Place{0, 1}, time.Time{}); d == nil || d.Action != PutBack {
			t.Fatalf("%q: %+v", b, d)
		}
	})
}
