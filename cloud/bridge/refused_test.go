package bridge_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// statusOf is what the bridge says of an edge's epoch.
func (w *world) statusOf(edge string) (s dedup.EdgeStatus) {
	for _, s := range w.bridge.Status() {
		if s.Edge == edge {
			return s
		}
	}
	return s
}

func TestInventedNumbersOfOneDeviceAreRefusedAndAllElseGoesOn(t *testing.T) {
	w := newWorld(t)
	w.start()
	const invented = 500
	for range invented {
		w.broker.send(t, reading("liar", rand.Uint64()|1<<40))
	}
	w.broker.send(t, readings("mast", 1, 50)...)
	w.broker.send(t, reading("liar", 1))
	w.receipted("mast", 50)
	w.receipted("liar", 1)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == invented+51 })
	if s := w.statusOf("liar"); s.Refused["ahead"] != invented || s.Written != 1 {
		t.Errorf("%+v", s)
	}
	if n := len(w.log.records(event.EventsTopic)); n != 51 {
		t.Errorf("%d records", n)
	}
	if err := w.bridge.Ready(); err != nil {
		t.Error(err)
	}
}

// An item that Kafka has, sent under ever other numbers, costs nothing either.
func TestInventedNumbersOfAKnownItemAreRefusedToo(t *testing.T) {
	w := newWorld(t)
	w.start()
	w.broker.send(t, reading("liar", 1))
	w.receipted("liar", 1)
	const invented = 300
	for range invented {
		w.broker.send(t, under(reading("liar", 1), epoch, rand.Uint64()|1<<40))
	}
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == invented+1 })
	if s := w.statusOf("liar"); s.Refused["ahead"] != invented || s.Known != 0 || s.Highest != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWhatIsRefusedComesAgainAndIsTaken(t *testing.T) {
	w := newWorld(t)
	w.cfg.StoreBytesPerDay = 1 << 20
	w.start()
	large := func(seq uint64) event.Item { return item("mast", seq, event.Tile, make([]byte, 700<<10)) }
	w.broker.send(t, large(1), large(2), reading("mast", 3))
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 3 })
	eventually(t, "a receipt for what was written", func() bool {
		r, _ := w.receipts.of("mast")
		return r.Through == 1 && !r.Has(2) && r.Has(3)
	})
	w.stop()
	w.cfg.StoreBytesPerDay = 0 // the next day
	w.broker = newMQTTBroker()
	w.start()
	w.broker.send(t, large(2))
	w.receipted("mast", 3)
	if n := len(w.log.records(event.WorkTopic)); n != 2 {
		t.Errorf("%d records", n)
	}
}

// A store that is used up for the day must not make a part count that was never stored.
func TestPartsThatAreRefusedAreNotTakenForStored(t *testing.T) {
	w := newWorld(t)
	w.cfg.StoreBytesPerDay = 250 << 10
	w.start()
	whole := item("mast", 1, event.Tile, make([]byte, 400<<10))
	w.broker.send(t, inParts(whole, 100<<10)...)
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 4 })
	w.holds("mast", 1, 4, event.Range{From: 0, To: 1})
	if len(w.log.records(event.WorkTopic)) != 0 || len(w.log.records(event.DLQTopic)) != 0 {
		t.Error("an item of which half is there came to something")
	}
	if s := w.statusOf("mast"); s.Refused["store"] != 2 {
		t.Errorf("%+v", s)
	}
}

