package capture

import (
	"errors"
	"testing"
	"time"
)

func TestWhoWatchesACameraGetsWhatChanges(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	var reported []State
	s := newStatus("gate", "rtsp://there", func() time.Time { return now }, func(s State) { reported = append(reported, s) })
	heard := func(what string, times int) State {
		t.Helper()
		if len(reported) != times {
			t.Fatalf("%s: logged %d times, want %d: %+v", what, len(reported), times, reported)
		}
		return reported[times-1]
	}
	s.size(640, 480)
	s.frame(now)
	if st := heard("the first picture", 1); st.Phase != Up || st.Width != 640 {
		t.Errorf("%+v", st)
	}
	s.frame(now)
	s.size(640, 480)
	heard("more of them", 1)
	s.size(320, 240)
	if st := heard("another size", 2); st.Width != 320 || st.Phase != Up {
		t.Errorf("%+v", st)
	}
	s.phase(Down, errors.New("port 4711 is closed"))
	s.setNextTry(now.Add(4 * time.Second))
	s.setNextTry(time.Time{})
	s.phase(Down, errors.New("port 4712 is closed"))
	heard("one fault again and again", 3)
	s.phase(Down, errors.New("the user is refused"))
	s.setNextTry(now.Add(time.Minute))
	if st := heard("a long wait", 5); st.NextTry != now.Add(time.Minute) || st.Problem != "the user is refused" {
		t.Errorf("%+v", st)
	}
	s.frame(now)
	if st := heard("a picture", 6); st.Phase != Up || st.Problem != "" || !st.NextTry.IsZero() {
		t.Errorf("%+v", st)
	}
}

func TestASlowCameraIsGivenItsTime(t *testing.T) {
	for fps, want := range map[float64]time.Duration{0: 7 * time.Second, 25: 7 * time.Second, 0.1: 30 * time.Second} {
		if got := (CameraConfig{}).stall(fps); got != want {
			t.Errorf("%v a second: %s, want %s", fps, got, want)
		}
	}
	if got := (CameraConfig{Stall: time.Second}).stall(0.1); got != time.Second {
		t.Errorf("what was said does not win: %s", got)
	}
}

func TestAFaultIsReportedWithoutTheListThatHidesTheAddress(t *testing.T) {
	in, err := parseInput("rtsp://guard:s3cret@there/gate", "")
	if err != nil {
		t.Fatal(err)
	}
	said := in.clean("Impossible to open 'rtsp://guard:s3cret@there/gate'; pipe:0: Server returned 404 Not Found")
	if said != "Server returned 404 Not Found" {
		t.Errorf("%q", said)
	}
}

func TestARefusedUserIsTriedOnceAMinuteAndTheOthersSoon(t *testing.T) {
	r := Restart{}.withDefaults()
	for range 100 {
		if p := r.pause(r.Most, denied{errors.New("401")}); p < time.Minute {
			t.Fatalf("after %s", p)
		}
		if p := r.pause(r.Most, errors.New("404")); p > 6*time.Second || p < 4*time.Second {
			t.Fatalf("after %s", p)
		}
	}
}
