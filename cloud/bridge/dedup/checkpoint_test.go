package dedup

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// oldCheckpoint is one as the program before wrote it.
const oldCheckpoint = `{"slot":%d,"epoch":7,"time":"2026-01-02T03:04:05Z","offsets":{"canvas.dlq":{"0":1},"canvas.events":{"0":12,"1":3}},` +
	`"edges":{"mast":{"00000000000000e1":{"through":2,"above":"AQAAAAAAAAAAAAAAOjAAAAEAAAAAAAEAEAAAAAUACQA=","used":"2026-01-02T03:04:00Z","stuck":"2026-01-02T03:00:00Z"},` +
	`"00000000000000e0":{"through":40,"used":"2025-12-31T00:00:00Z"}}}}`

func TestCheckpointsOfEarlierProgramsAreRead(t *testing.T) {
	slot := slots.Of("mast")
	c, err := parseCheckpoint(kafka.Record{Key: slotKey(slot), Value: fmt.Appendf(nil, oldCheckpoint, slot)})
	if err != nil {
		t.Fatal(err)
	}
	l := New(time.Now)
	if err := l.Load(c); err != nil {
		t.Fatal(err)
	}
	if !l.Has("mast", "00000000000000e1", 5) || !l.Has("mast", "00000000000000e1", 9) || l.Has("mast", "00000000000000e1", 4) || !l.Has("mast", "00000000000000e0", 40) {
		t.Errorf("%+v", l.Status())
	}
	if c.Offsets["canvas.events"][0] != 12 || l.NewerProgram("mast") {
		t.Errorf("%+v", c)
	}
}

func fleet(edges, epochs int) *State {
	l := New(time.Now)
	for e := range edges {
		name := fmt.Sprintf("mast-%d", e)
		for n := range epochs {
			epoch := event.Epoch(fmt.Sprintf("%016x", n))
			for seq := uint64(1); seq <= 5; seq++ {
				l.Add(name, epoch, seq)
			}
			l.SetLast(name, epoch, Known{Seq: 5, ID: event.NewID(time.Now())})
		}
	}
	return l
}

func TestCheckpointOfManyEpochsFitsIntoARecord(t *testing.T) {
	l := fleet(200, 64)
	most, all := 0, 0
	began := time.Now()
	for _, r := range saveAll(t, l) {
		most, all = max(most, len(r.Value)), all+len(r.Value)
	}
	t.Logf("200 edges x 64 epochs: %d KiB in all, %d KiB the largest record, in %v", all>>10, most>>10, time.Since(began))
	if most > maxRecord {
		t.Errorf("a record has %d bytes", most)
	}
}

// oneSlot is a name of an edge in the slot of mast.
func oneSlot(from int) (name string, next int) {
	for {
		name, from = fmt.Sprintf("edge-%d", from), from+1
		if slots.Of(name) == slots.Of("mast") {
			return name, from
		}
	}
}

// Whatever of the records of a slot that is cut finer reached Kafka, with those of before they hold everything.
func TestSlotThatOutgrowsARecordIsCutWithoutAGap(t *testing.T) {
	l := New(time.Now)
	var names []string
	grow := func(edges int) {
		next := 0
		if len(names) > 0 {
			next = 100_000 * len(names)
		}
		for range edges {
			var name string
			name, next = oneSlot(next)
			names = append(names, name)
			for n := range maxEpochs {
				epoch := event.Epoch(fmt.Sprintf("%016x", n))
				l.Add(name, epoch, 1, 2, 3)
				l.SetLast(name, epoch, Known{Seq: 3, ID: event.NewID(time.Now())})
			}
		}
	}
	stored := map[string][]byte{}
	records := func() (of []kafka.Record) {
		for _, r := range saveAll(t, l) {
			if c, err := parseCheckpoint(r); err != nil {
				t.Fatal(err)
			} else if c.Slot == slots.Of("mast") {
				of = append(of, r)
			}
			if len(r.Value) > maxRecord {
				t.Fatalf("a record has %d bytes", len(r.Value))
			}
		}
		return of
	}
	holds := func(names []string) {
		t.Helper()
		back := New(time.Now)
		for key, value := range stored {
			c, err := parseCheckpoint(kafka.Record{Key: []byte(key), Value: value})
			if err != nil {
				t.Fatal(err)
			}
			if err := back.Load(c); err != nil {
				t.Fatal(err)
			}
		}
		for _, name := range names {
			if !back.Has(name, "0000000000000003", 3) {
				t.Fatalf("%s is not known", name)
			}
		}
	}
	for _, edges := range []int{4, 16, 30} {
		before := append([]string{}, names...)
		grow(edges)
		of := records()
		for _, r := range of {
			stored[string(r.Key)] = r.Value
			holds(before)
		}
		holds(names)
		t.Logf("%d edges lie in %d records", len(names), len(of))
	}
}

