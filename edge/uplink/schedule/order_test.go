package schedule

import (
	"cmp"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/shared/event"
)

func reading(seq uint64, stream string, bytes int) event.Ref {
	return event.Ref{Seq: seq, Priority: event.Normal, Rung: event.RungVector, Kind: event.Reading, Stream: stream, Value: 0.5, Bytes: bytes}
}

func TestReadingsGoOldestFirstAndPicturesNewestFirst(t *testing.T) {
	readings := []event.Ref{reading(3, "boiler", 90), reading(1, "boiler", 100), reading(2, "tank", 80), reading(4, "boiler", 95)}
	frames := slices.Clone(readings)
	for i := range frames {
		frames[i].Kind, frames[i].Rung = event.Frame, event.RungFull
	}
	both := append(slices.Clone(readings[:2]), func() event.Ref { r := reading(5, "boiler", 10); r.Priority = event.High; return r }())
	for name, c := range map[string]struct {
		rules []OrderRule
		refs  []event.Ref
		want  []uint64
	}{
		"readings, by value across streams": {nil, readings, []uint64{2, 1, 3, 4}},
		"frames":                            {nil, frames, []uint64{2, 4, 3, 1}},
		"a setting":                         {[]OrderRule{{"boi*", nil, NewestFirst}}, readings, []uint64{2, 4, 3, 1}},
		"a setting for another kind":        {[]OrderRule{{"*", []event.Kind{event.Frame}, OldestFirst}}, frames, []uint64{2, 1, 3, 4}},
		"by value":                          {[]OrderRule{{"*", nil, ByValue}}, readings, []uint64{2, 3, 4, 1}},
		"a higher priority passes":          {nil, both, []uint64{5, 1, 3}},
	} {
		r := rules()
		r.Order = c.rules
		s := listening(r, newBox())
		s.Add(c.refs...)
		var shown []uint64
		for _, n := range s.Next(9) {
			shown = append(shown, n.Seq)
		}
		if got := order(s, broad); !slices.Equal(got, c.want) {
			t.Errorf("%s: went as %v, not %v", name, got, c.want)
		}
		if len(shown) != len(c.want) || shown[0] != c.want[0] {
			t.Errorf("%s: people were shown %v", name, shown)
		}
	}
}

// TestASeriesSendsOneUntilTheFirstReceipt sends readings to a broker that may give them to nobody.
func TestASeriesSendsOneUntilTheFirstReceipt(t *testing.T) {
	box := newBox()
	s := New(rules(), box, always)
	s.Add(reading(1, "boiler", 10), reading(2, "boiler", 10), reading(3, "tank", 10), reading(4, "tank", 10), reading(5, "boiler", 10))
	now := epoch
	sends := func(want ...uint64) {
		t.Helper()
		got := order(s, broad)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("went %v, want %v", got, want)
		}
	}
	sends(1, 3)
	now = now.Add(time.Minute) // both were given to nobody
	if late := s.Overdue(now); len(late) != 2 {
		t.Fatalf("%v are overdue", late)
	}
	sends(1, 3)
	box.gone[3] = true
	s.Forget(3)
	sends(2, 4, 5)

	s.Reconnected(now)
	s.Add(reading(6, "boiler", 10), reading(7, "boiler", 10))
	for _, seq := range []uint64{1, 2, 4, 5} { // what went over the connection before does not show that anybody listens now
		box.gone[seq] = true
		s.Forget(seq)
	}
	sends(6)
	box.gone[6] = true
	s.Forget(6)
	sends(7)
}

func TestALaterReadingWaitsForOneThatFailedAndOtherStreamsDoNot(t *testing.T) {
	s := listening(rules(), newBox())
	s.Add(reading(1, "boiler", 10), reading(2, "boiler", 10), reading(3, "tank", 10))
	first, _ := s.Choose(epoch, broad)
	s.Failed(epoch, first, false)
	if p, _ := s.Choose(epoch, broad); p.Seq != 3 || p.Series == first.Series {
		t.Errorf("%+v after %+v", p, first)
	}
	if p, hold := s.Choose(epoch, broad); hold != InOrder {
		t.Errorf("%+v %q", p, hold)
	}
	if got := func() (seqs []uint64) {
		for {
			p, hold := s.Choose(epoch.Add(retry), broad)
			if hold != None {
				return seqs
			}
			seqs = append(seqs, p.Seq)
		}
	}(); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("%v", got)
	}
}

