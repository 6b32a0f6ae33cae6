package uplink

import (
	"context"
	"errors"
	"time"

	"cloudcanvas/edge/uplink/pace"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/trace"
)

// outcome is what became of a part.
type outcome struct {
	part    schedule.Part
	sending pace.Sending
	epoch   event.Epoch // under which the cloud knows the item, and its number in it
	seq     uint64
	err     error
	own     bool // the item is at fault, and not the link
}

// fill sends the best parts until the link is full, the window closed or nothing waits. down is
// closed when there is a connection again, where there is none; next is when to try again.
func (u *Uplink) fill(ctx context.Context) (down <-chan struct{}, next time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	up := u.link.Up()
	select {
	case <-up:
	default:
		u.silence.disconnected(time.Now())
		return up, time.Time{}
	}
	if up != u.up {
		u.up = up
		u.silence.connected(time.Now(), u.config.ReceiptTimeout)
		u.pace.Reconnected()
		u.schedule.Reconnected(time.Now())
		unfit, doubtful := u.limits.reconnected(time.Now())
		u.schedule.Doubt(doubtful, time.Now())
		if unfit > 0 {
			u.unfit(unfit, time.Now())
		}
	}
	for u.flying < u.window() {
		now := time.Now()
		room, wake := u.pace.Room(now)
		part, hold := u.schedule.Choose(now, schedule.Link{Rate: u.pace.Rate(), Room: room, Flying: u.pace.Flying(), Packet: u.limits.Most()})
		u.logHold(hold)
		switch hold {
		case schedule.None:
		case schedule.NoRoom:
			return nil, wake
		default:
			u.pace.Idle()
			return nil, u.nextWindow(now, hold)
		}
		u.flying++
		u.metrics.sent(part)
		sending := u.pace.Sent(now, part.Wire)
		place := u.order.enter(part.Series)
		go func() {
			item, own, err := u.send(ctx, part, place, up)
			u.sent <- outcome{part, sending, item.Epoch, item.Seq, err, own}
		}()
	}
	return nil, time.Time{}
}

// window is how many messages may be in flight.
func (u *Uplink) window() int {
	switch {
	case u.limits.waits():
		return 0
	case u.limits.Alone():
		return 1
	}
	return u.config.Window
}

// nextWindow is when the next window begins, where one is waited for; pace gets its expected rate.
func (u *Uplink) nextWindow(now time.Time, hold schedule.Hold) time.Time {
	if hold != schedule.Closed {
		return time.Time{}
	}
	w, _ := u.calendar.At(now)
	u.pace.Expect(w.BytesPerSecond)
	return w.From
}

// logHold logs windows and budgets, once for each change.
func (u *Uplink) logHold(hold schedule.Hold) {
	quiet := func(h schedule.Hold) bool { return h != schedule.Closed && h != schedule.NoBudget }
	if hold == u.hold || quiet(hold) && quiet(u.hold) {
		u.hold = hold
		return
	}
	u.hold = hold
	if quiet(hold) {
		u.log.Info("the uplink sends again")
	} else {
		u.log.Info("the uplink sends nothing", "because", string(hold))
	}
}

// send loads an item and sends a part of it, or the whole, in its turn and over that connection. own says
// that a failure is the item's.
func (u *Uplink) send(ctx context.Context, p schedule.Part, at *turn, up <-chan struct{}) (item event.Item, own bool, err error) {
	item, err = u.cache.load(p)
	if held := at.wait(ctx); held != nil {
		at.finish(true)
		return item, false, held
	}
	if err != nil {
		at.finish(!u.box.Waits(p.Seq)) // one that waits no more holds nobody back
		return item, true, err
	}
	if u.link.Up() != up {
		at.finish(false)
		return item, false, errReconnected
	}
	began := time.Now()
	err = u.link.Send(ctx, item.Cut(p.N, p.Of), func() { at.finish(true) })
	own = err != nil && at.finish(false) && !errors.Is(err, mqtt.ErrOffline) && !errors.Is(err, mqtt.ErrConnectionLost)
	if u.trace.On() {
		attrs := []trace.Attr{{Key: "canvas.part", Number: int64(p.N)}, {Key: "canvas.parts", Number: int64(p.Of)}}
		if err != nil {
			attrs = append(attrs, trace.Attr{Key: trace.Failure, Text: err.Error()})
		}
		u.trace.Item(&item, trace.Send, began, time.Now(), attrs...)
	}
	at.finish(true)
	return item, own, err
}

// errReconnected says that a part was chosen for a connection that is gone.
var errReconnected = errors.New("the connection that the part was chosen for is gone")

// landed takes note of what became of a part.
func (u *Uplink) landed(ctx context.Context, o outcome) {
	now := time.Now()
	u.mu.Lock()
	u.flying--
	whole, passed := false, false
	var proven *acked
	if o.err == nil {
		u.pace.Acked(now, o.sending)
		u.silence.acked(now)
		whole = u.schedule.Landed(now, o.part)
		proven = u.limits.acknowledged(now, o, whole, u.config.Receipts == ReceiptsBridge)
	} else {
		u.pace.Lost(o.sending)
		u.limits.lost(o)
		passed = u.schedule.Failed(now, o.part, o.own)
		u.order.resume(o.part.Series)
		u.metrics.failed.Inc()
	}
	u.mu.Unlock()
	if passed && u.box.Waits(o.part.Seq) {
		u.log.Warn("an item can't be sent; it is tried again and again, and later items of its stream go before it", "seq", o.part.Seq, telemetry.Err, o.err)
	}
	if o.err != nil && !errors.Is(o.err, context.Canceled) && u.box.Waits(o.part.Seq) {
		u.log.Debug("a part was not sent; it goes again", "seq", o.part.Seq, "part", o.part.N, telemetry.Err, o.err)
	}
	u.proven(ctx, proven)
	if whole {
		u.cache.drop(o.part.Seq)
	}
}
