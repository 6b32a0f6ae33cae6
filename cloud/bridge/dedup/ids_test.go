package dedup

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/oklog/ulid/v2"
	"pgregory.net/rapid"

	"cloudcanvas/cloud/bridge/parts"
	"cloudcanvas/shared/event"
)

// What ids say is true, whatever they have forgotten: of a number the item that was put there last or
// first, of an item a number that it was put under; and the index holds nothing else.
func TestIDsForgetButDoNotErr(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := NewIDs(rapid.IntRange(1, 2000).Draw(t, "most"))
		type number struct {
			edge  string
			epoch event.Epoch
			seq   uint64
		}
		first := map[number]Known{}
		items := map[ulid.ULID]map[number]bool{}
		for range rapid.IntRange(1, 400).Draw(t, "puts") {
			n := number{
				rapid.SampledFrom([]string{"a", "b"}).Draw(t, "edge"), rapid.SampledFrom([]event.Epoch{"1", "2", "3"}).Draw(t, "epoch"),
				rapid.OneOf(rapid.Uint64Range(1, 20), rapid.Uint64Range(1, 5000), rapid.Uint64Range(1, parts.MaxSeq)).Draw(t, "seq"),
			}
			k := Known{Seq: n.seq, ID: ulid.ULID{15: byte(rapid.IntRange(0, 200).Draw(t, "id"))}}
			m.Put(n.edge, n.epoch, k)
			got, ok := m.At(n.edge, n.epoch, n.seq)
			if !ok {
				if m.held+idsEach < m.most {
					t.Fatalf("%+v is not remembered under %+v", k, n)
				}
				continue // the numbers after it need the room
			}
			if got != k && !items[got.ID][n] {
				t.Fatalf("%+v under %+v is %+v", k, n, got)
			}
			k = got
			first[n] = k
			if items[k.ID] == nil {
				items[k.ID] = map[number]bool{}
			}
			items[k.ID][n] = true
		}
		for n, k := range first {
			if got, ok := m.At(n.edge, n.epoch, n.seq); ok && got != k {
				t.Fatalf("under %+v stands %+v, not %+v", n, got, k)
			}
			if epoch, seq, ok := m.Find(n.edge, k); ok && !items[k.ID][number{n.edge, epoch, seq}] {
				t.Fatalf("%+v is found under %s %d", k, epoch, seq)
			}
		}
		held, large := 0, 0
		for _, e := range m.edges {
			of := 0
			for _, epoch := range e.epochs {
				if len(epoch.slots) > idsEach {
					large++
				}
				for _, k := range epoch.slots {
					if k.Seq != 0 {
						of++
					}
				}
			}
			if len(e.by) > of {
				t.Fatalf("%d in the index of %d", len(e.by), of)
			}
			held += of
		}
		if held != m.held || held > m.most+idsEach || large != m.large {
			t.Fatalf("held are %d, said %d, at most %d; %d large, said %d", held, m.held, m.most, large, m.large)
		}
	})
}

func TestIDsKeepTheLastNumbersOfAnEpoch(t *testing.T) {
	m := NewIDs(MostIDs)
	all := map[uint64]Known{}
	for seq := uint64(1); seq <= 10_000; seq++ {
		k := Known{Seq: seq}
		rand.Read(k.ID[:])
		all[seq] = k
		m.Put("mast", "e1", k)
	}
	for seq := uint64(10_000 - idsLarge + 1); seq <= 10_000; seq++ {
		if k, ok := m.At("mast", "e1", seq); !ok || k != all[seq] {
			t.Fatalf("%d: %+v, %v", seq, k, ok)
		}
		if _, at, ok := m.Find("mast", all[seq]); !ok || at != seq {
			t.Fatalf("%d is found under %d, %v", seq, at, ok)
		}
	}
	if _, ok := m.At("mast", "e1", 10_000-idsLarge); ok {
		t.Error("more is kept than the bound says")
	}
}

func TestManyEpochsShareTheRoom(t *testing.T) {
	m := NewIDs(MostIDs)
	const epochs, each = 200, 2000
	for seq := uint64(1); seq <= each; seq++ {
		for e := range epochs {
			k := Known{Seq: seq}
			rand.Read(k.ID[:])
			m.Put("mast", event.Epoch(fmt.Sprint(e)), k)
		}
	}
	if m.held > MostIDs {
		t.Errorf("%d are held of %d", m.held, MostIDs)
	}
	for e := range epochs {
		for _, seq := range []uint64{each - idsEach + 1, each} {
			if _, ok := m.At("mast", event.Epoch(fmt.Sprint(e)), seq); !ok {
				t.Fatalf("number %d of epoch %d is forgotten", seq, e)
			}
		}
	}
}
