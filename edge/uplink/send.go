package uplink

import (
	"context"
	"errors"
	"time"

	"cloudcanvas/edge/uplink/pace"
	"cloudcanvas/edge/uplink/schedule"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/trace"
)

// outcome is what became of a part.
type outcome struct {
	part    schedule.Part
	sending pace.Sending
	epoch   event.Epoch
	err     error
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
	}
	for u.flying < u.config.Window {
		now := time.Now()
		room, wake := u.pace.Room(now)
		part, hold := u.schedule.Choose(now, schedule.Link{Rate: u.pace.Rate(), Room: room, Flying: u.pace.Flying()})
		u.changed(hold)
		switch hold {
		case schedule.None:
		case schedule.NoRoom:
			return nil, wake
		default:
			u.pace.Idle()
			return nil, u.opening(now, hold)
		}
		u.flying++
		u.metrics.sent(part)
		sending := u.pace.Sent(now, part.Wire)
		go func() {
			epoch, err := u.send(ctx, part)
			u.sent <- outcome{part, sending, epoch, err}
		}()
	}
	return nil, time.Time{}
}

// opening is when the next window begins, where one is waited for, and tells pace what to expect of it.
func (u *Uplink) opening(now time.Time, hold schedule.Hold) time.Time {
	if hold != schedule.Closed {
		return time.Time{}
	}
	w, _ := u.calendar.At(now)
	u.pace.Expect(w.BytesPerSecond)
	return w.From
}

// changed tells of windows and budgets, once for each change.
func (u *Uplink) changed(hold schedule.Hold) {
	quiet := func(h schedule.Hold) bool { return h != schedule.Closed && h != schedule.NoBudget }
	if hold == u.hold || quiet(hold) && quiet(u.hold) {
		u.hold = hold
		return
	}
	u.hold = hold
	if quiet(hold) {
		u.log.Info("sending")
	} else {
		u.log.Info("nothing is sent", "because", string(hold))
	}
}

// send loads an item and sends a part of it, or the whole.
func (u *Uplink) send(ctx context.Context, p schedule.Part) (event.Epoch, error) {
	item, err := u.shelf.load(p)
	if err != nil {
		return "", err
	}
	began := time.Now()
	err = u.link.Send(ctx, item.Cut(p.N, p.Of))
	if u.trace.On() {
		attrs := []trace.Attr{{Key: "canvas.part", Number: int64(p.N)}, {Key: "canvas.parts", Number: int64(p.Of)}}
		if err != nil {
			attrs = append(attrs, trace.Attr{Key: trace.Failure, Text: err.Error()})
		}
		u.trace.Item(&item, trace.Send, began, time.Now(), attrs...)
	}
	return item.Epoch, err
}

// landed takes note of what became of a part.
func (u *Uplink) landed(ctx context.Context, o outcome) {
	now := time.Now()
	u.mu.Lock()
	u.flying--
	whole := false
	if o.err == nil {
		u.pace.Acked(now, o.sending)
		u.silence.acked(now)
		whole = u.schedule.Landed(now, o.part)
	} else {
		u.pace.Lost(o.sending)
		u.schedule.Failed(now, o.part)
		u.metrics.failed.Inc()
	}
	u.mu.Unlock()
	if o.err != nil && !errors.Is(o.err, context.Canceled) && u.box.Waits(o.part.Seq) {
		u.log.Debug("a part was not sent; it goes again", "seq", o.part.Seq, "part", o.part.N, "problem", o.err)
	}
	if !whole {
		return
	}
	u.shelf.drop(o.part.Seq)
	if u.config.Receipts == ReceiptsPUBACK {
		u.puback(ctx, o)
	}
}