func TestOneThatCanNeverBeSentHoldsUpItsSeriesForAWhileOnly(t *testing.T) {
	s := New(rules(), newBox(), always)
	s.Add(reading(1, "boiler", 10), reading(2, "boiler", 10))
	now := epoch
	for n := 1; ; n++ {
		p, hold := s.Choose(now, broad)
		if hold != None || p.Seq != 1 {
			t.Fatalf("%+v %q", p, hold)
		}
		if passed := s.Failed(now, p, true); passed != (n == mostFaults) {
			t.Fatalf("after %d faults: %v", n, passed)
		} else if passed {
			break
		}
		now = now.Add(retry << mostDoublings)
	}
	var got []uint64
	for range 2 {
		p, _ := s.Choose(now, broad)
		got = append(got, p.Seq)
	}
	if slices.Sort(got); !slices.Equal(got, []uint64{1, 2}) {
		t.Errorf("%v", got)
	}
}

func TestAMillionWaitingReadingsFitInFortyFiveBytesEach(t *testing.T) {
	const n = 1_000_000
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	s := New(rules(), newBox(), always)
	streams := make([]string, 100)
	for i := range streams {
		streams[i] = fmt.Sprint("sensor-", i)
	}
	before := heap()
	for seq := range uint64(n) {
		s.Add(reading(seq+1, streams[seq%100], int(seq%400)))
	}
	each := float64(heap()-before) / n
	t.Logf("%.1f bytes an item", each)
	if each > 45 {
		t.Errorf("%.1f bytes an item", each)
	}
	start := time.Now()
	for range 10_000 {
		p, hold := s.Choose(epoch, broad)
		if hold != None {
			t.Fatal(hold)
		}
		s.Landed(epoch, p)
		s.Forget(p.Seq)
	}
	t.Logf("%s a choice", time.Since(start)/10_000)
	runtime.KeepAlive(s)
}

// chain is a device, a link, a broker and a cloud, each of which may fail. What the broker has taken is
// lost when it dies; the device does not hear what became of what was on its way then.
type chain struct {
	s      *Scheduler
	rules  Rules
	box    *fakeBox
	now    time.Time
	refs   map[uint64]event.Ref
	flying []Part
	late   []Part // of a connection that is gone: their failure is not reported yet
	queue  []Part // in the broker
	parts  map[[2]uint64]map[uint32]bool
	whole  map[uint64]bool
	last   map[string]uint64 // the newest that is whole in the cloud, by stream and rank
}

func (c *chain) fail(t *rapid.T, own bool) {
	for _, p := range c.late {
		c.s.Failed(c.now, p, own)
	}
	c.late = nil
}

// cut ends the connection: of what flies the first few reached the broker.
func (c *chain) cut(t *rapid.T) {
	reached := rapid.IntRange(0, len(c.flying)).Draw(t, "reached")
	c.queue = append(c.queue, c.flying[:reached]...)
	c.late = append(c.late, c.flying...)
	c.flying = nil
	if rapid.Bool().Draw(t, "broker dies") {
		c.queue = nil
	}
}

// arrive lets the cloud take the next of the broker's.
func (c *chain) arrive(t *rapid.T) {
	p := c.queue[0]
	c.queue = c.queue[1:]
	key := [2]uint64{p.Seq, uint64(p.Of)}
	if c.parts[key] == nil {
		c.parts[key] = map[uint32]bool{}
	}
	c.parts[key][p.N] = true
	if c.whole[p.Seq] || len(c.parts[key]) < int(p.Of) {
		return
	}
	c.whole[p.Seq] = true
	r := c.refs[p.Seq]
	if r.Kind != event.Reading {
		return
	}
	series := fmt.Sprint(r.Stream, r.Priority)
	if p.Seq < c.last[series] {
		t.Fatalf("%d of %s came after %d", p.Seq, series, c.last[series])
	}
	c.last[series] = p.Seq
}

// restart begins anew with what waits, in the order in which the buffer gives it.
func (c *chain) restart() {
	c.s = New(c.rules, c.box, always)
	c.flying, c.late = nil, nil
	var waiting []event.Ref
	for seq, r := range c.refs {
		if c.box.Waits(seq) {
			waiting = append(waiting, r)
		}
	}
	slices.SortFunc(waiting, func(a, b event.Ref) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(a.Seq, b.Seq))
	})
	c.s.Add(waiting...)
	c.s.Reconnected(c.now)
}

