package capture

import (
	"context"
	"strings"
	"testing"
	"time"
)

// endOf runs a source to its end and gives how many pictures came, and Last. after is called with each.
func endOf(t *testing.T, v *Video, after func(n int64)) (pictures int64, last *Picture, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err = v.Run(ctx, func(_ context.Context, p Picture) error {
		if p.Last {
			last = &p
			return nil
		}
		pictures++
		after(pictures)
		return nil
	})
	return pictures, last, err
}

func TestACameraEndsWholeWhenItIsStoppedOrHasBeenFollowedLongEnough(t *testing.T) {
	camera := startCamera(t)
	for _, length := range []time.Duration{0, 300 * time.Millisecond} {
		end := make(chan struct{})
		v := video(t, CameraConfig{Name: "gate", Address: camera.url(), Length: length}).EndsWith(end)
		pictures, last, err := endOf(t, v, func(n int64) {
			if length == 0 && n == 5 {
				close(end)
			}
		})
		if err != nil || last == nil || last.Partial != "" || pictures < 5 || last.Frame < pictures {
			t.Errorf("length %s: %d pictures, then %+v, %v", length, pictures, last, err)
		}
	}
}

func TestACameraThatEndsBeforeItsFirstPictureSaysSo(t *testing.T) {
	end := make(chan struct{})
	close(end)
	_, last, err := endOf(t, video(t, CameraConfig{Name: "gate", Address: "rtsp://127.0.0.1:9/x"}).EndsWith(end), func(int64) {})
	if last != nil || err == nil || !strings.Contains(err.Error(), "before a picture came") {
		t.Errorf("%+v, %v", last, err)
	}
}

func TestAFileThatIsStoppedIsIncomplete(t *testing.T) {
	end := make(chan struct{})
	v := video(t, CameraConfig{Name: "film", Address: film(t, "a.avi", "2")}).EndsWith(end)
	pictures, last, err := endOf(t, v, func(n int64) {
		if n == 3 {
			close(end)
		}
	})
	if err != nil || last == nil || last.Partial != "it was stopped after 3 frames" || last.Frame != 3 || pictures != 3 {
		t.Errorf("%d pictures, then %+v, %v", pictures, last, err)
	}
}
