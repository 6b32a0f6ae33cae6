package bridge_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/linktile"
)

func TestLargeDataRestsInTheStoreAndPartsBecomeWhole(t *testing.T) {
	w := newWorld(t)
	w.start()
	large, middle := make([]byte, 700<<10), make([]byte, 300<<10)
	rand.Read(large)
	rand.Read(middle)
	a, b := item("mast", 1, event.Tile, large), item("mast", 2, event.Tile, middle)
	partsA, partsB := inParts(a, 128<<10), inParts(b, 128<<10)
	for n := range partsA { // interleaved, and some of them twice
		w.broker.send(t, partsA[n])
		if n < len(partsB) {
			w.broker.send(t, partsB[n], partsB[n])
		}
	}
	w.receipted("mast", 2)
	for _, r := range w.log.records(event.WorkTopic) {
		got, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		data := got.Data
		if got.Seq == 1 {
			if len(r.Value) > 0 || got.Attrs.DataRef == "" {
				t.Errorf("%d bytes in the record, reference %q", len(r.Value), got.Attrs.DataRef)
			}
			if data, err = w.objects.Get(t.Context(), got.Attrs.DataRef); err != nil {
				t.Fatal(err)
			}
		}
		if want := [][]byte{nil, large, middle}[got.Seq]; !bytes.Equal(data, want) || got.Kind != event.Tile || got.Attrs.Parts != 0 || event.Sum(data) != got.SHA256 {
			t.Errorf("item %d is not what it was: %+v", got.Seq, got.Attrs)
		}
	}
	eventually(t, "a store without parts", func() bool {
		keys := w.objects.keys()
		return len(keys) == 1 && strings.HasPrefix(keys[0], "items/mast/")
	})
}

// TestATileThatARefinementMayFollowRestsInTheStoreToo under the name of its place in the scene, whether its record
// has the bytes or not.
func TestATileThatARefinementMayFollowRestsInTheStoreToo(t *testing.T) {
	w := newWorld(t)
	w.start()
	for n, more := range []bool{true, false} {
		tile := linktile.Tile{Header: linktile.Header{W: 2, H: 2, Bands: []string{"blue"}, DataType: "UInt16", Error: []int{5}, More: more, Scalings: []linktile.Scaling{{Scale: 0.0001}},
			Place: linktile.Place{SceneW: 2, SceneH: 2, Size: 256, Margin: 51, Cols: 1, Rows: 1}}, Pix: []uint16{1000, 1100, 1200, 1300}}
		data, err := tile.Encode()
		if err != nil {
			t.Fatal(err)
		}
		i := item("mast", uint64(n)+1, event.Tile, data)
		i.Type, i.Attrs.Scene, i.Attrs.Tile = linktile.MediaType, "a/b", "0_"+strconv.Itoa(n)
		w.broker.send(t, i)
	}
	w.receipted("mast", 2)
	if keys := w.objects.keys(); len(keys) != 1 || keys[0] != "bases/mast/a%2Fb/0_0" {
		t.Errorf("the store has %q", keys)
	}
	for _, r := range w.log.records(event.WorkTopic) {
		if got, err := r.Item(); err != nil || len(got.Data) == 0 || got.Attrs.DataRef != "" {
			t.Errorf("%+v, %v", got.Attrs, err)
		}
	}
}

func TestPartsOutliveTheBridge(t *testing.T) {
	w := newWorld(t)
	w.start()
	data := make([]byte, 400<<10)
	rand.Read(data)
	parts := inParts(item("mast", 1, event.Tile, data), 100<<10)
	w.broker.send(t, parts[0], parts[1])
	eventually(t, "two parts are acknowledged", func() bool { return w.broker.acknowledged() == 2 })
	w.stop()
	w.broker = newMQTTBroker()
	w.start()
	w.broker.send(t, parts[2], parts[3]) // the link carries each part once
	w.receipted("mast", 1)
	if got, err := w.log.records(event.WorkTopic)[0].Item(); err != nil || !bytes.Equal(got.Data, data) {
		t.Error("the item is not what it was", err)
	}
}

