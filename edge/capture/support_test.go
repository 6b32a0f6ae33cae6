package capture

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"cloudcanvas/shared/mqtt"
	"cloudcanvas/shared/vision"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.DiscardHandler)

// sample is a file that the set-up brings, or the test is skipped.
func sample(t testing.TB, name string) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			break
		}
		if dir == filepath.Dir(dir) {
			t.Skip("no go.mod above the working directory, so the samples cannot be found")
		}
		dir = filepath.Dir(dir)
	}
	path := filepath.Join(dir, ".deps", "samples", name)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("%s is not there: make setup brings it", name)
	}
	return path
}

// film makes a small video with ffmpeg; args stand between the input and the file.
func film(t testing.TB, name string, seconds string, args ...string) string {
	t.Helper()
	needFFmpeg(t)
	path := filepath.Join(t.TempDir(), name)
	all := append([]string{"-nostdin", "-v", "error", "-f", "lavfi", "-i",
		"testsrc=size=160x120:rate=25:duration=" + seconds}, args...)
	if out, err := exec.Command("ffmpeg", append(all, "-y", path)...).CombinedOutput(); err != nil {
		t.Fatalf("making %s: %v\n%s", name, err, out)
	}
	return path
}

func needFFmpeg(t testing.TB) {
	t.Helper()
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
}

// collect runs a source and keeps what it gave, without the pixels where they are pooled.
func collect(ctx context.Context, s Source) (pictures []Picture, err error) {
	err = s.Run(ctx, func(_ context.Context, p Picture) error {
		if p.Release != nil {
			p.Release()
		}
		pictures = append(pictures, p)
		return nil
	})
	return pictures, err
}

type visionImage = vision.Image

// dial connects to a broker and waits until it has.
func dial(t testing.TB, url string) *mqtt.Client {
	t.Helper()
	up := make(chan struct{})
	m, err := mqtt.Dial(t.Context(), mqtt.Options{URL: url, Log: quiet, OnUp: sync.OnceFunc(func() { close(up) })})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	<-up
	return m
}
