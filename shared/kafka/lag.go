package kafka

import (
	"context"
	"fmt"
)

// Progress is how far a group has come in a partition.
type Progress struct {
	First, End int64 // the records that are there: from First up to before End
	Committed  int64 // before which the group has finished all; 0 where it has committed nothing
}

// Next is the first record that the group has not finished.
func (p Progress) Next() int64 { return max(p.Committed, p.First) }

// Lag is how many records that are there the group has not finished.
func (p Progress) Lag() int64 { return p.End - p.Next() }

// Log is Kafka, as far as it is asked.
type Log interface {
	Offsets(ctx context.Context, topic string) (map[int]OffsetRange, error)
	Committed(ctx context.Context, group, topic string) (map[int]int64, error)
}

// ProgressOf is how far a group has come in a topic, by partition.
func ProgressOf(ctx context.Context, log Log, group, topic string) (map[int]Progress, error) {
	ranges, err := log.Offsets(ctx, topic)
	if err != nil {
		return nil, fmt.Errorf("what is in %s: %w", topic, err)
	}
	committed, err := log.Committed(ctx, group, topic)
	if err != nil {
		return nil, fmt.Errorf("what %s has finished of %s: %w", group, topic, err)
	}
	all := make(map[int]Progress, len(ranges))
	for p, r := range ranges {
		all[p] = Progress{r.First, r.End, committed[p]}
	}
	return all, nil
}
