package edge

import (
	"encoding/json"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/uplink/contact"
	"cloudcanvas/shared/brokertest"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/mqtt"
)

// TestTheCloudHearsWhatWaitsOnTheEdgeAndWhatGoesNext has a broker without a bridge: nothing is
// receipted, all of a scene waits.
func TestTheCloudHearsWhatWaitsOnTheEdgeAndWhatGoesNext(t *testing.T) {
	site := brokertest.StartMosquitto(t)
	dir := t.TempDir()
	cloud, err := mqtt.Dial(t.Context(), mqtt.Options{URL: site.URL, ClientID: "cloud", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer cloud.Close()
	statuses := make(chan event.Status, 10)
	cloud.Subscribe(event.StatusFilter, 1, func(m mqtt.Message) {
		if s, err := event.ParseStatus(m.Payload); err == nil {
			statuses <- s
		}
	})
	c := DefaultConfig()
	c.Edge, c.Data, c.Cloud.URL = "mast", filepath.Join(dir, "data"), site.URL
	now := time.Now().UTC().Truncate(time.Second)
	at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
	c.Uplink.Contacts.List = []contact.Entry{{From: at(-3 * time.Hour), To: at(-2 * time.Hour)}, {From: at(-time.Minute), To: at(time.Hour), BytesPerSecond: 2e6}}
	c.Scenes = []SceneSource{{Name: "may", Path: scene(t, filepath.Join(dir, "may.tif"), 500_000, 1, 0), SceneOptions: sceneOptions}}
	defer runAgent(t, c)()
	for limit := time.After(2 * time.Minute); ; {
		select {
		case s := <-statuses:
			if s.Link == nil {
				continue // the first says only that it is there
			}
			r, items := s.Link, int64(0)
			for _, step := range r.Ladder {
				items += step.Items
			}
			if s.Status != event.Online || s.Time.IsZero() || r.Waiting == 0 || items != int64(r.Waiting) || r.Committed != r.Received+r.Waiting+r.Dropped {
				t.Errorf("%+v of %+v", r, s)
			}
			if !r.Open || len(r.Past) != 1 || len(r.Coming) != 1 || r.Coming[0].BytesPerSecond != 2e6 {
				t.Errorf("windows %+v, then %+v", r.Past, r.Coming)
			}
			return
		case <-limit:
			t.Fatal("no report came")
		}
	}
}

// A camera that nobody can reach is told to be down on both brokers, and to have ended after a stop.
func TestBothBrokersSayHowACameraIs(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := l.Addr().String()
	l.Close()
	d := newTruth(t)
	d.config.Cameras = []Camera{{CameraConfig: capture.CameraConfig{Name: "gate #1", Address: "rtsp://guard:s3cret@" + at + "/gate"}, Detector: "opencv_hog_people"}}
	d.start()
	const topic = "canvas/gate _1/status/camera"
	here := func() (s event.CameraState) {
		json.Unmarshal([]byte(retainedAt(t, d.local.URL, topic)[topic]), &s)
		return s
	}
	var status event.Status
	for end := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		json.Unmarshal([]byte(retainedAt(t, d.cloud.URL, event.StatusTopic("mast"))[event.StatusTopic("mast")]), &status)
		if here().Phase == "down" && len(status.Cameras) == 1 && status.Cameras[0].Phase == "down" {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%+v %+v", here(), status)
		}
	}
	if c := status.Cameras[0]; c.Name != "gate #1" || c.Problem == "" || c.Since.IsZero() || c.Problem != here().Problem {
		t.Errorf("%+v, %+v", c, here())
	}
	d.stop()
	if s := here(); s.Phase != "ended" {
		t.Errorf("after a stop %+v", s)
	}
}
