package deadletter

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// memory is an object store in memory; meanwhile is called with each deletion.
type memory struct {
	objects   map[string][]byte
	meanwhile func(key string)
}

func (s *memory) Get(_ context.Context, key string) ([]byte, error) {
	if data, ok := s.objects[key]; ok {
		return data, nil
	}
	return nil, fs.ErrNotExist
}

func (s *memory) Put(_ context.Context, key string, data []byte) error {
	s.objects[key] = data
	return nil
}

func (s *memory) Delete(_ context.Context, key string) error {
	delete(s.objects, key)
	if s.meanwhile != nil {
		s.meanwhile(key)
	}
	return nil
}

func (s *memory) Keys(_ context.Context, prefix string) (keys []string, err error) {
	for _, key := range slices.Sorted(maps.Keys(s.objects)) {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// trail is a topic of dead letters that retention can cut.
type trail struct {
	deadLetters []kafka.Record
	first       int64
	fault       error
}

func (l *trail) add(key string, bytes int) {
	l.deadLetters = append(l.deadLetters, kafka.Record{Topic: event.DLQTopic, Offset: int64(len(l.deadLetters)), Headers: []event.Header{
		{Key: HeadQuarantine, Value: []byte(key)}, {Key: HeadQuarantineBytes, Value: strconv.AppendInt(nil, int64(bytes), 10)}}})
}

func (l *trail) Offsets(context.Context, string) (map[int]kafka.OffsetRange, error) {
	return map[int]kafka.OffsetRange{0: {First: l.first, End: int64(len(l.deadLetters))}}, l.fault
}

func (l *trail) Scan(_ context.Context, _ string, _ int, from, to int64, handle func(kafka.Record) error) error {
	for _, r := range l.deadLetters[from:to] {
		if err := handle(r); err != nil {
			return err
		}
	}
	return nil
}

func (l *trail) Append(context.Context, ...kafka.Record) error {
	return errors.New("nobody writes here")
}

func keeper(l *trail, s *memory, bound int64) *Keeper {
	return &Keeper{Log: l, Objects: s, Limits: Limits{ObjectBytes: bound}, Logger: slog.New(slog.DiscardHandler)}
}

func look(t *testing.T, k *Keeper, times int) {
	t.Helper()
	for range times {
		if err := k.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestObjectsGoWithTheirDeadLetters(t *testing.T) {
	s := &memory{objects: map[string][]byte{"quarantine/a": make([]byte, 10), "quarantine/b": make([]byte, 10), "items/c": make([]byte, 10)}}
	l := &trail{}
	l.add("quarantine/a", 10)
	l.add("quarantine/b", 10)
	k := keeper(l, s, 1000)
	look(t, k, 3)
	if len(s.objects) != 3 {
		t.Fatalf("an object that a dead letter names is gone: %v", s.objects)
	}
	l.first = 1
	look(t, k, 1)
	if len(s.objects) != 3 {
		t.Fatal("an object is deleted at the first look, while its dead letter may be on its way")
	}
	look(t, k, 1)
	if _, there := s.objects["quarantine/a"]; there || len(s.objects) != 2 {
		t.Errorf("after its dead letter went: %v", s.objects)
	}
}

func TestAnObjectWhoseDeadLetterComesMeanwhileStays(t *testing.T) {
	s, l := &memory{objects: map[string][]byte{"quarantine/a": []byte("x")}}, &trail{}
	s.meanwhile = func(key string) { l.add(key, 1) }
	look(t, keeper(l, s, 1000), 3)
	if string(s.objects["quarantine/a"]) != "x" {
		t.Error("the object of a new dead letter is gone")
	}
}

func TestTheOldestObjectsGoWhereTheyTakeTooMuch(t *testing.T) {
	s, l := &memory{objects: map[string][]byte{}}, &trail{}
	for n := range 10 {
		key := "quarantine/" + strconv.Itoa(n)
		s.objects[key] = make([]byte, 10)
		l.add(key, 10*(n%2)) // an earlier program's dead letters don't say how many bytes there are
		l.deadLetters[n].Time = l.deadLetters[n].Time.Add(1 << n)
	}
	k := keeper(l, s, 35)
	look(t, k, 2)
	keys, _ := s.Keys(t.Context(), "")
	if !slices.Equal(keys, []string{"quarantine/7", "quarantine/8", "quarantine/9"}) {
		t.Errorf("left: %v", keys)
	}
}

func TestTheTopicTakesItsBounds(t *testing.T) {
	k := kafkaWith(t)
	if err := k.SetTopic(t.Context(), event.DLQTopic, DefaultLimits().TopicConfig()); err != nil {
		t.Error(err)
	}
	if err := k.SetTopic(t.Context(), "nowhere", DefaultLimits().TopicConfig()); err == nil {
		t.Error("a topic that is not there")
	}
}
