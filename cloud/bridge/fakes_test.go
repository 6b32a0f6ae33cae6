package bridge_test

import (
	"bytes"
	"context"
	"fmt"
	"hash/fnv"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"cloudcanvas/cloud/bridge"
	"cloudcanvas/cloud/bridge/slots"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// kafkaLog is Kafka in memory, with faults on demand.
type kafkaLog struct {
	mu     sync.Mutex
	topics map[string][][]kafka.Record // topic → partition → records
	fault  func(n int, records []kafka.Record) error
	calls  int   // of Append with data
	unable error // to take checkpoints
}

func newKafkaLog() *kafkaLog {
	l := &kafkaLog{topics: map[string][][]kafka.Record{}}
	for _, t := range bridge.Topics(3, 1) {
		l.topics[t.Name] = make([][]kafka.Record, t.Partitions)
	}
	return l
}

// write puts a record into the log, whatever faults there are.
func (l *kafkaLog) write(r kafka.Record) {
	h := fnv.New32a()
	h.Write(r.Key)
	p := int(h.Sum32()) % len(l.topics[r.Topic])
	r.Partition, r.Offset = p, int64(len(l.topics[r.Topic][p]))
	r.Value = bytes.Clone(r.Value)
	l.topics[r.Topic][p] = append(l.topics[r.Topic][p], r)
}

func (l *kafkaLog) Append(ctx context.Context, records ...kafka.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if records[0].Topic != event.BridgeTopic && l.fault != nil {
		l.calls++
		if err := l.fault(l.calls, records); err != nil {
			return err
		}
	}
	if records[0].Topic == event.BridgeTopic && l.unable != nil {
		return l.unable
	}
	for _, r := range records {
		l.write(r)
	}
	return ctx.Err()
}

// fail makes an AppendError in which each record ended as outcome says; those confirmed, and those
// unknown for which landed says so, stand in the log.
func (l *kafkaLog) fail(records []kafka.Record, outcome func(n int) (o kafka.Outcome, landed bool, err error)) error {
	e := &kafka.AppendError{Outcomes: make([]kafka.Outcome, len(records)), Errs: make([]error, len(records))}
	for n, r := range records {
		var landed bool
		e.Outcomes[n], landed, e.Errs[n] = outcome(n)
		if landed {
			l.write(r)
		}
	}
	return e
}

func (l *kafkaLog) Offsets(_ context.Context, topic string) (map[int]kafka.OffsetRange, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	ranges := map[int]kafka.OffsetRange{}
	for p, records := range l.topics[topic] {
		ranges[p] = kafka.OffsetRange{End: int64(len(records))}
	}
	return ranges, nil
}

func (l *kafkaLog) Scan(_ context.Context, topic string, partition int, from, to int64, handle func(kafka.Record) error) error {
	l.mu.Lock()
	records := slices.Clone(l.topics[topic][partition])
	l.mu.Unlock()
	for _, r := range records[from:min(to, int64(len(records)))] {
		if err := handle(r); err != nil {
			return err
		}
	}
	return nil
}

// records are all of a topic.
func (l *kafkaLog) records(topic string) []kafka.Record {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Concat(l.topics[topic]...)
}

// seqs are the numbers in a topic, in the order of the partitions.
func (l *kafkaLog) seqs(t testing.TB, topic string) []uint64 {
	t.Helper()
	seqs := []uint64{}
	for _, r := range l.records(topic) {
		item, err := r.Item()
		if err != nil {
			t.Fatalf("a record of %s can't be read: %v", topic, err)
		}
		seqs = append(seqs, item.Seq)
	}
	return seqs
}

// mqttBroker is the MQTT broker: it keeps what was not acknowledged and sends it again.
type mqttBroker struct {
	mu           sync.Mutex
	waiting      []mqtt.Message // not acknowledged, in order
	acked        []string       // the payloads acknowledged
	more         chan struct{}
	runs         int
	running      bool
	unsubscribed bool // its session is not subscribed yet
	asked        int  // times that the bridge asked whether it hears
}

// Ready says that nothing is wrong.
func (m *mqttBroker) Ready() error { return nil }

// Subscribed says whether it is subscribed.
func (m *mqttBroker) Subscribed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked++
	return !m.unsubscribed
}

func newMQTTBroker() *mqttBroker { return &mqttBroker{more: make(chan struct{}, 1)} }

