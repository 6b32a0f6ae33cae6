package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloudcanvas/shared/retry"

	"github.com/segmentio/kafka-go"
)

// OffsetRange is what a partition holds: First is the oldest record's offset, End the next one's.
type OffsetRange struct{ First, End int64 }

// Topic is how a topic should be.
type Topic struct {
	Name       string
	Partitions int
	Replicas   int               // 0: the cluster's default
	Config     map[string]string // cleanup.policy, max.message.bytes, …
}

// Partitions is how many partitions a topic has.
func (k *Client) Partitions(ctx context.Context, topic string) (int, error) {
	response, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: []string{topic}})
	if err != nil {
		return 0, fmt.Errorf("asking for Kafka topic %s: %w", topic, err)
	}
	for _, t := range response.Topics {
		if t.Name != topic {
			continue
		}
		if t.Error != nil {
			return 0, fmt.Errorf("asking for Kafka topic %s: %w", topic, t.Error)
		}
		return len(t.Partitions), nil
	}
	return 0, fmt.Errorf("asking for Kafka topic %s: %w", topic, kafka.UnknownTopicOrPartition)
}

// PartitionOf is the partition that records with this key are written to, in a topic of so many.
func PartitionOf(key string, partitions int) int {
	all := make([]int, partitions)
	for p := range all {
		all[p] = p
	}
	return (&kafka.Hash{}).Balance(kafka.Message{Key: []byte(key)}, all...)
}

// Offsets is what each partition of a topic holds now.
func (k *Client) Offsets(ctx context.Context, topic string) (map[int]OffsetRange, error) {
	n, err := k.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	ask := make([]kafka.OffsetRequest, 0, 2*n)
	for p := range n {
		ask = append(ask, kafka.FirstOffsetOf(p), kafka.LastOffsetOf(p))
	}
	response, err := k.listOffsets(ctx, topic, ask)
	if err != nil {
		return nil, fmt.Errorf("asking for the offsets of Kafka topic %s%w", topic, err)
	}
	ranges := make(map[int]OffsetRange, n)
	for _, p := range response {
		ranges[p.Partition] = OffsetRange{First: p.FirstOffset, End: p.LastOffset}
	}
	if len(ranges) != n {
		return nil, fmt.Errorf("asking for the offsets of Kafka topic %s: %d of %d partitions answered", topic, len(ranges), n)
	}
	return ranges, nil
}

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

// listOffsets asks each partition's leader. Its error goes on where the topic's name ends.
func (k *Client) listOffsets(ctx context.Context, topic string, ask []kafka.OffsetRequest) (found []kafka.PartitionOffsets, err error) {
	err = k.settled(ctx, func() error {
		response, err := k.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: ask}})
		if err != nil {
			return fmt.Errorf(": %w", err)
		}
		found = response.Topics[topic]
		for _, p := range found {
			if p.Error != nil {
				return fmt.Errorf(", partition %d: %w", p.Partition, p.Error)
			}
		}
		return nil
	})
	return found, err
}

