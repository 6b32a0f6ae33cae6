package capture

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/telemetry"
)

// Subscriber is the device's own MQTT broker, met by *mqtt.Client. handle must not block.
type Subscriber interface {
	Subscribe(filter string, qos byte, handle func(mqtt.Message))
}

// Topics that cameras and sensors publish on.
const (
	framePrefix, frameSuffix     = "canvas/cameras/", "/frame"
	readingPrefix, readingSuffix = "canvas/sensors/", "/reading"
)

// ReadingFilter takes in the topics of all sensors.
const ReadingFilter = readingPrefix + "+" + readingSuffix

// heldBytes bounds what waits undecoded, whatever the number of cameras.
const heldBytes = 64 << 20

// FrameConfig bounds what cameras may publish on the device's MQTT broker.
type FrameConfig struct {
	MaxStreams int   `yaml:"max_streams" desc:"cameras at most, as their names come from outside; 0: 256" range:"0.."`
	MaxPixels  int   `yaml:"max_pixels" desc:"pixels of a frame at most; 0: 100 million" range:"0.."`
	MaxBytes   int64 `yaml:"max_bytes" desc:"bytes of a message at most; 0: 16 MiB" range:"0.."`
	Queue      int   `yaml:"queue" desc:"newest frames held of each camera; 0: 2" range:"0.."`
}

// ReadingConfig bounds what sensors may publish there.
type ReadingConfig struct {
	MaxStreams int `yaml:"max_streams" desc:"sensors at most, as their names come from outside; 0: 256" range:"0.."`
	Readings   int `yaml:"readings" desc:"readings taken off the broker that are not in the buffer yet, of all sensors, up to 4096; 0: 1024" range:"0.."`
}

const (
	defaultStreams    = 256
	defaultQueue      = 2
	defaultFrameBytes = 16 << 20
	defaultReadings   = 1024
)

// orElse is a setting, or its default where it is not set.
func orElse[T int | int64](v, d T) T {
	if v <= 0 {
		return d
	}
	return v
}

// device is the part that frames and readings have in common: what is known of the names that speak,
// and what became of their messages.
type device struct {
	name           string
	filter         string
	prefix, suffix string
	qos            byte
	from           Subscriber
	log            *slog.Logger
	streamsMost    int
	limit          int64
	now            func() time.Time

	messageCounter
	nextWarning atomic.Int64 // unix nanoseconds

	mu      sync.Mutex
	streams []string
}

// Name is the source's name.
func (d *device) Name() string { return d.name }

// Counts is what became of the messages so far; safe from any goroutine.
func (d *device) Counts() DeviceCounts { return d.counts() }

// Streams are the cameras or sensors that have spoken, sorted.
func (d *device) Streams() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.streams)
}

// run hands on what open makes of the newest message of each stream, until ctx ends: between the
// subscription, which must not wait, and the pipeline, which may, older ones make way.
func (d *device) run(ctx context.Context, depth int, open func(*Picture, []byte) error, emit func(context.Context, Picture) error) error {
	queue := newNewest(depth, heldBytes, func(string) { d.skipped(SkipBehind) })
	var over atomic.Bool
	defer over.Store(true)
	var acks acks
	var known recentMessages
	d.from.Subscribe(d.filter, d.qos, func(m mqtt.Message) {
		if over.Load() {
			return // not acknowledged: it comes again
		}
		settle := acks.expect(m.Ack)
		d.received()
		if known.again(m) {
			d.count(func(c *DeviceCounts) { c.Redelivered++ })
			d.skipped(SkipRepeated)
			settle()
			return
		}
		// A retained message is the answer to the subscription: nobody knows from when it is, and
		// each reconnect brings it again.
		if m.Retained {
			d.skipped(SkipRetained)
			settle()
			return
		}
		stream, err := d.admit(m)
		if err != nil {
			d.reject(m.Topic, err)
			settle()
			return
		}
		// The payload rides along undecoded: work that is dropped was never done.
		queue.put(Picture{Stream: stream, At: d.now(), payload: m.Payload, Committed: settle})
	})
	numbers := map[string]int64{}
	return queue.drain(ctx, nil, func(ctx context.Context, p Picture) error {
		if err := open(&p, p.payload); err != nil {
			d.reject(d.prefix+p.Stream+d.suffix, err)
			p.Committed()
			return nil
		}
		p.payload = nil
		p.Frame = numbers[p.Stream]
		numbers[p.Stream]++
		d.taken()
		return emit(ctx, p)
	})
}