func (m *mqttBroker) publish(topic string, payload []byte) {
	m.put(mqtt.Message{Topic: topic, Payload: payload, QoS: 1})
}

// redeliver delivers what the broker has sent before, as it does where the PUBACK did not reach it.
func (m *mqttBroker) redeliver(topic string, payload []byte) {
	m.put(mqtt.Message{Topic: topic, Payload: payload, QoS: 1, Duplicate: true})
}

func (m *mqttBroker) put(message mqtt.Message) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.waiting = append(m.waiting, message)
	select {
	case m.more <- struct{}{}:
	default:
	}
}

func (m *mqttBroker) send(t testing.TB, items ...event.Item) {
	t.Helper()
	for _, i := range items {
		payload, err := i.MarshalMQTT()
		if err != nil {
			t.Fatal(err)
		}
		m.publish(event.Topic(i.Edge, i.Priority, i.Kind), payload)
	}
}

func (m *mqttBroker) Run(ctx context.Context, _ slots.Set, _ []string, take func(mqtt.Message)) error {
	m.mu.Lock()
	m.runs++
	m.running = true
	sent := 0
	acked := map[*byte]bool{}
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.running = false
		m.waiting = slices.DeleteFunc(m.waiting, func(w mqtt.Message) bool { return acked[&w.Payload[0]] })
	}()
	for ctx.Err() == nil {
		m.mu.Lock()
		var next *mqtt.Message
		if sent < len(m.waiting) {
			next = &m.waiting[sent]
			sent++
		}
		m.mu.Unlock()
		if next == nil {
			select {
			case <-m.more:
			case <-ctx.Done():
			}
			continue
		}
		msg := *next
		msg.Ack = func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			if ctx.Err() == nil && !acked[&msg.Payload[0]] {
				acked[&msg.Payload[0]] = true
				m.acked = append(m.acked, string(msg.Payload))
			}
		}
		take(msg)
	}
	return ctx.Err()
}

func (m *mqttBroker) acknowledged() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.acked)
}

func (m *mqttBroker) isRunning() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}

func (m *mqttBroker) hasRun() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.runs > 0
}

// objectStore is an object store in memory.
type objectStore struct {
	mu      sync.Mutex
	objects map[string][]byte
	err     error
}

func newObjectStore() *objectStore { return &objectStore{objects: map[string][]byte{}} }

func (s *objectStore) Put(_ context.Context, key string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.objects[key] = bytes.Clone(data)
	}
	return s.err
}

func (s *objectStore) Get(_ context.Context, key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[key]
	if !ok && s.err == nil {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return data, s.err
}

func (s *objectStore) get(key string) []byte {
	data, _ := s.Get(context.Background(), key)
	return data
}

func (s *objectStore) Delete(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
	return s.err
}

func (s *objectStore) Keys(_ context.Context, prefix string) (keys []string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.objects {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, s.err
}

func (s *objectStore) keys() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

func (s *objectStore) break_(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// sentReceipts is the receipts that went out: the latest for each edge, and a check of each when it goes.
type sentReceipts struct {
	mu     sync.Mutex
	latest map[string]event.Receipt
	epochs map[string]event.Receipt // by edge and epoch
	count  int
	fails  int // so many fail first
	check  func(edge string, r event.Receipt)
}

func (p *sentReceipts) Publish(_ context.Context, topic string, _ byte, _ bool, payload []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fails > 0 {
		p.fails--
		return mqtt.ErrOffline
	}
	item, err := event.UnmarshalMQTT(payload)
	if err != nil {
		panic(err)
	}
	receipt, err := event.ParseReceipt(item)
	if err != nil {
		panic(err)
	}
	if topic != event.ReceiptsTopic(item.Edge) {
		panic(topic)
	}
	if p.check != nil {
		p.check(item.Edge, receipt)
	}
	p.latest[item.Edge] = receipt
	if p.epochs == nil {
		p.epochs = map[string]event.Receipt{}
	}
	p.epochs[item.Edge+" "+string(receipt.Epoch)] = receipt
	p.count++
	return nil
}

func (p *sentReceipts) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(p.latest)
	clear(p.epochs)
}

func (p *sentReceipts) of(edge string) (event.Receipt, int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.latest[edge], p.count
}

const epoch = event.Epoch("00000000000000e1")
