package kafka

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"go.uber.org/goleak"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
)

// The same suite runs over the embedded broker and over Kafka.

func TestKafkaOverTheEmbeddedBroker(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent(), goleak.IgnoreAnyFunction("github.com/twmb/franz-go/pkg/kfake.(*clientConn).read"))
	e, err := Embed(t.TempDir(), EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	kafkaSuite(t, e.Brokers())
}

func TestKafkaOverTheRealBroker(t *testing.T) {
	brokers := brokertest.StartKafka(t).Brokers
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	kafkaSuite(t, brokers)
}

func kafkaSuite(t *testing.T, brokers []string) {
	k := dialKafka(t, Options{Brokers: brokers})
	defer k.Close()
	for _, test := range []struct {
		name string
		run  func(*testing.T, *Client)
	}{
		{"RecordsComeBackWhole", wholeRecords},
		{"AReaderFollowsThePartition", following},
		{"AScanEndsWhereItShould", scanning},
		{"OneBadRecordDoesNotHoldUpTheOthers", oneTooLarge},
		{"WhatTheTopicRefusesIsSetApart", refusedByTopic},
		{"AMissingTopicIsRefusedAfterAWhile", missingTopic},
		{"AnOffsetBeyondTheEndIsAnError", offsetAhead},
		{"GroupsKeepOffsetsWithoutMembers", committing},
		{"TopicsAreMadeOnce", topicsMade},
		{"ATimeLeadsToAnOffset", offsetsAt},
		{"GivingUpLeavesTheOutcomeUnknown", givenUp},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, k) })
	}
}

