package schedule

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/event"
)

func TestTheBestGoesFirst(t *testing.T) {
	const k = 1 << 10
	for name, c := range map[string]struct {
		refs []event.Ref
		want []uint64
	}{
		"priority before all":      {[]event.Ref{ref(1, 3, 0, 1, 10), ref(2, 0, 5, 0, 100*k), ref(3, 1, 0, 1, 10)}, []uint64{2, 3, 1}},
		"then the rung":            {[]event.Ref{ref(1, 2, event.RungTile, 1, 10), ref(2, 2, event.RungMask, 0.1, 90*k)}, []uint64{2, 1}},
		"then value per byte":      {[]event.Ref{ref(1, 2, 4, 0.5, 50*k), ref(2, 2, 4, 0.5, 20*k), ref(3, 2, 4, 0.9, 20*k)}, []uint64{3, 2, 1}},
		"then age":                 {[]event.Ref{ref(1, 2, 4, 0.5, k), ref(2, 2, 4, 0.5, k)}, []uint64{1, 2}},
		"one that has begun ends":  {[]event.Ref{ref(1, 2, 4, 0.9, 300*k), ref(2, 2, 4, 1, 200*k)}, []uint64{2, 2, 1, 1, 1}},
		"an empty item goes, once": {[]event.Ref{ref(1, 1, 1, 0, 0)}, []uint64{1}},
	} {
		s := New(rules(), newBox(), always)
		s.Add(c.refs...)
		if got := order(s, broad); !slices.Equal(got, c.want) {
			t.Errorf("%s: went as %v, not %v", name, got, c.want)
		}
	}
}

func TestAnAlertPassesAHugeItemBetweenItsParts(t *testing.T) {
	s := New(rules(), newBox(), always)
	s.Add(ref(1, 1, 0, 1, 10<<20))
	for range 3 {
		if p, _ := s.Choose(epoch, broad); p.Seq != 1 {
			t.Fatalf("chose %+v", p)
		}
	}
	s.Add(ref(2, 2, event.RungTile, 1, 100), ref(3, 0, event.RungAlert, 1, 100))
	p, _ := s.Choose(epoch, broad)
	if p.Seq != 3 || p.Why != Urgent {
		t.Errorf("chose %+v", p)
	}
	if p, _ = s.Choose(epoch, broad); p.Seq != 1 || p.N != 3 || p.Why != Begun {
		t.Errorf("then %+v", p)
	}
}

func TestAnItemThatIsRaisedPassesTheOthers(t *testing.T) {
	s := New(rules(), newBox(), always)
	s.Add(ref(1, 2, 4, 1, 1000), ref(2, 3, 5, 0.1, 1000))
	s.Add(ref(2, 0, 5, 0.1, 1000))
	if got := order(s, broad); !slices.Equal(got, []uint64{2, 1}) {
		t.Errorf("went as %v", got)
	}
}

func TestPartsThatTheCloudHoldsAreNotSent(t *testing.T) {
	b := newBox()
	b.held[1] = event.PartsHeld{Seq: 1, Of: 10, Have: []event.Range{{From: 0, To: 3}, {From: 7, To: 7}}}
	s := New(rules(), b, always)
	s.Add(ref(1, 2, 4, 1, 1<<20)) // would be cut into 8 now: what it was cut into before holds
	var sent []uint32
	next := func() Part {
		p, hold := s.Choose(epoch, broad)
		if hold != None || p.Of != 10 {
			t.Fatalf("%+v, %q", p, hold)
		}
		sent = append(sent, p.N)
		return p
	}
	s.Landed(epoch, next())
	s.Held(epoch, event.PartsHeld{Seq: 1, Of: 10, Have: []event.Range{{From: 5, To: 6}}})
	s.Held(epoch, event.PartsHeld{Seq: 1, Of: 3, Have: []event.Range{{From: 0, To: 2}}}) // cut otherwise: says nothing
	s.Landed(epoch, next())
	if whole := s.Landed(epoch, next()); !whole || !slices.Equal(sent, []uint32{4, 8, 9}) {
		t.Errorf("sent %v, whole %v", sent, whole)
	}
	// Without a receipt only what is still missing goes again.
	b.held[1] = event.PartsHeld{Seq: 1, Of: 10, Have: []event.Range{{From: 0, To: 8}}}
	late := epoch.Add(time.Minute)
	if n := len(s.Overdue(late)); n != 1 {
		t.Fatalf("%d overdue", n)
	}
	if p, _ := s.Choose(late, broad); p.N != 9 {
		t.Errorf("again: %+v", p)
	}
	if p, hold := s.Choose(late, broad); hold != Empty {
		t.Errorf("and %+v", p)
	}
}

