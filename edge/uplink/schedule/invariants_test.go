package schedule

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/event"
)

// world plays the device, the link and the cloud for one scheduler, and checks each choice.
type world struct {
	s       *Scheduler
	rules   Rules
	box     *fakeBox
	windows contact.List
	now     time.Time
	link    Link
	refs    map[uint64]event.Ref
	sent    map[[2]uint64]bool // parts sent since the last timeout or failure
	flying  []Part
	day     map[time.Time]*spending
	contact map[time.Time]*spending
	quota   map[time.Time]int64
	dead    map[uint64]bool // received
}

func (w *world) open() (contact.Window, bool) {
	for _, x := range w.windows {
		if x.Holds(w.now) {
			return x, true
		}
	}
	return contact.Window{}, len(w.windows) == 0
}

func spendingOf(m map[time.Time]*spending, at time.Time) *spending {
	if m[at] == nil {
		m[at] = &spending{}
	}
	return m[at]
}

func (w *world) choose(t *rapid.T) {
	p, hold := w.s.Choose(w.now, w.link)
	win, open := w.open()
	if hold != None {
		if hold == Closed && open || hold == NoRoom && w.link.Room > int64(w.rules.PartBytes+Overhead) {
			t.Fatalf("%s: held by %q", w.now, hold)
		}
		return
	}
	urgent := p.Priority == 0
	switch r, held := w.refs[p.Seq], w.box.held[p.Seq]; {
	case !open:
		t.Fatalf("%+v outside a window", p)
	case w.link.Room <= 0:
		t.Fatalf("%+v without room", p)
	case w.dead[p.Seq]:
		t.Fatalf("%+v is with the cloud", p)
	case w.sent[[2]uint64{p.Seq, uint64(p.N)}]:
		t.Fatalf("%+v for the second time", p)
	case held.Of == p.Of && (event.Receipt{Above: held.Have}).Has(uint64(p.N)) && p.N > 0:
		t.Fatalf("%+v, which the cloud holds", p)
	case r.Priority != p.Priority || p.N >= p.Of || p.Wire < Overhead || p.Wire > int64(r.Bytes)+Overhead:
		t.Fatalf("%+v for %+v", p, r)
	}
	if !win.To.IsZero() && float64(p.Wire+w.link.Flying) > w.link.Rate*win.To.Sub(w.now).Seconds() {
		t.Fatalf("%+v at %s does not end before %s", p, w.now, win.To)
	}
	w.sent[[2]uint64{p.Seq, uint64(p.N)}] = true
	w.flying = append(w.flying, p)
	today, this := spendingOf(w.day, w.now.Truncate(day)), spendingOf(w.contact, win.From)
	today.add(p.Wire, urgent)
	this.add(p.Wire, urgent)
	b := w.rules.Budget
	if today.Day > b.BytesPerDay || float64(today.OthersDay) > float64(b.BytesPerDay)*(1-b.UrgentShare) {
		t.Fatalf("%+v exceeds the budget of the day: %+v", p, *today)
	}
	if b.BytesPerContact > 0 && this.Contact > b.BytesPerContact {
		t.Fatalf("%+v exceeds the budget of the window: %+v", p, *this)
	}
	if w.refs[p.Seq].Stream == "bounded" && !urgent {
		if w.quota[w.now.Truncate(day)] += p.Wire; w.quota[w.now.Truncate(day)] > w.rules.Quotas[0].BytesPerDay {
			t.Fatalf("%+v exceeds its quota", p)
		}
	}
	if !urgent {
		w.noUrgentWaits(t, p, min(w.link.Rate*win.To.Sub(w.now).Seconds(), float64(b.BytesPerDay-today.Day)), win)
	}
}

// noUrgentWaits checks that no urgent item stood back for p although it would have fitted.
func (w *world) noUrgentWaits(t *rapid.T, p Part, fits float64, win contact.Window) {
	if !win.To.IsZero() && fits < float64(w.rules.PartBytes+Overhead) || fits < float64(w.rules.PartBytes+Overhead) {
		return
	}
	if w.rules.Budget.BytesPerContact > 0 && w.rules.Budget.BytesPerContact-w.contact[win.From].Contact < int64(w.rules.PartBytes+Overhead) {
		return
	}
	for l := range w.s.queues {
		for _, slot := range w.s.queues[l].slots {
			if e := w.s.store.at(slot); e.urgent() && w.s.alive(e.seq) {
				t.Fatalf("%+v while the urgent item %d waits", p, e.seq)
			}
		}
	}
}

// fate lets some part that flies land or fail.
func (w *world) fate(t *rapid.T, fails bool) {
	if len(w.flying) == 0 {
		return
	}
	n := rapid.IntRange(0, len(w.flying)-1).Draw(t, "which")
	p := w.flying[n]
	w.flying = append(w.flying[:n], w.flying[n+1:]...)
	if fails {
		delete(w.sent, [2]uint64{p.Seq, uint64(p.N)})
		if p.Of == 1 {
			w.forget(p.Seq)
		}
		w.s.Failed(w.now, p, false)
		return
	}
	w.s.Landed(w.now, p)
}

