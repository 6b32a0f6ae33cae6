package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/visible"
)

func TestALoggerRefusesWordsItDoesNotKnow(t *testing.T) {
	for _, c := range [][2]string{{"loud", "text"}, {"info", "xml"}} {
		if _, err := NewLogger(io.Discard, c[0], c[1]); err == nil || !strings.Contains(err.Error(), "use ") {
			t.Errorf("%v: got %v", c, err)
		}
	}
	var b bytes.Buffer
	l, err := NewLogger(&b, "info", "json")
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("no")
	l.Info("yes", Edge, "mast-7")
	if !strings.HasPrefix(b.String(), "{") || strings.Contains(b.String(), "no") {
		t.Fatal(b.String())
	}
}

func TestReadyzSaysWhyNot(t *testing.T) {
	probe, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := probe.Addr().String()
	probe.Close()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- Serve(ctx, Config{Listen: addr}, NewRegistry(), func() error { return errors.New("no broker") })
	}()
	status, body := get(t, "http://"+addr+"/readyz")
	if status != http.StatusServiceUnavailable || !strings.Contains(body, "no broker") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := get(t, "http://"+addr+"/metrics"); status != 200 || !strings.Contains(body, "go_goroutines") {
		t.Errorf("%d %s", status, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}

// get tries until the server listens.
func get(t *testing.T, url string) (int, string) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); ; {
		r, err := http.Get(url)
		if err == nil {
			defer r.Body.Close()
			body, _ := io.ReadAll(r.Body)
			return r.StatusCode, string(body)
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func TestTheWatchdogIsFedOnlyByProgress(t *testing.T) {
	path := t.TempDir() + "/notify"
	socket, err := net.ListenPacket("unixgram", path)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "40000")
	t.Setenv("WATCHDOG_PID", "")
	os.Unsetenv("WATCHDOG_PID")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var l Liveness
	loop := l.Loop("uplink")
	l.Alive() // the first look finds nothing to compare with
	go Watchdog(ctx, &l)
	buffer := make([]byte, 64)
	socket.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
	if n, _, err := socket.ReadFrom(buffer); err == nil {
		t.Fatalf("fed without progress: %s", buffer[:n])
	}
	loop.Step()
	socket.SetReadDeadline(time.Now().Add(2 * time.Minute))
	n, _, err := socket.ReadFrom(buffer)
	if err != nil || string(buffer[:n]) != "WATCHDOG=1" {
		t.Fatalf("%s %v", buffer[:n], err)
	}
}

func TestLogsShowWhatIsHiddenAndNoPassword(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		log, err := NewLogger(&b, "info", format)
		if err != nil {
			t.Fatal(err)
		}
		log.Warn("a device said \u202e\x1b[2J", "reason", "x\ny\u2066\x07", "names", []string{"\u200b"}, Err, errors.New(`Get "rtsp://admin:s3cret@cam/x?token=t0ken": refused`))
		line := b.String()
		if strings.Count(line, "\n") != 1 || strings.ContainsFunc(strings.TrimSuffix(line, "\n"), visible.Hidden) {
			t.Errorf("%s hides something: %q", format, line)
		}
		if strings.Contains(line, "s3cret") || strings.Contains(line, "t0ken") || strings.Contains(line, "admin") {
			t.Errorf("%s shows a password: %s", format, line)
		}
		if format == "json" && !json.Valid(b.Bytes()) {
			t.Errorf("no JSON: %s", line)
		}
	}
}
