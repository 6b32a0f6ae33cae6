package capture

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/vision"
)

// loop is a broker that hands messages straight to who subscribed.
type loop struct {
	handle func(mqtt.Message)
	ready  chan struct{}
}

func newLoop() *loop { return &loop{ready: make(chan struct{})} }

func (l *loop) Subscribe(_ string, _ byte, handle func(mqtt.Message)) {
	l.handle = handle
	close(l.ready)
}

func (l *loop) say(topic, payload string) {
	l.handle(mqtt.Message{Topic: topic, Payload: []byte(payload)})
}

// listen runs a source and gives its pictures.
func listen(t *testing.T, s Source) chan Picture {
	t.Helper()
	pictures := make(chan Picture)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.Run(ctx, func(ctx context.Context, p Picture) error {
			select {
			case pictures <- p:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
	}()
	t.Cleanup(func() { cancel(); <-done })
	return pictures
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReadingsComeFromASensorsTopicAndBadOnesAreCounted(t *testing.T) {
	l := newLoop()
	s := NewDeviceReadings(ReadingConfig{MaxStreams: 2}, l, quiet)
	pictures := listen(t, flat{s})
	<-l.ready
	l.say("canvas/sensors/roof/reading", `{"wind":{"speed":"3.5"}}`)
	if p := <-pictures; p.Stream != "roof" || p.Reading["wind.speed"] != 3.5 || p.Frame != 0 {
		t.Errorf("%+v", p)
	}
	l.say("canvas/sensors/roof/reading", "warm")
	l.say("canvas/sensors/../reading", "1")
	l.say("canvas/sensors/a b/reading", "1")
	l.say("canvas/sensors/roof/reading", "")
	l.handle(mqtt.Message{Topic: "canvas/sensors/roof/reading", Payload: []byte("9"), Retained: true})
	l.say("canvas/sensors/cellar/reading", "4")
	if p := <-pictures; p.Stream != "cellar" || p.Reading["value"] != 4 {
		t.Errorf("%+v", p)
	}
	l.say("canvas/sensors/third/reading", "1") // one name too many
	l.say("canvas/sensors/roof/reading", "5")
	if p := <-pictures; p.Reading["value"] != 5 || p.Frame != 1 {
		t.Errorf("%+v", p)
	}
	l.say("canvas/sensors/roof/reading", "6") // the one before is settled when it is taken
	<-pictures
	c := s.Counts()
	left := map[string]int64{SkipMalformed: 2, SkipName: 2, SkipStreams: 1, SkipRetained: 1}
	if c.Received != 10 || c.Taken != 4 || c.Bad != 5 || !maps.Equal(c.LeftOut, left) || !maps.Equal(c.BadBy, map[string]int64{"roof": 2, "others": 3}) {
		t.Errorf("counts %+v", c)
	}
}

// flat gives the readings of a source one by one.
type flat struct{ *DeviceReadings }

func (f flat) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	return f.DeviceReadings.Run(ctx, func(ctx context.Context, said []ReceivedReading) error {
		for _, s := range said {
			if err := emit(ctx, s.Picture); err != nil {
				return err
			}
		}
		return nil
	})
}

func TestNoReadingIsAcknowledgedBeforeItIsSafeAndABurstWaitsOutside(t *testing.T) {
	l := newLoop()
	s := NewDeviceReadings(ReadingConfig{Readings: 3}, l, quiet)
	batches, safe := make(chan int), make(chan error)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- s.Run(ctx, func(_ context.Context, said []ReceivedReading) error {
			batches <- len(said)
			return <-safe
		})
	}()
	<-l.ready
	var acked []int
	var mu sync.Mutex
	said := make(chan int, 10)
	go func() {
		for n := range 10 {
			l.handle(mqtt.Message{Topic: "canvas/sensors/roof/reading", Payload: []byte("1"), QoS: 1, Packet: uint16(n + 1), Ack: func() {
				mu.Lock()
				acked = append(acked, n)
				mu.Unlock()
			}})
			said <- n
		}
	}()
	total := 0
	for total < 8 {
		n := <-batches
		mu.Lock()
		if len(acked) != total || n > 3 {
			t.Errorf("%d acknowledged, %d are safe, %d more on their way", len(acked), total, n)
		}
		mu.Unlock()
		if total += n; total < 8 {
			safe <- nil
		}
	}
	cancel()
	safe <- context.Canceled
	if err := <-ended; !errors.Is(err, context.Canceled) || !slices.IsSorted(acked) || len(acked) >= total {
		t.Errorf("%v; of %d taken %d were acknowledged: %v", err, total, len(acked), acked)
	}
}

func TestAPictureIsAcknowledgedWhenItIsDoneWithOrMadeWay(t *testing.T) {
	l := newLoop()
	s := NewDeviceFrames(FrameConfig{Queue: 1}, l, openStd, quiet)
	pictures := listen(t, s)
	<-l.ready
	var mu sync.Mutex
	var sent []uint16
	acked := func() []uint16 {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(sent)
	}
	say := func(packet uint16, again bool, payload []byte) {
		l.handle(mqtt.Message{Topic: "canvas/cameras/gate/frame", Payload: payload, QoS: 1, Packet: packet, Duplicate: again, Ack: func() {
			mu.Lock()
			defer mu.Unlock()
			sent = append(sent, packet)
		}})
	}
	say(1, false, pngOf(t, 1, 1))
	first := <-pictures
	say(2, false, pngOf(t, 2, 1)) // is taken, and waits for the one before
	eventually(t, "the second is on its way", func() bool { return s.Counts().Taken == 2 })
	say(3, false, pngOf(t, 3, 1))
	say(4, false, pngOf(t, 4, 1))
	say(5, false, []byte("no picture"))
	if len(acked()) != 0 {
		t.Errorf("%v acknowledged before the first is safe", acked())
	}
	first.Committed()
	if !slices.Equal(acked(), []uint16{1}) {
		t.Errorf("%v acknowledged", acked())
	}
	second := <-pictures
	second.Committed()
	eventually(t, "the last is looked at", func() bool { return len(acked()) == 5 })
	say(2, true, pngOf(t, 2, 1))
	if c := s.Counts(); !slices.Equal(acked(), []uint16{1, 2, 3, 4, 5, 2}) || c.Dropped != 2 || c.LeftOut[SkipRepeated] != 1 || c.Redelivered != 1 {
		t.Errorf("%v acknowledged, %+v", acked(), c)
	}
}

func TestAcknowledgementsGoInTheOrderOfArrival(t *testing.T) {
	var a acks
	var sent []int
	var settle []func()
	for n := range 4 {
		settle = append(settle, a.expect(func() { sent = append(sent, n) }))
	}
	for _, n := range []int{2, 0, 0, 3} {
		settle[n]()
	}
	if !slices.Equal(sent, []int{0}) {
		t.Errorf("%v", sent)
	}
	if settle[1](); !slices.Equal(sent, []int{0, 1, 2, 3}) {
		t.Errorf("%v", sent)
	}
}

func TestFramesOverTheBrokerAreDecodedOnlyIfTheyAreTaken(t *testing.T) {
	broker, err := mqtt.Embed(mqtt.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client := dial(t, broker.URL())
	var decoded atomic.Int64
	s := NewDeviceFrames(FrameConfig{Queue: 1}, client, onePicture(func(data []byte, most int) (visionImage, vision.Notes, error) {
		decoded.Add(1)
		return decodeStd(data, most)
	}), quiet)
	pictures := listen(t, s)
	for w := range 20 {
		// The first is published until the subscription stands; the pipeline takes none of them.
		if err := client.Publish(t.Context(), "canvas/cameras/yard/frame", 1, false, pngOf(t, w+1, 1)); err != nil {
			t.Fatal(err)
		}
	}
	client.Publish(t.Context(), "canvas/cameras/yard/frame", 1, false, pngOf(t, 99, 1))
	eventually(t, "the newest came", func() bool { return (<-pictures).Image.W == 99 })
	c := s.Counts()
	if decoded.Load() != c.Taken || c.Taken+c.Dropped > 21 || c.Taken > 5 {
		t.Errorf("%d decoded, counts %+v", decoded.Load(), c)
	}
}

func TestTheNewestOfEachStreamAreHeldAndNoMoreBytesThanAllowed(t *testing.T) {
	drops := map[string]int{}
	n := newNewest(3, 100, func(stream string) { drops[stream]++ })
	for i := range 10 {
		n.put(Picture{Stream: "fast", Frame: int64(i), payload: make([]byte, 10)})
	}
	n.put(Picture{Stream: "slow", payload: make([]byte, 10)})
	n.put(Picture{Stream: "huge", payload: make([]byte, 65)})
	var got string
	for p, ok := n.next(); ok; p, ok = n.next() {
		got += fmt.Sprint(p.Stream, p.Frame, " ")
	}
	if want := "fast8 fast9 slow0 huge0 "; got != want || drops["fast"] != 8 || drops["slow"] != 0 {
		t.Errorf("held %s, want %s; drops %v", got, want, drops)
	}
	if n.bytes != 0 || n.held["fast"] != 0 {
		t.Errorf("%d bytes and %v held of nothing", n.bytes, n.held)
	}
}