// Committed is, for each partition, the next offset that the group has to read. Partitions that were
// never committed are missing.
func (k *Client) Committed(ctx context.Context, group, topic string) (map[int]int64, error) {
	n, err := k.Partitions(ctx, topic)
	if err != nil {
		return nil, err
	}
	all := make([]int, n)
	for p := range all {
		all[p] = p
	}
	var response *kafka.OffsetFetchResponse
	err = k.settled(ctx, func() error {
		response, err = k.client.OffsetFetch(ctx, &kafka.OffsetFetchRequest{GroupID: group, Topics: map[string][]int{topic: all}})
		if err != nil {
			return err
		}
		if response.Error != nil {
			return response.Error
		}
		for _, p := range response.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
	if errors.Is(err, kafka.GroupIdNotFound) {
		return map[int]int64{}, nil // as some brokers say it of a group that never committed
	}
	if err != nil {
		return nil, fmt.Errorf("asking for the offsets of group %s in Kafka topic %s: %w", group, topic, err)
	}
	offsets := make(map[int]int64, n)
	for _, p := range response.Topics[topic] {
		if p.CommittedOffset >= 0 {
			offsets[p.Partition] = p.CommittedOffset
		}
	}
	return offsets, nil
}

// Commit records that the group has finished everything before offset. The group has no members:
// partitions are owned through the coordinator, and Kafka's own tools still see the lag.
func (k *Client) Commit(ctx context.Context, group, topic string, partition int, offset int64) error {
	err := k.settled(ctx, func() error {
		response, err := k.client.OffsetCommit(ctx, &kafka.OffsetCommitRequest{
			GroupID:      group,
			GenerationID: -1, // outside any generation of members
			Topics:       map[string][]kafka.OffsetCommit{topic: {{Partition: partition, Offset: offset}}},
		})
		if err != nil {
			return err
		}
		for _, p := range response.Topics[topic] {
			if p.Error != nil {
				return p.Error
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("committing offset %d of group %s in Kafka topic %s, partition %d: %w", offset, group, topic, partition, err)
	}
	return nil
}

// settled repeats a request while the cluster is finding its feet: a group's coordinator is loaded
// (the very first request makes the broker create its offsets topic), a partition's leader is new.
func (k *Client) settled(ctx context.Context, ask func() error) error {
	return k.patiently(time.Second, settling).Do(ctx, ask)
}

// patiently tries again for as long as Options.Patience what fails in a way that passes; nil: in any way.
func (k *Client) patiently(most time.Duration, passes func(error) bool) retry.Task {
	deadline := time.Now().Add(k.options.Patience)
	return retry.Task{First: 50 * time.Millisecond, Most: most, Final: func(err error) bool {
		return passes != nil && !passes(err) || time.Now().After(deadline)
	}}
}

func settling(err error) bool {
	for _, code := range []kafka.Error{kafka.GroupCoordinatorNotAvailable, kafka.GroupLoadInProgress, kafka.NotCoordinatorForGroup,
		kafka.LeaderNotAvailable, kafka.NotLeaderForPartition} {
		if errors.Is(err, code) {
			return true
		}
	}
	return false
}

// EnsureTopics makes topics that are missing and waits until they can be written to. Those that are
// there stay as they are.
func (k *Client) EnsureTopics(ctx context.Context, topics ...Topic) error {
	configs := make([]kafka.TopicConfig, len(topics))
	for i, t := range topics {
		c := kafka.TopicConfig{Topic: t.Name, NumPartitions: t.Partitions, ReplicationFactor: t.Replicas}
		if t.Replicas == 0 {
			c.ReplicationFactor = -1
		}
		for name, value := range t.Config {
			c.ConfigEntries = append(c.ConfigEntries, kafka.ConfigEntry{ConfigName: name, ConfigValue: value})
		}
		configs[i] = c
	}
	response, err := k.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: configs})
	if err != nil {
		return fmt.Errorf("making Kafka topics: %w", err)
	}
	for name, err := range response.Errors {
		if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
			return fmt.Errorf("making Kafka topic %s: %w", name, err)
		}
	}
	return k.awaitLeaders(ctx, topics)
}

// SetTopic changes settings of a topic that is there; those it does not name stay as they are.
func (k *Client) SetTopic(ctx context.Context, topic string, settings map[string]string) error {
	resource := kafka.IncrementalAlterConfigsRequestResource{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic}
	for name, value := range settings {
		resource.Configs = append(resource.Configs, kafka.IncrementalAlterConfigsRequestConfig{Name: name, Value: value, ConfigOperation: kafka.ConfigOperationSet})
	}
	response, err := k.client.IncrementalAlterConfigs(ctx, &kafka.IncrementalAlterConfigsRequest{Resources: []kafka.IncrementalAlterConfigsRequestResource{resource}})
	if err == nil {
		for _, r := range response.Resources {
			err = errors.Join(err, r.Error)
		}
	}
	if err != nil {
		return fmt.Errorf("setting up Kafka topic %s: %w", topic, err)
	}
	return nil
}

// awaitLeaders waits until every partition of the topics has a leader.
func (k *Client) awaitLeaders(ctx context.Context, topics []Topic) error {
	names := make([]string, len(topics))
	for i, t := range topics {
		names[i] = t.Name
	}
	err := k.patiently(50*time.Millisecond, nil).Do(ctx, func() error {
		// kafka-go answers from what it learned at most metadataTTL ago.
		response, err := k.client.Metadata(ctx, &kafka.MetadataRequest{Topics: names})
		if err == nil && (slices.ContainsFunc(response.Topics, leaderless) || len(response.Topics) != len(names)) {
			err = errNoLeader
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("making Kafka topics %v: waited up to %s for a leader of each partition: %w: are all brokers up?", names, k.options.Patience, err)
	}
	return nil
}

var errNoLeader = errors.New("some have none")

func leaderless(t kafka.Topic) bool {
	return t.Error != nil || len(t.Partitions) == 0 ||
		slices.ContainsFunc(t.Partitions, func(p kafka.Partition) bool { return p.Error != nil || p.Leader.Host == "" })
}