func (w *world) forget(seq uint64) {
	for k := range w.sent {
		if k[0] == seq {
			delete(w.sent, k)
		}
	}
}

func TestTheSchedulerKeepsItsWord(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := Rules{PartBytes: 2048, ReceiptTimeout: 30 * time.Second, OldestShare: rapid.SampledFrom([]float64{0.05, 0.5, 1}).Draw(t, "oldest"),
			Budget: Budget{BytesPerDay: rapid.Int64Range(20_000, 400_000).Draw(t, "day"), UrgentShare: 0.1},
			Quotas: []Quota{{Streams: "bounded", BytesPerDay: 30_000}, {Streams: "shared*", Share: 0.2}}}
		w := &world{rules: r, box: newBox(), now: epoch, link: Link{Rate: 50_000, Room: 1 << 20}, refs: map[uint64]event.Ref{}, sent: map[[2]uint64]bool{},
			day: map[time.Time]*spending{}, contact: map[time.Time]*spending{}, quota: map[time.Time]int64{}, dead: map[uint64]bool{}}
		var calendar Contacts = always
		if rapid.Bool().Draw(t, "windows") {
			w.rules.Budget.BytesPerContact = 50_000
			for at := epoch; at.Before(epoch.Add(3 * day)); at = at.Add(time.Duration(rapid.IntRange(2, 600).Draw(t, "gap")) * time.Minute) {
				win := contact.Window{From: at, To: at.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "length")) * time.Second)}
				w.windows = append(w.windows, win)
			}
			calendar = contact.NewCalendar(w.windows)
		}
		w.s = New(w.rules, w.box, calendar)
		seq := uint64(0)
		for range rapid.IntRange(1, 300).Draw(t, "steps") {
			switch rapid.IntRange(0, 9).Draw(t, "step") {
			case 0, 1:
				seq++
				ref := event.Ref{Seq: seq, Priority: event.Priority(rapid.IntRange(0, 3).Draw(t, "priority")), Rung: event.Rung(rapid.IntRange(0, 5).Draw(t, "rung")),
					Stream: rapid.SampledFrom([]string{"free", "bounded", "shared-1"}).Draw(t, "stream"),
					Value:  rapid.Float64Range(0, 1).Draw(t, "value"), Bytes: rapid.IntRange(0, 10_000).Draw(t, "bytes")}
				w.refs[seq] = ref
				w.s.Add(ref)
			case 2, 3, 4, 5:
				w.choose(t)
			case 6:
				w.fate(t, false)
			case 7:
				w.fate(t, rapid.Bool().Draw(t, "fails"))
			case 8:
				w.now = w.now.Add(time.Duration(rapid.IntRange(1, 40_000).Draw(t, "wait")) * 100 * time.Millisecond)
				w.link.Room = rapid.SampledFrom([]int64{0, 1, 1 << 20}).Draw(t, "room")
				w.link.Flying = rapid.Int64Range(0, 5000).Draw(t, "flying")
				for s, i := range w.s.out {
					if !i.due.IsZero() && !w.now.Before(i.due) {
						w.forget(s)
					}
				}
				w.s.Overdue(w.now)
			case 9:
				if seq > 0 {
					gone := rapid.Uint64Range(1, seq).Draw(t, "received")
					w.box.gone[gone], w.dead[gone] = true, true
					w.s.Sweep()
				}
			}
		}
	})
}

// A stream of better items that never ends is the worst that can happen to a poor one.
func TestNothingStarvesBeyondTheBound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := rules()
		r.PartBytes = 8192
		r.OldestShare = rapid.SampledFrom([]float64{0.05, 0.1, 0.3}).Draw(t, "share")
		s := New(r, newBox(), always)
		ahead := int64(0) // bytes on the link of what is older, and of itself
		poor := uint64(rapid.IntRange(1, 20).Draw(t, "older"))
		for seq := uint64(1); seq <= poor; seq++ {
			bytes := rapid.IntRange(0, 60_000).Draw(t, "bytes")
			s.Add(ref(seq, event.Low, event.RungFull, 0, bytes))
			_, whole := cutWire(&entry{bytes: uint32(bytes)}, r.PartBytes)
			ahead += whole
		}
		part := int64(r.PartBytes + Overhead)
		bound := float64(ahead+2*part) / r.OldestShare
		sent, seq := 0.0, poor
		for sent <= bound+float64(part) {
			seq++
			s.Add(ref(seq, event.High, event.RungVector, 1, rapid.IntRange(1000, 20_000).Draw(t, "better")))
			p, hold := s.Choose(epoch, broad)
			if hold != None {
				t.Fatal(hold)
			}
			sent += float64(p.Wire)
			if whole := s.Landed(epoch, p); whole && p.Seq == poor {
				return
			}
		}
		t.Fatalf("item %d is not whole after %.0f bytes, the bound is %.0f", poor, sent, bound)
	})
}