func TestPartsThatDoNotMatchTheirDigestAreSentAgain(t *testing.T) {
	w := newWorld(t)
	w.start()
	data := bytes.Repeat([]byte("cloud "), 50<<10)
	whole := item("mast", 1, event.Tile, data)
	spoiled := inParts(whole, 128<<10)
	spoiled[1].Data = append([]byte("x"), spoiled[1].Data[1:]...)
	w.broker.send(t, spoiled...)
	eventually(t, "the spoiled item is set aside", func() bool { return len(w.log.records(event.DLQTopic)) == 1 })
	w.broker.send(t, inParts(whole, 128<<10)...)
	w.receipted("mast", 1)
	if got, err := w.log.records(event.WorkTopic)[0].Item(); err != nil || !bytes.Equal(got.Data, data) {
		t.Error("the item is not what it was", err)
	}
}

// held is what the latest receipt says of an item's parts.
func (w *world) held(edge string, seq uint64) (of uint32, have []event.Range, told bool) {
	r, _ := w.receipts.of(edge)
	for _, p := range r.Parts {
		if p.Seq == seq {
			return p.Of, p.Have, true
		}
	}
	return 0, nil, false
}

func (w *world) holds(edge string, seq uint64, of uint32, have ...event.Range) {
	w.t.Helper()
	eventually(w.t, "a receipt that names the parts", func() bool {
		gotOf, got, told := w.held(edge, seq)
		return told && gotOf == of && slices.Equal(got, have)
	})
}

func TestReceiptsNameThePartsThatAreHeldAlsoAfterARestart(t *testing.T) {
	w := newWorld(t)
	w.start()
	data := make([]byte, 800<<10)
	rand.Read(data)
	parts := inParts(item("mast", 1, event.Tile, data), 100<<10)
	w.broker.send(t, parts[0], parts[1], parts[4])
	w.holds("mast", 1, 8, event.Range{From: 0, To: 1}, event.Range{From: 4, To: 4})
	w.stop()
	w.broker, w.receipts = newMQTTBroker(), &sentReceipts{latest: map[string]event.Receipt{}}
	w.start()
	w.holds("mast", 1, 8, event.Range{From: 0, To: 1}, event.Range{From: 4, To: 4})
	for _, n := range []int{2, 3, 5, 6, 7} {
		w.broker.send(t, parts[n])
	}
	w.receipted("mast", 1)
	if _, _, told := w.held("mast", 1); told {
		t.Error("a receipt names parts of an item that is whole")
	}
	if got, err := w.log.records(event.WorkTopic)[0].Item(); err != nil || event.Sum(w.objects.get(got.Attrs.DataRef)) != event.Sum(data) {
		t.Error("the item is not what it was", err)
	}
}

func TestPartsAreToldToAnEdgeThatComesOnline(t *testing.T) {
	w := newWorld(t)
	w.start()
	parts := inParts(item("mast", 3, event.Tile, make([]byte, 300<<10)), 100<<10)
	w.broker.send(t, parts[1])
	w.holds("mast", 3, 3, event.Range{From: 1, To: 1})
	_, before := w.receipts.of("mast")
	w.broker.publish(event.StatusTopic("mast"), []byte(`{"status":"online","edge":"mast","epoch":"`+string(epoch)+`","version":"1"}`))
	eventually(t, "another receipt", func() bool { _, n := w.receipts.of("mast"); return n > before })
	w.holds("mast", 3, 3, event.Range{From: 1, To: 1})
	w.broker.publish(event.StatusTopic("new"), []byte(`{"status":"online","edge":"new","epoch":"e7","version":"1"}`))
	eventually(t, "a receipt to an edge that has sent nothing", func() bool { r, n := w.receipts.of("new"); return n > 0 && r.Epoch == "e7" && r.Through == 0 })
	w.broker.publish(event.StatusTopic("gone"), []byte(`{"status":"offline","edge":"gone","epoch":"e7","version":"1"}`))
	w.broker.publish(event.StatusTopic("broken"), []byte(`{`))
	eventually(t, "all are acknowledged", func() bool { return w.broker.acknowledged() == 5 })
	if n := len(w.log.records(event.DLQTopic)); n != 0 {
		t.Errorf("%d dead letters", n)
	}
}