func TestASeriesArrivesInOrderWhateverFails(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{PartBytes: 2048, ReceiptTimeout: 30 * time.Second, OldestShare: rapid.SampledFrom([]float64{0.05, 1}).Draw(t, "oldest"), Quotas: []Quota{{Streams: "b", Share: 0.3}}}
		c := &chain{rules: r, box: newBox(), now: epoch, refs: map[uint64]event.Ref{}, parts: map[[2]uint64]map[uint32]bool{}, whole: map[uint64]bool{}, last: map[string]uint64{}}
		c.restart()
		seq := uint64(0)
		for range rapid.IntRange(1, 400).Draw(t, "steps") {
			switch rapid.IntRange(0, 11).Draw(t, "step") {
			case 0, 1:
				for range rapid.IntRange(1, 8).Draw(t, "burst") {
					seq++
					ref := event.Ref{Seq: seq, Priority: event.Priority(rapid.IntRange(0, 2).Draw(t, "priority")), Rung: event.RungVector,
						Kind:   rapid.SampledFrom([]event.Kind{event.Reading, event.Reading, event.Reading, event.Tile}).Draw(t, "kind"),
						Stream: rapid.SampledFrom([]string{"a", "b"}).Draw(t, "stream"),
						Value:  rapid.Float64Range(0, 1).Draw(t, "value"), Bytes: rapid.SampledFrom([]int{0, 10, 100, 5000}).Draw(t, "bytes")}
					c.refs[seq] = ref
					c.s.Add(ref)
				}
			case 2, 3, 4:
				for range rapid.IntRange(1, 8).Draw(t, "window") {
					if p, hold := c.s.Choose(c.now, broad); hold == None {
						c.flying = append(c.flying, p)
					}
				}
			case 5, 6: // PUBACKs come in their order
				for range rapid.IntRange(0, len(c.flying)).Draw(t, "acknowledged") {
					c.queue = append(c.queue, c.flying[0])
					c.s.Landed(c.now, c.flying[0])
					c.flying = c.flying[1:]
				}
			case 7:
				for range rapid.IntRange(0, len(c.queue)).Draw(t, "taken") {
					c.arrive(t)
				}
			case 8:
				for seq := range c.whole {
					c.box.gone[seq] = true
				}
				c.s.Sweep()
			case 9:
				c.cut(t)
				if rapid.Bool().Draw(t, "reported before") {
					c.fail(t, false)
				}
				c.s.Reconnected(c.now)
			case 10:
				c.fail(t, false)
				c.now = c.now.Add(time.Duration(rapid.IntRange(1, 400).Draw(t, "wait")) * 100 * time.Millisecond)
				c.s.Overdue(c.now)
			case 11:
				switch rapid.IntRange(0, 3).Draw(t, "fault") {
				case 0:
					c.cut(t)
					c.restart()
				case 1: // one can't be read just now: it and what was chosen after it of its series goes nowhere
					if len(c.flying) == 0 {
						break
					}
					bad := rapid.IntRange(0, len(c.flying)-1).Draw(t, "bad")
					series := c.flying[bad].Series
					rest := c.flying[:bad:bad]
					for n, p := range c.flying[bad:] {
						if n == 0 || series != 0 && p.Series == series {
							c.late = append(c.late, p)
						} else {
							rest = append(rest, p)
						}
					}
					c.flying = rest
					c.fail(t, false)
				}
			}
		}
		// In the end everything comes.
		for n := 0; ; n++ {
			c.fail(t, false)
			for {
				p, hold := c.s.Choose(c.now, broad)
				if hold != None {
					break
				}
				c.flying = append(c.flying, p)
			}
			for _, p := range c.flying {
				c.queue = append(c.queue, p)
				c.s.Landed(c.now, p)
			}
			for c.flying = nil; len(c.queue) > 0; {
				c.arrive(t)
			}
			for seq := range c.whole {
				c.box.gone[seq] = true
			}
			c.s.Sweep()
			if len(c.box.gone) == len(c.refs) {
				break
			}
			if n > 50 {
				t.Fatalf("%d of %d came", len(c.box.gone), len(c.refs))
			}
			c.now = c.now.Add(time.Minute)
			c.s.Overdue(c.now)
		}
		if len(c.s.known) != 0 {
			c.s.Choose(c.now, broad)
			for key := range c.s.known {
				t.Logf("a series is left: %+v", key)
			}
		}
	})
}
