package integration

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
	"cloudcanvas/shared/mqtt"
)

// clip cuts the first seconds off the sample video.
func clip(t testing.TB, to string, frames int) string {
	t.Helper()
	out, err := exec.Command("ffmpeg", "-v", "error", "-nostdin", "-i", sample(t, "vtest.avi"), "-frames:v", fmt.Sprint(frames), "-c:v", "mjpeg", "-q:v", "3", to).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

// TestTwoCamerasAndASceneAtOnceWhileSensorsReport looks for each where the contracts say that it is.
func TestTwoCamerasAndASceneAtOnceWhileSensorsReport(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	site := brokertest.StartMosquitto(t)
	heard := listen(t, site.URL, "canvas/#")
	f.device(t, "mast", fmt.Sprintf(`
local: {url: %q}
sensors: {enabled: true}
scenes: [{name: field, path: %q}]
cameras:
  - {name: gate, address: %q, detector: opencv_hog_people}
  - {name: yard, address: %q, detector: opencv_hog_people}
`, site.URL, sample(t, "sentinel2.tif"), clip(t, filepath.Join(f.dir, "gate.avi"), 24), clip(t, filepath.Join(f.dir, "yard.avi"), 16)))

	sensor, err := mqtt.Dial(t.Context(), mqtt.Options{URL: site.URL, ClientID: "thermometer"})
	if err != nil {
		t.Fatal(err)
	}
	defer sensor.Close()
	k := f.kafka(t)
	sent := 0
	until(t, 2*time.Minute, "all products and a reading", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if sensor.Publish(ctx, "canvas/sensors/boiler/reading", 1, false, []byte(`{"temperature": 81.5}`)) == nil {
			sent++
		}
		return there(f.products, "field/item.json") && there(f.products, "gate/detections.json") && there(f.products, "yard/detections.json") && len(readings(t, k)) > 0
	})
	if r := readings(t, k)[0]; r.Sensor != "boiler" || r.Values["temperature"] != 81.5 {
		t.Errorf("reading %+v", r)
	}
	var found []struct {
		ImageID    int        `json:"image_id"`
		CategoryID int        `json:"category_id"`
		BBox       [4]float64 `json:"bbox"`
		Score      float64    `json:"score"`
	}
	readJSON(t, filepath.Join(f.products, "gate", "detections.json"), &found)
	if len(found) == 0 || found[0].CategoryID != 1 {
		t.Errorf("detections of the gate: %+v", found)
	}
	until(t, 2*time.Minute, "what the device says on its own broker", func() bool {
		return heard.has("canvas/available") && heard.has("canvas/events") && heard.has("canvas/gate/person") && heard.has("canvas/yard/person/snapshot")
	})
	status := listen(t, f.brokers.mqtt, event.StatusTopic("mast"))
	until(t, 2*time.Minute, "the device's status", func() bool { return strings.Contains(status.payload(event.StatusTopic("mast")), `"online"`) })
	until(t, 2*time.Minute, "every item in Kafka", func() bool {
		distinct, most, doubled := delivered(t, k, "mast")
		return distinct == most && doubled == 0 && distinct > 0
	})
}

// readings are the sensors' items in Kafka.
func readings(t *testing.T, k *kafka.Client) (all []event.ReadingData) {
	t.Helper()
	offsets, err := k.Offsets(t.Context(), event.EventsTopic)
	if err != nil {
		return nil
	}
	for p, o := range offsets {
		err := k.Scan(t.Context(), event.EventsTopic, p, o.First, o.End, func(r kafka.Record) error {
			i, err := r.Item()
			if err != nil || i.Kind != event.Reading {
				return err
			}
			var d event.ReadingData
			if err := json.Unmarshal(i.Data, &d); err != nil {
				return err
			}
			all = append(all, d)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// ear keeps the last message of each topic.
type ear struct {
	mu   sync.Mutex
	last map[string]string
}

func listen(t testing.TB, url, filter string) *ear {
	t.Helper()
	e := &ear{last: map[string]string{}}
	c, err := mqtt.Dial(t.Context(), mqtt.Options{URL: url, ClientID: "ear-" + strings.Map(func(r rune) rune {
		if r == '/' || r == '#' {
			return '-'
		}
		return r
	}, filter)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	c.Subscribe(filter, 1, func(m mqtt.Message) {
		e.mu.Lock()
		defer e.mu.Unlock()
		e.last[m.Topic] = string(m.Payload)
	})
	return e
}

func (e *ear) has(topic string) bool { return e.payload(topic) != "" }

func (e *ear) payload(topic string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last[topic]
}
