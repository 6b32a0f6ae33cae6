package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"
)

// SensorsOptions say how many sensors report how often for how long.
type SensorsOptions struct {
	Name       string // the sensors are NAME-0, NAME-1, …
	Sensors    int
	Rate       float64 // readings/s of each
	For        time.Duration
	Excursions int // of each sensor
	Silences   int
	Seed       uint64
	// Publish sends a reading; nil: readings are written only, as fast as they can be.
	Publish func(ctx context.Context, topic string, payload []byte) error
}

// SensorsTruth is what the readings are known to hold.
type SensorsTruth struct {
	Simulated  bool        `json:"simulated"`
	Seed       uint64      `json:"seed"`
	Began      time.Time   `json:"began,omitzero"` // of readings that were published
	Sensors    int         `json:"sensors"`
	Rate       float64     `json:"readings_per_second"` // of each, as asked for
	Seconds    float64     `json:"seconds"`             // as asked for
	Took       float64     `json:"took_seconds,omitempty"`
	Readings   int         `json:"readings"`
	Excursions []Excursion `json:"excursions"`
	Silences   []Silence   `json:"silences"`
}

// Readings is how many each sensor has time for, silences included.
func (o SensorsOptions) Readings() int { return int(o.Rate * o.For.Seconds()) }

// Problem is why these can't be, or nil.
func (o SensorsOptions) Problem() error {
	if parts := o.Excursions + o.Silences; o.Readings() < max(1, parts*leastPart) {
		return fmt.Errorf("%d readings of each sensor leave no room for %d excursions and %d silences: they need %d readings each; raise --rate or --for",
			o.Readings(), o.Excursions, o.Silences, leastPart)
	}
	return nil
}

// reading is a line.
type reading struct {
	AtS     float64         `json:"at_s"`
	Topic   string          `json:"topic"`
	Payload json.RawMessage `json:"payload"`
}

// Sensors makes the readings, in rounds of one of each sensor, and writes each as a line of JSON.
// Published rounds keep to the clock; one that can't be made in time delays the others, and the truth
// tells how long it took.
func Sensors(ctx context.Context, o SensorsOptions, to io.Writer) (SensorsTruth, error) {
	t := SensorsTruth{Simulated: true, Seed: o.Seed, Sensors: o.Sensors, Rate: o.Rate, Seconds: o.For.Seconds()}
	if err := o.Problem(); err != nil {
		return t, err
	}
	sensors := make([]*sensor, o.Sensors)
	for n := range sensors {
		sensors[n] = plan(fmt.Sprintf("%s-%d", o.Name, n), o.Seed, uint64(n), o.Readings(), o.Excursions, o.Silences, o.Rate)
	}
	began := time.Now()
	lines := json.NewEncoder(to)
	for n := range o.Readings() {
		count, err := o.round(ctx, sensors, n, began, lines)
		t.Readings += count
		if err != nil {
			return t, fmt.Errorf("after %d readings: %w", t.Readings, err)
		}
	}
	if o.Publish != nil {
		t.Began, t.Took = began.UTC(), time.Since(began).Seconds()
	}
	t.Excursions, t.Silences = []Excursion{}, []Silence{}
	for _, s := range sensors {
		t.Excursions, t.Silences = append(t.Excursions, s.excursions...), append(t.Silences, s.silences...)
	}
	return t, nil
}

// manyAtOnce is how many readings of a round are on their way to the broker at a time.
const manyAtOnce = 64

// round makes one reading of each sensor.
func (o SensorsOptions) round(ctx context.Context, sensors []*sensor, n int, began time.Time, lines *json.Encoder) (count int, err error) {
	at := float64(n) / o.Rate
	if o.Publish != nil {
		select {
		case <-time.After(time.Until(began.Add(time.Duration(at * float64(time.Second))))):
		case <-ctx.Done():
		}
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(manyAtOnce)
	for _, s := range sensors {
		payload := s.say(n, o.Rate)
		if payload == nil {
			continue
		}
		count++
		topic := "canvas/sensors/" + s.name + "/reading"
		if err := lines.Encode(reading{at, topic, payload}); err != nil {
			return count, err
		}
		if o.Publish != nil {
			group.Go(func() error { return o.Publish(ctx, topic, payload) })
		}
	}
	return count, group.Wait()
}