func TestItemThatIsCutAnewBeginsAnew(t *testing.T) {
	for name, restart := range map[string]bool{"SameBridge": false, "NextBridge": true} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.start()
			data := make([]byte, 400<<10)
			rand.Read(data)
			whole := item("mast", 1, event.Tile, data)
			old, anew := inParts(whole, 100<<10), inParts(whole, 64<<10)
			w.broker.send(t, old[0], old[1], old[2])
			w.holds("mast", 1, 4, event.Range{From: 0, To: 2})
			if restart {
				w.stop()
				w.broker = newMQTTBroker()
				w.start()
			}
			w.broker.send(t, anew[:4]...)
			w.holds("mast", 1, 7, event.Range{From: 0, To: 3})
			eventually(t, "the old parts are gone", func() bool { return len(w.objects.keys()) == 4 })
			w.broker.send(t, anew[4:]...)
			w.receipted("mast", 1)
			if got, err := w.log.records(event.WorkTopic)[0].Item(); err != nil || !bytes.Equal(got.Data, data) {
				t.Error("the item is not what it was", err)
			}
			if n := len(w.log.records(event.DLQTopic)); n != 0 {
				t.Errorf("%d dead letters", n)
			}
			eventually(t, "no parts are left", func() bool { return len(w.objects.keys()) == 0 })
		})
	}
}

func TestPartsOfBothCutsInOneBatchDoNotMix(t *testing.T) {
	w := newWorld(t)
	data := make([]byte, 400<<10)
	rand.Read(data)
	whole := item("mast", 1, event.Tile, data)
	old, anew := inParts(whole, 100<<10), inParts(whole, 64<<10)
	w.broker.send(t, old[0], anew[0], anew[1], old[1], old[2], anew[2], old[3])
	w.broker.send(t, anew...)
	w.start()
	w.receipted("mast", 1)
	if got, err := w.log.records(event.WorkTopic)[0].Item(); err != nil || !bytes.Equal(got.Data, data) {
		t.Error("the item is not what it was", err)
	}
	eventually(t, "no parts are left", func() bool { return len(w.objects.keys()) == 0 })
}

func TestPartsThatCameToNothingAreTakenBack(t *testing.T) {
	w := newWorld(t)
	w.start()
	spoiled := inParts(item("mast", 1, event.Tile, bytes.Repeat([]byte("cloud "), 50<<10)), 128<<10)
	spoiled[1].Data = append([]byte("x"), spoiled[1].Data[1:]...)
	w.broker.send(t, spoiled...)
	w.holds("mast", 1, 3) // none of them: all must come again
}

func TestPartsAreFoundWhereTheStoreWasAwayAtTheStart(t *testing.T) {
	w := newWorld(t)
	w.start()
	data := make([]byte, 400<<10)
	rand.Read(data)
	parts := inParts(item("mast", 1, event.Tile, data), 100<<10)
	w.broker.send(t, parts[0], parts[1])
	eventually(t, "two parts are acknowledged", func() bool { return w.broker.acknowledged() == 2 })
	w.stop()
	w.broker, w.receipts = newMQTTBroker(), &sentReceipts{latest: map[string]event.Receipt{}}
	w.objects.break_(errAway)
	w.start()
	w.broker.send(t, reading("mast", 2)) // needs no store
	eventually(t, "it is in Kafka", func() bool { return w.broker.acknowledged() == 1 })
	w.objects.break_(nil)
	w.broker.send(t, parts[2])
	w.holds("mast", 1, 4, event.Range{From: 0, To: 2})
	w.broker.send(t, parts[3])
	w.receipted("mast", 2)
}
