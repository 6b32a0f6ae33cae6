package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/segmentio/kafka-go"
)

// OffsetsAt is, for each partition of a topic, the offset of the first record that was written at or
// after a time; the partition's end where there is none. Kafka looks it up in its index of times.
func (k *Client) OffsetsAt(ctx context.Context, topic string, at time.Time) (map[int]int64, error) {
	ranges, err := k.Offsets(ctx, topic)
	if err != nil {
		return nil, err
	}
	ask := make([]kafka.OffsetRequest, 0, len(ranges))
	for p := range ranges {
		ask = append(ask, kafka.TimeOffsetOf(p, at))
	}
	response, err := k.listOffsets(ctx, topic, ask)
	if err != nil {
		return nil, fmt.Errorf("asking for the offsets at %s of Kafka topic %s%w", at.UTC().Format(time.RFC3339), topic, err)
	}
	offsets := make(map[int]int64, len(ranges))
	for p, r := range ranges {
		offsets[p] = r.End
	}
	for _, p := range response {
		for offset := range p.Offsets { // one; none, or -1, where no record is as new
			if offset >= 0 {
				offsets[p.Partition] = offset
			}
		}
	}
	return offsets, nil
}

// PartitionOf is the partition that records with this key are written to, in a topic of so many.
func PartitionOf(key string, partitions int) int {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	return (&kafka.Hash{}).Balance(kafka.Message{Key: []byte(key)}, all...)
}
