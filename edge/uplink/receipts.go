package uplink

import (
	"context"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/telemetry"
)

// receive frees what the cloud has, and notes which parts of larger items it holds.
func (u *Uplink) receive(ctx context.Context, r event.Receipt) {
	freed, err := u.box.Receive(ctx, r)
	if err != nil {
		u.log.Error("the buffer could not take in a receipt", telemetry.Err, err)
		return
	}
	now := time.Now()
	u.mu.Lock()
	defer u.mu.Unlock()
	if freed > 0 {
		u.schedule.Sweep()
	}
	u.limits.received(now, r, u.box.Waits)
	if u.silence.receiptCame() {
		u.log.Info("receipts come again")
	}
	for _, p := range r.Parts {
		// The buffer's answer, not the receipt's: it knows whether the receipt is of this epoch.
		own := u.box.Number(r.Epoch, p.Seq)
		if of, have := u.box.Parts(own); own > 0 && of > 0 {
			u.schedule.Held(now, event.PartsHeld{Seq: own, Of: of, Have: have})
		}
	}
}

// puback frees a row on the broker's word, for plain brokers without a bridge.
func (u *Uplink) puback(ctx context.Context, o outcome) {
	_, err := u.box.Receive(ctx, event.Receipt{Epoch: o.epoch, Above: []event.Range{{From: o.seq, To: o.seq}}})
	if err != nil {
		u.log.Error("the buffer could not take in a PUBACK as a receipt", telemetry.Err, err)
		return // it goes again when its receipt is overdue
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	u.schedule.Forget(o.part.Seq)
}

// resendOverdue queues what has had no receipt for too long.
func (u *Uplink) resendOverdue(now time.Time) {
	u.mu.Lock()
	late := u.schedule.Overdue(now)
	u.limits.overdue(now, late, u.box)
	overdue := len(late)
	_, awaiting := u.schedule.Waiting()
	silent := u.config.Receipts == ReceiptsBridge && u.silence.tooLong(now, awaiting, u.config.ReceiptTimeout)
	u.mu.Unlock()
	if silent {
		u.log.Error("the broker acknowledges what is sent, but no receipt comes. Does its access list let this device write canvas/v1/<its name>/up/# and read canvas/v1/<its name>/down/#, "+
			"with a certificate whose name is the device's? If it does, the bridge or Kafka is down. Nothing is lost: items wait in the buffer", "awaiting", awaiting)
	}
	if overdue > 0 {
		u.metrics.overdue.Add(float64(overdue))
		u.log.Info("items have had no receipt for too long; they are sent again", "items", overdue)
	}
}
