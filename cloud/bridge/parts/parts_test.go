package parts

import (
	"testing"
	"time"

	"cloudcanvas/shared/event"
)

func TestUnfinishedItemsOfAnEdgeAreBounded(t *testing.T) {
	p := New(nil, 1<<20, 256<<20)
	open := func(edge string, seq uint64, bytes int) *Assembly {
		i := event.Item{Edge: edge, Epoch: "e1", Seq: seq, SHA256: event.Sum([]byte{byte(seq)}), Data: make([]byte, bytes)}
		i.ID[0], i.Attrs.Parts = 1, 2
		a, _, err := p.Open(t.Context(), &i)
		if err != nil {
			t.Fatal(err)
		}
		p.Stored(a, &i)
		return a
	}
	for seq := uint64(1); seq <= UnfinishedItems; seq++ {
		if gone := p.Surplus(open("mast", seq, 10), 1<<30); len(gone) != 0 {
			t.Fatalf("%d go at %d", len(gone), seq)
		}
	}
	open("vessel", 1, 10)
	gone := p.Surplus(open("mast", 9999, 10), 1<<30)
	if len(gone) != 1 || gone[0].ID != (Identity{"mast", "e1", 1}) {
		t.Errorf("%d go", len(gone))
	}
	if gone := p.Surplus(open("mast", 9999, 10), 105); len(gone) != UnfinishedItems+1-10 {
		t.Errorf("%d go for their bytes", len(gone))
	}
	if gone := p.Stale(time.Now().Add(time.Hour)); len(gone) != UnfinishedItems+2 {
		t.Errorf("%d are stale", len(gone))
	}
	for _, a := range p.Stale(time.Now().Add(time.Hour)) {
		p.forget(a)
	}
	if len(p.edges) != 0 || p.count != 0 || p.held != 0 {
		t.Errorf("left are %d edges, %d parts, %d bytes", len(p.edges), p.count, p.held)
	}
}

// FuzzPartKey: a key is either one that a part was stored under, or none.
func FuzzPartKey(f *testing.F) {
	c := Cut{Identity{"mast", "e1", 7}, event.Sum(nil), 9}
	f.Add(c.Key(3))
	f.Add("parts/1/mast/e1/7/00/9/3")
	f.Fuzz(func(t *testing.T, key string) {
		if c, n, ok := parseKey(key); ok && (c.Key(n) != key || n >= c.Of || c.ID.Seq == 0) {
			t.Fatalf("%q is taken for part %d of %+v", key, n, c)
		}
	})
}