func TestPartsFitTheLink(t *testing.T) {
	for _, c := range []struct {
		rate float64
		most int64
	}{{0, 16 << 10}, {1000, 512}, {10_000, 1988}, {125_000, 30_738}, {1e9, 128 << 10}} {
		s := New(rules(), newBox(), always)
		s.Add(ref(1, 2, 4, 1, 1<<20))
		p, _ := s.Choose(epoch, Link{Rate: c.rate, Room: 1 << 30})
		if data := p.Wire - Overhead; data > c.most || data < c.most*9/10 {
			t.Errorf("at %g bytes/s a part has %d bytes, the most is %d", c.rate, data, c.most)
		}
	}
	s := New(rules(), newBox(), always)
	s.Add(ref(1, 2, 4, 1, 100<<20))
	if p, _ := s.Choose(epoch, Link{Rate: 1000, Room: 1}); p.Of > maxParts {
		t.Errorf("cut into %d parts", p.Of)
	}
}

func TestPartsThatTurnOutFarTooLargeAreCutAnew(t *testing.T) {
	for _, rate := range []float64{500, 10_000} {
		b := newBox()
		s := New(rules(), b, always)
		s.Add(ref(1, 2, 4, 1, 1<<20))
		first, _ := s.Choose(epoch, Link{Room: 1})
		s.Landed(epoch, first)
		link := Link{Rate: rate, Room: 1 << 30}
		p, _ := s.Choose(epoch, link)
		if p.N != 0 || p.Of == first.Of || p.Of > maxParts {
			t.Errorf("at %g bytes/s after %+v: %+v", rate, first, p)
		}
		s.Landed(epoch, first) // late news of the old cut does not count
		sent := []uint32{p.N}
		for {
			q, hold := s.Choose(epoch, link)
			if hold != None {
				break
			}
			sent = append(sent, q.N)
		}
		if len(sent) != int(p.Of) {
			t.Errorf("at %g bytes/s %d of %d parts went", rate, len(sent), p.Of)
		}
	}
	b := newBox()
	b.held[1] = event.PartsHeld{Of: 500, Have: []event.Range{{From: 0, To: 0}}}
	s := New(rules(), b, always)
	s.Add(ref(1, 2, 4, 1, 1<<20))
	if p, _ := s.Choose(epoch, broad); p.Of != 500 || p.N != 1 {
		t.Errorf("what the cloud holds was cut anew: %+v", p)
	}
}

func TestNothingBeginsThatTheWindowDoesNotHold(t *testing.T) {
	window := contact.List{{From: epoch, To: epoch.Add(10 * time.Second)}}
	s := New(rules(), newBox(), contact.NewCalendar(window))
	s.Add(ref(1, 2, 4, 1, 30_000), ref(2, 2, 4, 0.1, 5000)) // with envelopes 30 s and 5 s at 2 kB/s
	link := Link{Rate: 2000, Room: 1 << 20}
	if p, _ := s.Choose(epoch.Add(time.Second), link); p.Seq != 2 {
		t.Errorf("began %+v, which the window does not hold, before one that it does", p)
	}
	if p, hold := s.Choose(epoch.Add(9900*time.Millisecond), link); hold != NoBudget {
		t.Errorf("%+v in the last tenth of a second", p)
	}
	if _, hold := s.Choose(epoch.Add(10*time.Second), link); hold != Closed {
		t.Errorf("after the window: %q", hold)
	}
}

func TestAStreamKeepsToItsShareWhileOthersWait(t *testing.T) {
	r := rules()
	r.PartBytes, r.Quotas = 4096, []Quota{{Streams: "camera-*", Share: 0.25}}
	s := New(r, newBox(), always)
	for seq := range uint64(400) {
		camera := ref(2*seq+1, 2, 2, 1, 3000)
		camera.Stream = "camera-1"
		s.Add(camera, ref(2*seq+2, 2, 4, 1, 3000))
	}
	went := order(s, broad)
	cameras := 0
	for _, seq := range went[:400] {
		cameras += int(seq % 2)
	}
	if cameras < 80 || cameras > 105 {
		t.Errorf("%d of the first 400 items are of the camera", cameras)
	}
	if len(went) != 800 {
		t.Errorf("%d of 800 went: when nobody else waits, a share holds nothing back", len(went))
	}
}

