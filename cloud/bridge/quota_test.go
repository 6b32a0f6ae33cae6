package bridge

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// An honest device that is behind sends the best first: of a million waiting items any may come next.
func TestMillionWaitingItemsSentInAnyOrderAreTaken(t *testing.T) {
	l := newLedger(time.Now)
	const waiting = 1_000_000
	order := rand.New(rand.NewPCG(1, 2)).Perm(waiting)
	for n, at := range order {
		id := parts.Identity{Edge: "mast", Epoch: "e1", Seq: uint64(at + 1)}
		if there, full := l.look(id); there || full != boundNone {
			t.Fatalf("number %d, the %d. to come: there %v, refused for %q", id.Seq, n, there, full)
		}
		l.add(id.Edge, id.Epoch, id.Seq)
		if n == waiting/2 {
			if records := saveAll(t, l); len(records[slots.Of("mast")].Value) > recordMost {
				t.Errorf("the checkpoint has %d bytes", len(records[slots.Of("mast")].Value))
			}
		}
	}
	if s := l.status()[0]; s.Through != waiting || s.Missing != 0 {
		t.Errorf("%+v", s)
	}
}

func saveAll(t testing.TB, l *ledger) []kafka.Record {
	t.Helper()
	records, err := l.save(slots.Owned{Slots: slots.Every}, offsets{"canvas.events": {0: 3}})
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
			l := newLedger(time.Now)
			taken := 0
			for range 200_000 {
				id := parts.Identity{Edge: "mast", Epoch: "e1", Seq: draw() | 1}
				if there, full := l.look(id); !there && full == boundNone {
					l.add(id.Edge, id.Epoch, id.Seq)
					taken++
				}
			}
			for _, r := range saveAll(t, l) {
				if len(r.Value) > recordMost {
					t.Errorf("a checkpoint has %d bytes", len(r.Value))
				}
			}
			t.Logf("%d taken", taken)
			if _, full := l.look(parts.Identity{Edge: "mast", Epoch: "e1", Seq: 1}); full != boundNone {
				t.Errorf("the next number is refused for %q", full)
			}
			if _, full := l.look(parts.Identity{Edge: "vessel", Epoch: "e1", Seq: 1}); full != boundNone {
				t.Errorf("another edge is refused for %q", full)
			}
			report := event.DropReport{}
			for range 60_000 {
				report.Drops = append(report.Drops, event.Drop{Seq: draw() | 1})
			}
			if full := l.lookAll("vessel", "e1", report); full != boundAhead {
				t.Errorf("drops of invented numbers: %q", full)
			}
		})
	}
}

func TestHonestDropReportsAreTaken(t *testing.T) {
	l := newLedger(time.Now)
	report := event.DropReport{}
	for n := range uint64(1000) {
		report.Drops = append(report.Drops, event.Drop{Seq: 1 + 97*n})
	}
	if full := l.lookAll("mast", "e1", report); full != boundNone {
		t.Errorf("refused for %q", full)
	}
}

func TestEpochsThatAnEdgeBeginsAreBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLedger(func() time.Time { return now })
	begin := func(n int) (begun int) {
		for range n {
			if _, full := l.look(parts.Identity{Edge: "mast", Epoch: event.NewEpoch(), Seq: 1}); full == boundNone {
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
	if _, full := l.look(parts.Identity{Edge: "vessel", Epoch: "e1", Seq: 1}); full != boundNone {
		t.Errorf("another edge is refused for %q", full)
	}
}

func TestStoreOfADayIsBounded(t *testing.T) {
	now := time.Unix(1e9, 0)
	l := newLedger(func() time.Time { return now })
	if !l.mayStore("mast", 90, 100) || l.mayStore("mast", 20, 100) || !l.mayStore("mast", 10, 100) || !l.mayStore("vessel", 100, 100) || !l.mayStore("mast", 1<<40, 0) {
		t.Error("100 bytes are counted wrongly")
	}
	now = now.Add(24 * time.Hour)
	if !l.mayStore("mast", 100, 100) {
		t.Error("the next day has none")
	}
}

// A device that floods holds its share of the queue; the others' messages find room, and all PUBACKs
// go in the order of arrival.
func TestFloodOfOneEdgeLeavesRoomForOthers(t *testing.T) {
	refused := 0
	q := newQueue(100, 1<<20, 0.5, func(edge string) {
		if edge != "flood" {
			t.Errorf("%s is refused", edge)
		}
		refused++
	})
	message := func(edge string, n int) mqtt.Message {
		return mqtt.Message{Topic: fmt.Sprintf("canvas/v1/%s/up/2/reading", edge), Payload: fmt.Appendf(nil, "%d", n)}
	}
	var letters []*letter
	drain := func(n int) {
		for _, m := range q.take(n, 1<<20) {
			letters = append(letters, &letter{Message: m})
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	q.put(ctx, message("mast", 0))
	for n := range 90 {
		q.put(ctx, message("flood", n))
	}
	for n := range 9 {
		q.put(ctx, message("mast", n+1))
	}
	if ctx.Err() != nil || refused != 40 {
		t.Fatalf("%d are refused, %v", refused, ctx.Err())
	}
	drain(100)
	q.done(letters)
	if n, bytes := q.held(); n != 0 || bytes != 0 || len(q.edges) != 0 {
		t.Errorf("%d messages with %d bytes of %d edges are held after all were settled", n, bytes, len(q.edges))
	}
	if n := len(slices.Collect(func(yield func(bool) bool) {
		for _, l := range letters {
			if isRefused(l.Message) && l.Payload == nil && !yield(true) {
				return
			}
		}
	})); n != 40 {
		t.Errorf("%d refused ones keep their place", n)
	}
	for n := range 99 { // alone it may have all of it
		q.put(ctx, message("flood", n))
	}
	if refused != 40 {
		t.Errorf("a lone edge is refused: %d", refused-40)
	}
}
