package dedup

import (
	"math/rand/v2"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// An honest device that is behind sends the best first: of a million waiting items any may come next.
func TestMillionWaitingItemsSentInAnyOrderAreTaken(t *testing.T) {
	l := New(time.Now)
	const waiting = 1_000_000
	order := rand.New(rand.NewPCG(1, 2)).Perm(waiting)
	for n, at := range order {
		id := parts.Identity{Edge: "mast", Epoch: "e1", Seq: uint64(at + 1)}
		if there, full := l.Check(id); there || full != BoundNone {
			t.Fatalf("number %d, the %d. to come: there %v, refused for %q", id.Seq, n, there, full)
		}
		l.Add(id.Edge, id.Epoch, id.Seq)
		if n == waiting/2 {
			if records := saveAll(t, l); len(records[slots.Of("mast")].Value) > maxRecord {
				t.Errorf("the checkpoint has %d bytes", len(records[slots.Of("mast")].Value))
			}
		}
	}
	if s := l.Status()[0]; s.Through != waiting || s.Missing != 0 {
		t.Errorf("%+v", s)
	}
}

func saveAll(t testing.TB, l *State) []kafka.Record {
	t.Helper()
	records, err := l.Save(slots.Owned{Slots: slots.Every}, Offsets{"canvas.events": {0: 3}})
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// 60,000 random numbers made a checkpoint that Kafka does not take.
func TestInventedNumbersAreRefusedAndCheckpointsStaySmall(t *testing.T) {
	for name, draw := range map[string]func() uint64{
		"Anywhere":         rand.Uint64,
		"FourBillionAhead": func() uint64 { return uint64(rand.Uint32()) },
	} {
		t.Run(name, func(t *testing.T) {
			l := New(time.Now)
			taken := 0
			for range 200_000 {
				id := parts.Identity{Edge: "mast", Epoch: "e1", Seq: draw() | 1}
				if there, full := l.Check(id); !there && full == BoundNone {
					l.Add(id.Edge, id.Epoch, id.Seq)
					taken++
				}
			}
			for _, r := range saveAll(t, l) {
				if len(r.Value) > maxRecord {
					t.Errorf("a checkpoint has %d bytes", len(r.Value))
				}
			}
			t.Logf("%d taken", taken)
			if _, full := l.Check(parts.Identity{Edge: "mast", Epoch: "e1", Seq: 1}); full != BoundNone {
				t.Errorf("the next number is refused for %q", full)
			}
			if _, full := l.Check(parts.Identity{Edge: "vessel", Epoch: "e1", Seq: 1}); full != BoundNone {
				t.Errorf("another edge is refused for %q", full)
			}
			report := event.DropReport{}
			for range 60_000 {
				report.Drops = append(report.Drops, event.Drop{Seq: draw() | 1})
			}
			if full := l.CheckDrops("vessel", "e1", report); full != BoundAhead {
				t.Errorf("drops of invented numbers: %q", full)
			}
		})
	}
}

func TestHonestDropReportsAreTaken(t *testing.T) {
	l := New(time.Now)
	report := event.DropReport{}
	for n := range uint64(1000) {
		report.Drops = append(report.Drops, event.Drop{Seq: 1 + 97*n})
	}
	if full := l.CheckDrops("mast", "e1", report); full != BoundNone {
		t.Errorf("refused for %q", full)
	}
}

func TestEpochsThatAnEdgeBeginsAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	begin := func(n int) (begun int) {
		for range n {
			if _, full := l.Check(parts.Identity{Edge: "mast", Epoch: event.NewEpoch(), Seq: 1}); full == BoundNone {
				begun++
			} else if full != boundEpochs {
				t.Fatalf("refused for %q", full)
			}
		}
		return begun
	}
	if n := begin(1000); n != epochsAtOnce {
		t.Errorf("%d at once", n)
	}
	now = now.Add(time.Minute)
	if n := begin(1000); n != epochsMinute {
		t.Errorf("%d in the next minute", n)
	}
	if _, full := l.Check(parts.Identity{Edge: "vessel", Epoch: "e1", Seq: 1}); full != BoundNone {
		t.Errorf("another edge is refused for %q", full)
	}
}

func TestStoreOfADayIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := New(func() time.Time { return now })
	if !l.MayStore("mast", 90, 100) || l.MayStore("mast", 20, 100) || !l.MayStore("mast", 10, 100) || !l.MayStore("vessel", 100, 100) || !l.MayStore("mast", 1<<40, 0) {
		t.Error("100 bytes are counted wrongly")
	}
	now = now.Add(24 * time.Hour)
	if !l.MayStore("mast", 100, 100) {
		t.Error("the next day has none")
	}
}