func dialKafka(t *testing.T, o Options) *Client {
	t.Helper()
	if o.Patience == 0 {
		o.Patience = 20 * time.Second
	}
	k, err := Dial(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var topicNumber atomic.Int64

// makeTopic makes a topic of the test's own.
func makeTopic(t *testing.T, k *Client, partitions int, config map[string]string) string {
	t.Helper()
	name := fmt.Sprintf("test.%d.%d", time.Now().UnixNano(), topicNumber.Add(1))
	if err := k.EnsureTopics(soon(t, 2*time.Minute), Topic{Name: name, Partitions: partitions, Config: config}); err != nil {
		t.Fatal(err)
	}
	return name
}

func scanAll(t *testing.T, k *Client, topic string) (all []Record) {
	t.Helper()
	ranges, err := k.Offsets(t.Context(), topic)
	if err != nil {
		t.Fatal(err)
	}
	for p, r := range ranges {
		if err := k.Scan(t.Context(), topic, p, 0, r.End, func(r Record) error { all = append(all, r); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func wholeRecords(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 3, nil)
	item := event.Item{
		ID: event.ResultID([16]byte{1}, "m", "1"), Edge: "mast-7", Epoch: "e1", Seq: 1, Kind: event.Reading, Stream: "s",
		Time: time.Date(1972, 1, 1, 0, 0, 0, 123, time.UTC), // a clock that is wrong by decades
		Type: "application/json", Data: []byte(`{"a":1}`),
	}
	item.SHA256 = event.Sum(item.Data)
	sent := RecordOf(item)
	if sent.Topic != event.EventsTopic || string(sent.Key) != "mast-7" {
		t.Errorf("it goes to %s with key %s", sent.Topic, sent.Key)
	}
	sent.Topic = topic
	if err := k.Append(t.Context(), sent, Record{Topic: topic, Key: []byte("k"), Value: nil}, Record{Topic: topic, Key: []byte("k"), Value: []byte{}}); err != nil {
		t.Fatal(err)
	}
	found, tombstones := 0, 0
	partitions := map[int]bool{}
	for _, r := range scanAll(t, k, topic) {
		if string(r.Key) == "k" {
			partitions[r.Partition] = true
			tombstones += map[bool]int{true: 1}[r.Value == nil]
			continue
		}
		got, err := r.Item()
		if err != nil {
			t.Fatal(err)
		}
		if got.ID != item.ID || got.SHA256 != item.SHA256 || string(got.Data) != string(item.Data) || !got.Time.Equal(item.Time) || time.Since(r.Time) > time.Hour || r.Topic != topic {
			t.Errorf("%+v at %s", got, r.Time)
		}
		found++
	}
	if found != 1 || tombstones != 1 || len(partitions) != 1 {
		t.Errorf("%d items, %d tombstones; the key was in %d partitions", found, tombstones, len(partitions))
	}
}

func following(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, nil)
	send := func(from, to int) {
		var records []Record
		for i := from; i < to; i++ {
			records = append(records, Record{Topic: topic, Key: []byte("k"), Value: fmt.Append(nil, i)})
		}
		if err := k.Append(t.Context(), records...); err != nil {
			t.Fatal(err)
		}
	}
	send(0, 700) // more than one batch
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	got, ended := make(chan Record, 1000), make(chan error, 1)
	go func() {
		ended <- k.Read(ctx, topic, 0, 5, func(batch []Record) error {
			for _, r := range batch {
				got <- r
			}
			return nil
		})
	}()
	for i := 5; i < 800; i++ {
		if i == 700 {
			send(700, 800)
		}
		if r := await(t, got, "a record"); r.Offset != int64(i) || string(r.Value) != fmt.Sprint(i) {
			t.Fatalf("record %d is %q at %d", i, r.Value, r.Offset)
		}
	}
	cancel()
	if err := await(t, ended, "the end of Read"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	stop := errors.New("stop")
	if err := k.Read(t.Context(), topic, 0, 0, func([]Record) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func scanning(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, nil)
	var records []Record
	for i := range 20 {
		records = append(records, Record{Topic: topic, Value: fmt.Append(nil, i)})
	}
	if err := k.Append(t.Context(), records...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ from, to, first, count int64 }{
		{0, 20, 0, 20}, {3, 7, 3, 4}, {-5, 2, 0, 2}, {18, 100, 18, 2}, {20, 100, 0, 0}, {7, 7, 0, 0}, {9, 3, 0, 0},
	} {
		var got []int64
		if err := k.Scan(t.Context(), topic, 0, c.from, c.to, func(r Record) error { got = append(got, r.Offset); return nil }); err != nil {
			t.Fatal(err)
		}
		if int64(len(got)) != c.count || c.count > 0 && got[0] != c.first {
			t.Errorf("from %d to %d: %v", c.from, c.to, got)
		}
	}
	if err := k.Scan(t.Context(), topic, 5, 0, 1, nil); err == nil {
		t.Error("a partition that is not there was read")
	}
}

func oneTooLarge(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, nil)
	err := k.Append(t.Context(),
		Record{Topic: topic, Value: []byte("first")},
		Record{Topic: topic, Value: make([]byte, 2<<20)},
		Record{Topic: topic, Value: []byte("third")},
		Record{Topic: topic, Value: make([]byte, 900_000)}, // fits, but not with others in one batch
	)
	var failed *AppendError
	if !errors.As(err, &failed) || !errors.Is(err, ErrRecordTooLarge) {
		t.Fatal(err)
	}
	if got := fmt.Sprint(failed.Outcomes); got != "[confirmed refused confirmed confirmed]" {
		t.Error(got)
	}
	if n := len(scanAll(t, k, topic)); n != 3 {
		t.Errorf("%d records are there", n)
	}
}

func refusedByTopic(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, map[string]string{"max.message.bytes": "20000"})
	var records []Record
	for i := range 8 {
		records = append(records, Record{Topic: topic, Key: fmt.Append(nil, i), Value: make([]byte, 5000)})
	}
	records[5].Value = make([]byte, 50000)
	err := k.Append(t.Context(), records...)
	var failed *AppendError
	if !errors.As(err, &failed) {
		t.Fatal(err)
	}
	for i, o := range failed.Outcomes {
		if want := map[bool]Outcome{true: Refused, false: Confirmed}[i == 5]; o != want {
			t.Errorf("record %d is %s, want %s (%v)", i, o, want, failed.Errs[i])
		}
	}
	seen := map[string]int{}
	for _, r := range scanAll(t, k, topic) {
		seen[string(r.Key)]++
	}
	for i := range 8 {
		if want := map[bool]int{true: 0, false: 1}[i == 5]; seen[fmt.Sprint(i)] != want {
			t.Errorf("record %d is there %d times", i, seen[fmt.Sprint(i)])
		}
	}
}

func missingTopic(t *testing.T, k *Client) {
	hasty := dialKafka(t, Options{Brokers: k.options.Brokers, Patience: 300 * time.Millisecond})
	defer hasty.Close()
	err := hasty.Append(soon(t, 2*time.Minute), Record{Topic: "nobody.made.this", Value: []byte("x")})
	var failed *AppendError
	if !errors.As(err, &failed) || failed.Outcomes[0] != Refused || !errors.Is(err, kafka.UnknownTopicOrPartition) || !strings.Contains(err.Error(), "nobody.made.this") {
		t.Error(err)
	}
	if _, err := hasty.Offsets(t.Context(), "nobody.made.this"); !errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.Error(err)
	}
}

func offsetAhead(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, nil)
	if err := k.Read(soon(t, 2*time.Minute), topic, 0, 99, func([]Record) error { return nil }); !errors.Is(err, ErrOffsetAhead) {
		t.Error(err)
	}
}

func committing(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 3, nil)
	ctx := soon(t, 2*time.Minute)
	group := "workers-" + topic
	if got, err := k.Committed(ctx, group, topic); len(got) != 0 || err != nil {
		t.Fatal(got, err)
	}
	for _, offset := range []int64{5, 7} {
		if err := k.Commit(ctx, group, topic, 1, offset); err != nil {
			t.Fatal(err)
		}
	}
	if err := k.Commit(ctx, group, topic, 2, 0); err != nil {
		t.Fatal(err)
	}
	got, err := k.Committed(ctx, group, topic)
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "map[1:7 2:0]" {
		t.Error(got)
	}
}

func topicsMade(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 3, map[string]string{"cleanup.policy": "compact"})
	if err := k.EnsureTopics(soon(t, 2*time.Minute), Topic{Name: topic, Partitions: 8}); err != nil {
		t.Fatal(err)
	}
	if n, err := k.Partitions(t.Context(), topic); n != 3 || err != nil {
		t.Error(n, err)
	}
	configs, err := k.client.DescribeConfigs(t.Context(), &kafka.DescribeConfigsRequest{
		Resources: []kafka.DescribeConfigRequestResource{{ResourceType: kafka.ResourceTypeTopic, ResourceName: topic, ConfigNames: []string{"cleanup.policy"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if c := configs.Resources[0].ConfigEntries; len(c) != 1 || c[0].ConfigValue != "compact" {
		t.Errorf("%+v", c)
	}
}

func givenUp(t *testing.T, k *Client) {
	topic := makeTopic(t, k, 1, nil)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var failed *AppendError
	if err := k.Append(ctx, Record{Topic: topic, Value: []byte("x")}); !errors.As(err, &failed) || failed.Outcomes[0] != Unknown || !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func await[T any](t *testing.T, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(2 * time.Minute):
		t.Fatalf("waited in vain for %s", what)
		panic("unreachable")
	}
}

func soon(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
