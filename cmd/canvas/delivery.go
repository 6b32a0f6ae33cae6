package main

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cmd/internal/appliance"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// countDelivery counts ids at both ends: what the outbox committed, and what lies in Kafka.
func countDelivery(ctx context.Context, a *appliance.Appliance) (deliveryCounts, error) {
	s := a.Agent.Stats()
	d := deliveryCounts{Committed: s.Committed, Received: s.Received, Ledger: s.Dropped}
	seen := map[ulid.ULID]bool{}
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.DLQTopic} {
		offsets, err := a.Kafka.Offsets(ctx, topic)
		if err != nil {
			return d, err
		}
		for p, span := range offsets {
			err := a.Kafka.Scan(ctx, topic, p, span.First, span.End, func(r kafka.Record) error {
				i, err := r.Item()
				switch {
				case topic == event.DLQTopic:
					d.Quarantined++
				case err != nil:
					return fmt.Errorf("an unreadable record in %s: %w", topic, err)
				case !a.Agent.Knows(i.Epoch) || i.Seq == 0: // made in the cloud
				case seen[i.ID]:
					d.Duplicates++
				default:
					seen[i.ID] = true
				}
				return nil
			})
			if err != nil {
				return d, fmt.Errorf("count what Kafka has: %w", err)
			}
		}
	}
	d.KafkaRecords = uint64(len(seen))
	d.Quarantined += uint64(a.Agent.Quarantined())
	if there := d.KafkaRecords + d.Ledger; there < d.Committed {
		d.Lost = d.Committed - there
	}
	return d, nil
}