// admit checks what can be checked without decoding, and gives the stream's name.
func (d *device) admit(m mqtt.Message) (string, error) {
	rest, ok := strings.CutPrefix(m.Topic, d.prefix)
	stream, ends := strings.CutSuffix(rest, d.suffix)
	switch {
	case !ok || !ends:
		return "", refused{SkipName, fmt.Errorf("the topic is not %s<name>%s", d.prefix, d.suffix)}
	case int64(len(m.Payload)) > d.limit:
		return "", refused{SkipSize, fmt.Errorf("a message of %d bytes, %d is the limit", len(m.Payload), d.limit)}
	case len(m.Payload) == 0:
		return "", errors.New("the message is empty")
	}
	if err := event.CheckName(stream); err != nil {
		return "", refused{SkipName, fmt.Errorf("the name is not usable: %w", err)}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	at, known := slices.BinarySearch(d.streams, stream)
	if known {
		return stream, nil
	}
	if len(d.streams) == d.streamsMost {
		return "", refused{SkipStreams, fmt.Errorf("more than %d names (max_streams)", d.streamsMost)}
	}
	d.streams = slices.Insert(d.streams, at, strings.Clone(stream))
	return stream, nil
}

// reject counts a message that is skipped, and logs one in ten seconds.
func (d *device) reject(topic string, err error) {
	stream := strings.TrimSuffix(strings.TrimPrefix(topic, d.prefix), d.suffix)
	bad := d.rejected(stream, err)
	now, next := d.now().UnixNano(), d.nextWarning.Load()
	if now >= next && d.nextWarning.CompareAndSwap(next, now+int64(10*time.Second)) {
		d.log.Warn("message skipped", "topic", fmt.Sprintf("%.200q", topic), telemetry.Err, err, "bad", bad)
	}
}

// DeviceFrames takes pictures from canvas/cameras/<camera>/frame.
type DeviceFrames struct {
	device
	config FrameConfig
	open   Open
	guard  Guard
}

// NewDeviceFrames makes the source.
func NewDeviceFrames(c FrameConfig, from Subscriber, open Open, log *slog.Logger) *DeviceFrames {
	c.MaxStreams, c.MaxPixels = orElse(c.MaxStreams, defaultStreams), orElse(c.MaxPixels, defaultImagePixels)
	c.MaxBytes, c.Queue = orElse(c.MaxBytes, defaultFrameBytes), orElse(c.Queue, defaultQueue)
	return &DeviceFrames{open: open, config: c, device: device{name: "cameras", from: from, log: log, qos: 1,
		filter: framePrefix + "+" + frameSuffix, prefix: framePrefix, suffix: frameSuffix,
		streamsMost: c.MaxStreams, limit: c.MaxBytes, now: time.Now}}
}

// Guarded calls g before each frame is decoded.
func (d *DeviceFrames) Guarded(g Guard) *DeviceFrames {
	d.guard = g
	return d
}

// Run emits a Picture for each message until ctx ends, the newest where the pipeline is slower.
func (d *DeviceFrames) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	logged := loggedNotes{}
	return d.run(ctx, d.config.Queue, func(p *Picture, payload []byte) (err error) {
		f, err := d.open(ctx, payload, d.config.MaxPixels)
		if err != nil {
			return err
		}
		defer f.Close()
		im, notes, err := d.guard.decode(ctx, p.Stream, "frame", f, 0)
		p.Image = im
		if f.Count() > 1 {
			notes.Left = "only the first of its pictures is taken"
		}
		logged.log(d.log, d.prefix+p.Stream+d.suffix, notes)
		return err
	}, emit)
}