func TestEpochsThatAreSettledAreForgotten(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	l.Add("mast", "gap", 1, 3)
	for _, e := range []event.Epoch{"settled", "named", "current"} {
		l.Add("mast", e, 1, 2)
	}
	l.Add("old", "settled", 1)
	now = now.Add(2 * settledFor)
	l.Greet(&event.Status{Status: event.Online, Edge: "mast", Epoch: "current", Epochs: []event.EpochReport{{Epoch: "current"}, {Epoch: "named"}}})
	now = now.Add(2 * settledFor)
	l.Tidy()
	for id, want := range map[parts.Identity]bool{{Edge: "mast", Epoch: "gap", Seq: 3}: true, {Edge: "mast", Epoch: "settled", Seq: 1}: false, {Edge: "mast", Epoch: "named", Seq: 1}: true, {Edge: "mast", Epoch: "current", Seq: 1}: true, {Edge: "old", Epoch: "settled", Seq: 1}: true} {
		if l.Has(id.Edge, id.Epoch, id.Seq) != want {
			t.Errorf("%+v is known: %v", id, !want)
		}
	}
}

func TestEpochWithAGapThatIsNamedIsForgottenLast(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	l.Add("mast", "named", 1, 3)
	l.Greet(&event.Status{Status: event.Online, Edge: "mast", Epoch: "named", Epochs: []event.EpochReport{{Epoch: "named"}}})
	l.Add("mast", "gap", 1, 3)
	for n := range 2 * maxEpochs {
		now = now.Add(time.Second)
		l.Add("mast", event.Epoch(fmt.Sprint(n)), 1)
	}
	if !l.Has("mast", "named", 3) || !l.Has("mast", "gap", 3) || len(l.Status()) != maxEpochs {
		t.Errorf("%d epochs are left", len(l.Status()))
	}
}

func TestCheckpointKeepsWhatIsKnownOfDevices(t *testing.T) {
	l := New(time.Now)
	hear := func(epoch event.Epoch, connection uint64) {
		l.Greet(&event.Status{Status: event.Online, Edge: "mast", Epoch: epoch, Connection: connection, Epochs: []event.EpochReport{{Epoch: epoch}}})
	}
	hear("e1", 1)
	hear("e2", 1)
	hear("e1", 2)
	l.AddConflict("mast", "e1", Known{Seq: 9, ID: event.NewID(time.Now())})
	l.MayStore("mast", 77, 1000)
	l.Refuse("mast", BoundQueue)
	back := New(time.Now)
	for _, r := range saveAll(t, l) {
		c, err := parseCheckpoint(r)
		if err != nil {
			t.Fatal(err)
		}
		if err := back.Load(c); err != nil {
			t.Fatal(err)
		}
	}
	was, _ := json.Marshal(l.Status())
	is, _ := json.Marshal(back.Status())
	a := back.find("mast", "e1")
	if !back.NewerProgram("mast") || a.of.twin.of("e1", time.Now()) != "e2" || len(a.compose(time.Now()).Conflicts) != 1 || a.of.stored != 77 || a.of.refused[BoundQueue] != 1 {
		t.Errorf("%s became %s", was, is)
	}
}