func TestPeopleSeeWhatGoesNextAndWhy(t *testing.T) {
	r := rules()
	r.Quotas = []Quota{{Streams: "gate", BytesPerDay: 1 << 20}}
	s := New(r, newBox(), always)
	s.Add(ref(1, 2, 4, 0.5, 1<<20))
	s.Choose(epoch, broad)
	gate := ref(4, 2, 2, 0.5, 100)
	gate.Stream = "gate"
	s.Add(ref(2, 2, 4, 1, 1000), ref(3, 0, 0, 1, 500), gate)
	var got []string
	for _, c := range s.Next(4) {
		got = append(got, fmt.Sprintf("%d %s %d/%d %s", c.Seq, c.Streams, c.Sent, c.Parts, c.Why))
	}
	want := []string{"3  0/0 " + string(Urgent), "4 gate 0/0 " + string(Best), "1  1/8 " + string(Begun), "2  0/0 " + string(Best)}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if left := s.Remaining(epoch); left != (Remaining{-1, -1}) {
		t.Errorf("without a budget %+v is left", left)
	}
}

func TestUsageOutlivesARestart(t *testing.T) {
	r := rules()
	r.Budget.BytesPerDay, r.Quotas = 300<<10, []Quota{{Streams: "gate", BytesPerDay: 140 << 10}}
	s := New(r, newBox(), always)
	gate := ref(1, 2, 4, 1, 128<<10)
	gate.Stream = "gate"
	s.Add(gate)
	s.Choose(epoch, broad)
	again := New(r, newBox(), always)
	again.Restore(s.Usage())
	gate.Seq = 2
	again.Add(gate)
	if p, hold := again.Choose(epoch, broad); hold != NoBudget {
		t.Errorf("%+v went over the quota after a restart", p)
	}
	if left := again.Remaining(epoch); left.Day != 300<<10-128<<10-Overhead {
		t.Errorf("%d bytes are left", left.Day)
	}
	if p, hold := again.Choose(epoch.Add(24*time.Hour), broad); hold != None || p.Seq != 2 {
		t.Errorf("the next day: %+v %q", p, hold)
	}
}

func TestAMillionWaitingItemsFitInFortyBytesEach(t *testing.T) {
	const n = 1_000_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	s := New(rules(), newBox(), always)
	before := heap()
	for seq := range uint64(n) {
		s.Add(ref(seq+1, event.Priority(1+seq%3), event.Rung(seq%6), float64(seq*7919%1000)/1000, int(seq*104729%500_000)))
	}
	each := float64(heap()-before) / n
	t.Logf("%.1f bytes an item", each)
	if each > 45 {
		t.Errorf("%.1f bytes an item", each)
	}
	last := uint8(0)
	for range 1000 {
		p, hold := s.Choose(epoch, broad)
		rank := rankOf(p.Priority, p.Rung)
		if hold != None || p.Why == Best && rank < last {
			t.Fatalf("%+v %q after rank %d", p, hold, last)
		}
		if p.Why == Best {
			last = rank
		}
		s.Landed(epoch, p)
	}
}

// BenchmarkChooseFromABacklog prints how choosing from 500,000 items compares with choosing from ten.
func BenchmarkChooseFromABacklog(b *testing.B) {
	run := func(n int) time.Duration {
		s := New(rules(), newBox(), always)
		for seq := range n {
			s.Add(ref(uint64(seq+1), 2, 4, float64(seq*7919%1000)/1000, 1000))
		}
		const rounds = 20_000
		start := time.Now()
		for i := range rounds {
			p, _ := s.Choose(epoch, broad)
			s.Landed(epoch, p)
			s.Forget(p.Seq)
			s.Add(ref(uint64(n+i+1), 2, 4, float64(i*7919%1000)/1000, 1000))
		}
		return time.Since(start) / rounds
	}
	var few, many time.Duration
	for b.Loop() {
		few += run(10)
		many += run(500_000)
	}
	b.ReportMetric(float64(many)/float64(b.N), "ns/backlog")
	b.ReportMetric(float64(few)/float64(b.N), "ns/empty")
}

func TestAfterANewConnectionAnItemGoesAgainAsSoonAsTheFirstTime(t *testing.T) {
	s := New(rules(), newBox(), always)
	s.Add(ref(1, 2, 4, 1, 1000))
	now := epoch
	for range 5 { // outages, one after the other
		p, hold := s.Choose(now, broad)
		if hold != None {
			t.Fatalf("%+v, %q", p, hold)
		}
		s.Landed(now, p)
		now = now.Add(rules().ReceiptTimeout << mostDoublings)
		if n := len(s.Overdue(now)); n != 1 {
			t.Fatalf("%d overdue", n)
		}
	}
	p, _ := s.Choose(now, broad)
	s.Landed(now, p)
	s.Reconnected(now)
	if n := len(s.Overdue(now.Add(rules().ReceiptTimeout - 1))); n != 0 {
		t.Error("it did not wait for its receipt")
	}
	if n := len(s.Overdue(now.Add(rules().ReceiptTimeout))); n != 1 {
		t.Error("it waits on for the outages before")
	}
}
