package uplink

import (
	"context"
	"errors"
	"time"

	"cloudcanvas/edge/uplink/packet"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// limits learns how large the broker's packets may be, of what becomes of those that are sent.
type limits struct {
	packet.Limit
	broker      string                      // its address, for people
	landed      map[uint64]acknowledgedItem // by the buffer's number: wholly acknowledged, without a receipt
	cut         []lostPart                  // not acknowledged when the broker ended the connection before this one
	last        *acked                      // the one acknowledged last, as long as it is not known whether it ended the connection
	lastReceipt event.Receipt               // the latest: it may come before the PUBACK
	latest      time.Time                   // when the latest of those that have a receipt by now was acknowledged
	logged      string
}

// acked is a part that the broker has acknowledged. mosquitto does so too before it throws a message away
// and ends the connection: only what follows shows which it was.
type acked struct {
	outcome
	whole bool
	at    time.Time
}

// proofAfter is how long a connection lasts after a part that the broker took.
const proofAfter = time.Second

// acknowledgedItem is an item all of which the broker has acknowledged.
type acknowledgedItem struct {
	epoch event.Epoch
	seq   uint64 // in it
	of    uint32
	wire  int64 // of a part
	at    time.Time
}

type lostPart struct {
	seq  uint64
	wire int64
}

// asideFor is how long an item waits that the broker does not take however small it is.
const asideFor = 10 * time.Minute

func newLimits(broker string) limits {
	return limits{Limit: packet.Limit{Floor: schedule.LeastPacket}, broker: broker, landed: map[uint64]acknowledgedItem{}}
}

// acknowledged notes that the broker has a part; whole, that it has all of its item. What it gives is the
// one before, which has not ended the connection.
func (l *limits) acknowledged(now time.Time, o outcome, whole, receipted bool) *acked {
	proven := l.prove(now, receipted)
	l.last = &acked{o, whole, now}
	switch i := (acknowledgedItem{o.epoch, o.seq, o.part.Of, o.part.Wire, now}); {
	case !receipted:
	case l.lastReceipt.Epoch == o.epoch && l.lastReceipt.Has(o.seq): // and so it is not known any more whether it was whole
		l.arrived(now, i)
	case whole:
		l.landed[o.part.Seq] = i
	}
	return proven
}

// prove takes the part acknowledged last for taken.
func (l *limits) prove(now time.Time, receipted bool) *acked {
	was := l.last
	if l.last = nil; was != nil {
		l.Acknowledged(now, was.part.Wire, receipted)
	}
	return was
}

// ripe says that the connection has outlasted the part acknowledged last.
func (l *limits) ripe(now time.Time) bool { return l.last != nil && now.Sub(l.last.at) >= proofAfter }

// waits says that it must be seen first whether the part acknowledged last ends the connection.
func (l *limits) waits() bool {
	return l.last != nil && l.InDoubt(l.last.part.Wire)
}

// lost notes that a part was not acknowledged when its connection ended.
func (l *limits) lost(o outcome) {
	if errors.Is(o.err, mqtt.ErrConnectionLost) && mqtt.Ended(o.err) {
		l.cut = append(l.cut, lostPart{o.part.Seq, o.part.Wire})
	}
}

// reconnected evaluates how the connection before ended. unfit is an item that the broker does not take in
// any size; doubtful one that was acknowledged, and thrown away perhaps. 0: none.
func (l *limits) reconnected(now time.Time) (unfit, doubtful uint64) {
	if a := l.last; a != nil {
		// Alone, it was out of doubt before the next one went, or is far smaller than what is looked for.
		if len(l.cut) == 0 || !l.Alone() || a.part.Wire > max(l.Known().Passed, l.cut[0].wire) {
			l.cut = append(l.cut, lostPart{a.part.Seq, a.part.Wire})
		}
		doubtful = a.part.Seq // at once, whatever it was: else its series waits for a receipt that may never come
		delete(l.landed, doubtful)
	}
	l.last = nil
	var largest lostPart
	for _, p := range l.cut {
		if p.wire > largest.wire {
			largest = p
		}
	}
	alone := len(l.cut) == 1
	l.cut = l.cut[:0]
	if largest.wire > 0 && l.Ended(now, largest.wire, alone) {
		unfit = largest.seq
	}
	return unfit, doubtful
}

// received notes whose receipt has come.
func (l *limits) received(now time.Time, r event.Receipt, waits func(uint64) bool) {
	l.lastReceipt = r
	for own, i := range l.landed {
		switch {
		case i.epoch == r.Epoch && r.Has(i.seq):
			l.arrived(now, i)
		case waits(own):
			continue
		}
		delete(l.landed, own)
	}
}

func (l *limits) arrived(now time.Time, i acknowledgedItem) {
	l.Received(now, i.wire)
	if i.at.After(l.latest) {
		l.latest = i.at
	}
}

// overdue notes items without a receipt, although others that were sent after them have theirs.
func (l *limits) overdue(now time.Time, seqs []uint64, box Box) {
	least := int64(0)
	for _, own := range seqs {
		i, ok := l.landed[own]
		delete(l.landed, own)
		if !ok || !i.at.Before(l.latest) {
			continue
		}
		if of, have := box.Parts(own); of == i.of && len(have) > 0 {
			l.Received(now, i.wire) // some of it is there: not the size, then
		} else if least == 0 || i.wire < least {
			least = i.wire
		}
	}
	if least > 0 {
		l.Missing(now, least)
	}
}

// outlasted takes note that the connection has lasted, for a while since the part that was
// acknowledged last.
func (u *Uplink) outlasted(ctx context.Context, now time.Time) {
	u.mu.Lock()
	var proven *acked
	select {
	case <-u.up:
		if u.limits.ripe(now) && u.link.Up() == u.up {
			proven = u.limits.prove(now, u.config.Receipts == ReceiptsBridge)
		}
	default:
	}
	u.mu.Unlock()
	u.proven(ctx, proven)
}

// proven frees the row of a part that the broker has taken, where its word is all that comes.
func (u *Uplink) proven(ctx context.Context, a *acked) {
	if a != nil && a.whole && u.config.Receipts == ReceiptsPUBACK {
		u.puback(ctx, a.outcome)
	}
}

// logLimit logs once what is known of the broker's limit, and when that has changed.
func (u *Uplink) logLimit(now time.Time) {
	u.mu.Lock()
	u.limits.Tick(now)
	reason, known, was := u.limits.Reason(u.limits.broker), u.limits.Known(), u.limits.logged
	if known.Refused > 0 && !known.Settled {
		u.mu.Unlock()
		return // it is logged when it is found
	}
	u.limits.logged = reason
	u.mu.Unlock()
	switch {
	case reason == was:
	case reason != "":
		u.log.Warn(reason+": items travel in smaller parts. Raise its limit (mosquitto: max_packet_size, message_size_limit), or lower uplink.part_bytes",
			"passes", known.Passed, "does_not_pass", known.Refused)
	default:
		u.log.Info("the broker takes larger packets again; items travel in larger parts")
	}
}

// unfit lets the others pass an item that the broker does not take in any size.
func (u *Uplink) unfit(seq uint64, now time.Time) {
	u.schedule.PutAside(seq, now.Add(asideFor))
	u.log.Warn("the broker ends the connection whenever an item is sent, however small its parts are, and takes other items: this item is held, and tried again later. "+
		"Does its access list deny the topic, or is its limit for packets below what an envelope takes?", "seq", seq, "again_in", asideFor)
}
