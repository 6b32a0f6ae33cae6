package capture

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"cloudcanvas/shared/broker"
)

// loop is a broker that hands messages straight to who subscribed.
type loop struct {
	handle func(broker.Message)
	ready  chan struct{}
}

func newLoop() *loop { return &loop{ready: make(chan struct{})} }

func (l *loop) Subscribe(_ string, _ byte, handle func(broker.Message)) {
	l.handle = handle
	close(l.ready)
}

func (l *loop) say(topic, payload string) {
	l.handle(broker.Message{Topic: topic, Payload: []byte(payload)})
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
	for end := time.Now().Add(10 * time.Second); !ok(); {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
		time.Sleep(time.Millisecond)
	}
}

func TestReadingsComeFromASensorsTopicAndBadOnesAreCounted(t *testing.T) {
	l := newLoop()
	s := NewDeviceReadings(DeviceConfig{MaxStreams: 2}, l, quiet)
	pictures := listen(t, s)
	<-l.ready
	l.say("canvas/sensors/roof/reading", `{"wind":{"speed":"3.5"}}`)
	if p := <-pictures; p.Stream != "roof" || p.Reading["wind.speed"] != 3.5 || p.Frame != 0 {
		t.Errorf("%+v", p)
	}
	l.say("canvas/sensors/roof/reading", "warm")
	l.say("canvas/sensors/../reading", "1")
	l.say("canvas/sensors/a b/reading", "1")
	l.say("canvas/sensors/roof/reading", "")
	l.handle(broker.Message{Topic: "canvas/sensors/roof/reading", Payload: []byte("9"), Retained: true})
	l.say("canvas/sensors/cellar/reading", "4")
	if p := <-pictures; p.Stream != "cellar" || p.Reading["value"] != 4 {
		t.Errorf("%+v", p)
	}
	l.say("canvas/sensors/third/reading", "1") // one name too many
	l.say("canvas/sensors/roof/reading", "5")
	if p := <-pictures; p.Reading["value"] != 5 || p.Frame != 1 {
		t.Errorf("%+v", p)
	}
	if c := s.Counts(); c != (DeviceCounts{Taken: 3, Bad: 5}) {
		t.Errorf("counts %+v", c)
	}
}

func TestFramesOverTheBrokerAreDecodedOnlyIfTheyAreTaken(t *testing.T) {
	broker, err := broker.EmbedMQTT(broker.EmbedMQTTOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	client := dial(t, broker.URL())
	var decoded atomic.Int64
	s := NewDeviceFrames(DeviceConfig{Queue: 1}, client, func(data []byte, most int) (im visionImage, err error) {
		decoded.Add(1)
		return decodeStd(data, most)
	}, quiet)
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
