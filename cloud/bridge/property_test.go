package bridge_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

// number is what an item came under.
type number struct {
	epoch event.Epoch
	seq   uint64
}

// sent is what a device of the test has sent, and what must have become of it.
type sent struct {
	under map[number]ulid.ULID // who came first under each number
	ids   map[ulid.ULID]bool   // all that must be in Kafka once in the end
}

// inKafka counts the records of each item.
func (w *world) inKafka(t testing.TB) map[ulid.ULID]int {
	have := map[ulid.ULID]int{}
	for _, r := range w.log.records(event.EventsTopic) {
		i, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		have[i.ID]++
	}
	return have
}

// Whatever comes in whatever order, again, under another's number, under a second number, over restarts
// with and without checkpoints: each item is in Kafka once, none is written for another, and no receipt
// covers a number whose item is not there.
func TestNothingIsLostDoubledOrTakenForAnother(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld(t)
		all := sent{map[number]ulid.ULID{}, map[ulid.ULID]bool{}}
		w.receipts.check = func(_ string, r event.Receipt) {
			have := w.inKafka(t)
			for n, id := range all.under {
				if n.epoch == r.Epoch && r.Has(n.seq) && have[id] == 0 {
					t.Errorf("a receipt of epoch %s covers %d, whose item is not in Kafka", n.epoch, n.seq)
				}
			}
			for _, c := range r.Conflicts {
				if have[c.ID] == 0 || all.under[number{r.Epoch, c.Seq}] != c.ID {
					t.Errorf("a receipt names %+v as what Kafka has", c)
				}
			}
		}
		w.start()
		w.online("mast", 1, "e0")
		posted := 1
		epochs := []event.Epoch{"e0"}
		next := map[event.Epoch]uint64{"e0": 1}
		var items []event.Item
		serial := uint64(0)
		settle := func() {
			eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == posted })
		}
		send := func(i event.Item) {
			n := number{i.Epoch, i.Seq}
			w.receipts.mu.Lock()
			if _, taken := all.under[n]; !taken {
				all.under[n] = i.ID
				all.ids[i.ID] = true
			}
			w.receipts.mu.Unlock()
			w.broker.send(t, i)
			posted++
		}
		fresh := func(e event.Epoch, seq uint64) event.Item {
			serial++
			i := under(reading("mast", 1000+serial), e, seq)
			items = append(items, i)
			return i
		}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			e := rapid.SampledFrom(epochs).Draw(rt, "epoch")
			switch rapid.SampledFrom([]string{"new", "new", "new", "gap", "again", "conflict", "known", "epoch", "restart", "forgetful", "settle"}).Draw(rt, "step") {
			case "new":
				send(fresh(e, next[e]))
				next[e]++
			case "gap":
				next[e] += 2
				send(fresh(e, next[e]-1))
			case "again":
				if len(items) > 0 {
					send(rapid.SampledFrom(items).Draw(rt, "item"))
				}
			case "conflict": // the device then sends it in a new epoch
				if next[e] > 1 {
					seq := rapid.Uint64Range(1, next[e]-1).Draw(rt, "seq")
					i := fresh(e, seq)
					send(i)
					anew := event.Epoch(fmt.Sprintf("e%d", len(epochs)))
					epochs, next[anew] = append(epochs, anew), 2
					send(under(i, anew, 1))
				}
			case "known":
				if len(items) > 0 {
					send(under(rapid.SampledFrom(items).Draw(rt, "item"), e, next[e]))
					next[e]++
				}
			case "epoch":
				anew := event.Epoch(fmt.Sprintf("e%d", len(epochs)))
				epochs, next[anew] = append(epochs, anew), 1
			case "restart", "forgetful":
				settle()
				forget := rapid.Bool().Draw(rt, "forget")
				w.stop()
				if forget {
					w.forgetsCheckpoints()
				}
				w.broker, posted = newMQTTBroker(), 1
				w.start()
				w.online("mast", 1, slices.Clone(epochs)[:min(len(epochs), event.MaxEpochs)]...)
			case "settle":
				settle()
			}
		}
		settle()
		w.stop()
		have := w.inKafka(t)
		for id := range all.ids {
			if have[id] != 1 {
				rt.Fatalf("item %s is in Kafka %d times", id, have[id])
			}
		}
		if len(have) != len(all.ids) {
			rt.Fatalf("%d items in Kafka, %d were sent", len(have), len(all.ids))
		}
		if n := len(w.log.records(event.DLQTopic)); n != 0 {
			rt.Fatalf("%d dead letters", n)
		}
	})
}
