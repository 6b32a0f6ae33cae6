package bridge

import (
	"context"
	"sync"
	"time"

	"cloudcanvas/cloud/bridge/dedup"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/retry"
	"cloudcanvas/shared/telemetry"
)

// Receipts name what Kafka has of an edge. The first after a quiet time goes at once; under load one
// goes in each ReceiptEvery and names it all.
const (
	maxConcurrentReceipts = 16               // receipts under way at a time
	receiptPatience       = 10 * time.Second // for one to be acknowledged by the MQTT broker
	subscribedPoll        = 20 * time.Millisecond
)

// sendReceipts publishes receipts until ctx ends. A receipt also shows the edge that the bridge is subscribed,
// so none goes out while it is not: the broker might drop what the edge would send at that.
func (s *session) sendReceipts(ctx context.Context) {
	slots := make(chan struct{}, maxConcurrentReceipts)
	var all sync.WaitGroup
	defer all.Wait()
	for {
		if intake, watched := s.Intake.(Watched); watched && !intake.Subscribed() {
			if retry.Sleep(ctx, subscribedPoll) != nil {
				return
			}
			continue
		}
		now, again := s.dedup.Due(s.cfg.ReceiptEvery)
		for _, o := range now {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return
			}
			all.Go(func() {
				defer func() { <-slots }()
				s.dedup.Sent(o, s.send(ctx, o))
			})
		}
		timer := time.NewTimer(again)
		select {
		case <-s.dedup.Wake():
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
		timer.Stop()
	}
}

// send publishes one receipt. The client says when it is offline, so that is not logged here.
func (s *session) send(ctx context.Context, o dedup.Due) bool {
	if s.decided.isBlocked(o.Edge) {
		return true // it keeps its items until it is let in again
	}
	item, err := o.Receipt.Item(o.Edge, time.Now())
	if err != nil {
		s.Logger.Error("a receipt can't be written", "edge", o.Edge, telemetry.Err, err)
		return true // trying again would not help
	}
	payload, err := item.MarshalMQTT()
	if err != nil {
		s.Logger.Error("a receipt can't be written", "edge", o.Edge, telemetry.Err, err)
		return true
	}
	ctx, cancel := context.WithTimeout(ctx, receiptPatience)
	defer cancel()
	if err := s.Receipts.Publish(ctx, event.ReceiptsTopic(o.Edge), 1, false, payload); err != nil {
		s.metrics.receipts.WithLabelValues("failed").Inc()
		return false
	}
	s.metrics.receipts.WithLabelValues("sent").Inc()
	return true
}
