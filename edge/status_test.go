package edge

import (
	"encoding/json"
	"net"
	"testing"
	"time"

	"cloudcanvas/edge/capture"
	"cloudcanvas/shared/event"
)

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
