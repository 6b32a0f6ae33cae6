package capture

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"cloudcanvas/shared/mqtt"
)

// MostReadings is how many readings may be on their way from the broker into the buffer at most: more
// than so many messages later a message can't be one that was sent again.
const MostReadings = 4096

const (
	readingsAtOnce = 256     // that are committed together
	readingsBytes  = 8 << 20 // of those on their way
)

// ReceivedReading is a reading, and how to tell the message that brought it from others.
type ReceivedReading struct {
	Picture
	Packet uint16 // the message's number in the session; 0: it was sent without (QoS 0)
	Digest Digest // of its topic and payload
	Again  bool   // the broker has sent it before
}

// Digest is a short one of a message.
type Digest [12]byte

func digestOf(m mqtt.Message) (d Digest) {
	h := sha256.New()
	h.Write([]byte(m.Topic))
	h.Write([]byte{0})
	h.Write(m.Payload)
	copy(d[:], h.Sum(nil))
	return d
}

// DeviceReadings takes numbers from canvas/sensors/<sensor>/reading; see ParseReading. None is dropped:
// a message is acknowledged once what it became is safe, and what can't be taken yet waits in the broker.
type DeviceReadings struct {
	device
	most int // on their way
}

// NewDeviceReadings makes the source.
func NewDeviceReadings(c ReadingConfig, from Subscriber, log *slog.Logger) *DeviceReadings {
	return &DeviceReadings{most: min(orElse(c.Readings, defaultReadings), MostReadings), device: device{name: "sensors", from: from, log: log, qos: 1,
		filter: ReadingFilter, prefix: readingPrefix, suffix: readingSuffix,
		streamsMost: orElse(c.MaxStreams, defaultStreams), limit: maxReadingBytes, now: time.Now}}
}

// Run emits what has come, in its order, until ctx ends. When emit returns nil the messages are
// acknowledged: all that they became must be safe by then. An error leaves them with the broker.
func (d *DeviceReadings) Run(ctx context.Context, emit func(context.Context, []ReceivedReading) error) error {
	in := newIntake(d.most, readingsBytes)
	defer in.end()
	d.from.Subscribe(d.filter, d.qos, func(m mqtt.Message) {
		if !in.ended.Load() {
			in.put(arrival{m, d.now()})
		}
	})
	numbers := map[string]int64{}
	for {
		batch, err := in.take(ctx, readingsAtOnce)
		if err != nil {
			return err
		}
		readings := d.open(batch, numbers)
		if len(readings) > 0 {
			if err := emit(ctx, readings); err != nil {
				return err
			}
		}
		d.count(func(c *DeviceCounts) { c.Committed += int64(len(readings)) })
		for _, a := range batch {
			if a.Ack != nil {
				a.Ack()
			}
		}
		in.settled(batch)
	}
}

// open reads the messages. What is not a reading is counted and logged, and acknowledged with the rest:
// it would be none the next time.
func (d *DeviceReadings) open(batch []arrival, numbers map[string]int64) (readings []ReceivedReading) {
	for _, a := range batch {
		d.received()
		if a.Retained { // the answer to the subscription: nobody knows from when it is, and each one brings it again
			d.skipped(SkipRetained)
			continue
		}
		stream, err := d.admit(a.Message)
		var r map[string]float64
		var bad int
		if err == nil {
			r, bad, err = parseReading(a.Payload)
		}
		if err != nil {
			d.reject(a.Topic, err)
			continue
		}
		d.count(func(c *DeviceCounts) {
			c.Taken++
			c.BadValues += int64(bad)
			if a.Duplicate {
				c.Redelivered++
			}
		})
		readings = append(readings, ReceivedReading{Picture: Picture{Stream: stream, At: a.at, Frame: numbers[stream], Reading: r},
			Packet: a.Packet, Digest: digestOf(a.Message), Again: a.Duplicate})
		numbers[stream]++
	}
	return readings
}

// Repeated counts readings that had become items before.
func (d *DeviceReadings) Repeated(n int) {
	d.count(func(c *DeviceCounts) {
		for range n {
			c.Taken--
			c.Committed--
			c.skip(SkipRepeated)
		}
	})
}
