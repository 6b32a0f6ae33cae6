package schedule

import (
	"time"

	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/event"
)

var epoch = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)

// fakeBox knows which items wait, and which parts the cloud holds.
type fakeBox struct {
	gone map[uint64]bool
	held map[uint64]event.PartsHeld
}

func newBox() *fakeBox {
	return &fakeBox{gone: map[uint64]bool{}, held: map[uint64]event.PartsHeld{}}
}
func (b *fakeBox) Waits(seq uint64) bool { return !b.gone[seq] }
func (b *fakeBox) Parts(seq uint64) (uint32, []event.Range) {
	h := b.held[seq]
	return h.Of, h.Have
}

var always = contact.NewCalendar(nil)

func rules() Rules {
	return Rules{PartBytes: 128 << 10, ReceiptTimeout: 30 * time.Second, OldestShare: 0.05}
}

// broad is a link that takes everything.
var broad = Link{Rate: 1e9, Room: 1 << 30}

func ref(seq uint64, p event.Priority, r event.Rung, value float64, bytes int) event.Ref {
	return event.Ref{Seq: seq, Priority: p, Rung: r, Value: value, Bytes: bytes}
}

// listening is a scheduler that knows that the cloud listens.
func listening(r Rules, box Box) *Scheduler {
	s := New(r, box, always)
	s.receiptSeen = true
	return s
}

// order sends everything at once and gives the numbers as they went, a number for each part.
func order(s *Scheduler, link Link) (seqs []uint64) {
	for {
		p, hold := s.Choose(epoch, link)
		if hold != None {
			return seqs
		}
		seqs = append(seqs, p.Seq)
		s.Landed(epoch, p)
	}
}