func TestUnfinishedItemsOverTheirBytesAreGivenUpTheOldestFirst(t *testing.T) {
	w := newWorld(t)
	w.cfg.ItemBytes, w.cfg.PartsEdgeBytes = 1<<20, 1<<20
	w.start()
	a, b := item("mast", 1, event.Tile, make([]byte, 900<<10)), item("mast", 2, event.Tile, append(make([]byte, 899<<10), make([]byte, 1<<10)...))
	partsA, partsB := inParts(a, 300<<10), inParts(b, 300<<10)
	w.broker.send(t, partsA[0], partsA[1])
	w.holds("mast", 1, 3, event.Range{From: 0, To: 1})
	w.broker.send(t, partsB[0], partsB[1])
	w.holds("mast", 1, 3) // nothing: all of it must come again
	w.holds("mast", 2, 3, event.Range{From: 0, To: 1})
	w.broker.send(t, partsB[2])
	eventually(t, "the second is whole", func() bool { r, _ := w.receipts.of("mast"); return r.Has(2) })
	w.broker.send(t, partsA...)
	w.receipted("mast", 2)
	eventually(t, "no parts are left", func() bool {
		return !slices.ContainsFunc(w.objects.keys(), func(key string) bool { return strings.HasPrefix(key, "parts/") })
	})
}

// An item is given up with the part that makes it too large, not when all of it is there.
func TestItemOverItsBytesIsADeadLetterThatNamesTheLimit(t *testing.T) {
	w := newWorld(t)
	w.cfg.ItemBytes = 1 << 20
	w.start()
	parts := inParts(item("mast", 1, event.Tile, make([]byte, 4<<20)), 300<<10)
	w.broker.send(t, parts[:8]...) // in one batch or several
	eventually(t, "it is set aside", func() bool { return len(w.log.records(event.DLQTopic)) == 1 })
	if reason := header(w.log.records(event.DLQTopic)[0], deadletter.HeadReason); !strings.Contains(reason, fmt.Sprint(1<<20)) || !strings.Contains(reason, "bridge.item_bytes") {
		t.Errorf("the reason is %q", reason)
	}
	w.broker.send(t, readings("vessel", 1, 3)...)
	w.receipted("vessel", 3)
	if n := len(w.log.records(event.DLQTopic)); n != 1 {
		t.Errorf("%d dead letters", n)
	}
}

func TestCheckpointsThatFailAreToldByReadiness(t *testing.T) {
	w := newWorld(t)
	w.log.unable = errors.New("the record is too large")
	w.start()
	w.broker.send(t, readings("mast", 1, 3)...)
	w.receipted("mast", 3) // items go on
	eventually(t, "it says that it is not ready", func() bool {
		err := w.bridge.Ready()
		return err != nil && strings.Contains(err.Error(), "the record is too large")
	})
	w.log.mu.Lock()
	w.log.unable = nil
	w.log.mu.Unlock()
	eventually(t, "it is ready again", func() bool { return w.bridge.Ready() == nil })
}

func TestADeviceThatFloodsDoesNotHoldUpOthers(t *testing.T) {
	w := newWorld(t)
	w.cfg.QueueMessages, w.cfg.BatchMessages, w.cfg.QueueShare = 64, 16, 0.5
	release := make(chan struct{})
	w.log.fault = func(n int, _ []kafka.Record) error {
		if n > 2 {
			<-release
		}
		return nil
	}
	w.start()
	w.broker.send(t, reading("flood", 1))
	w.receipted("flood", 1)
	w.broker.send(t, reading("mast", 1))
	w.receipted("mast", 1)
	w.broker.send(t, reading("mast", 2)) // in hand from now on
	w.broker.send(t, readings("flood", 2, 500)...)
	w.broker.send(t, readings("mast", 3, 20)...)
	refused := func() bool { return w.statusOf("flood").Refused["queue"] > 0 }
	for deadline := time.Now().Add(2 * time.Minute); !refused() && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
	}
	close(release)
	if !refused() {
		t.Fatal("nothing of the flood is refused")
	}
	w.receipted("mast", 20)
	eventually(t, "all are acknowledged, in order", func() bool { return w.broker.acknowledged() == 520 })
	var missing []event.Item // the device sends again what it has no receipt for
	have := w.log.seqs(t, event.EventsTopic)
	for _, i := range readings("flood", 1, 500) {
		if !slices.Contains(have, i.Seq) {
			missing = append(missing, i)
		}
	}
	w.broker.send(t, missing...)
	eventually(t, "all of the flood is there", func() bool { r, _ := w.receipts.of("flood"); return r.Through == 500 })
}
