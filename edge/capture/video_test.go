package capture

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func video(t testing.TB, c CameraConfig) *Video {
	t.Helper()
	if c.Name == "" {
		c.Name = "gate"
	}
	v, err := NewVideo(c, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestAVideoGivesEveryFrameInOrderAndThenLast(t *testing.T) {
	needFFmpeg(t)
	v := video(t, CameraConfig{Address: sample(t, "vtest.avi")})
	sum := md5.New()
	var frames int64
	var last Picture
	err := v.Run(t.Context(), func(_ context.Context, p Picture) error {
		if p.Last {
			last = p
			return nil
		}
		if p.Frame != frames || p.Image.W != 768 || p.Image.H != 576 || len(p.Image.Pix) != 768*576*3 {
			t.Fatalf("frame %d: number %d, %d x %d", frames, p.Frame, p.Image.W, p.Image.H)
		}
		sum.Write(p.Image.Pix)
		frames++
		p.Release()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if frames != 795 || !last.Last || last.Frame != 795 || last.Partial != "" {
		t.Errorf("%d frames, last %+v", frames, last)
	}
	// The same bytes as the VideoCapture of OpenCV 4.14 and 5.0 gives for this file.
	if got := fmt.Sprintf("%x", sum.Sum(nil)); got != vtestPixels {
		t.Errorf("pixels %s, OpenCV's are %s", got, vtestPixels)
	}
	if s := v.State(); s.Phase != Ended || s.Frames != 795 || s.Width != 768 {
		t.Errorf("state %+v", s)
	}
}

const vtestPixels = "438a2bd2b2e8738e952f5f70a9e1e83b"

func TestFramesOfAFileCarryTheirPlaceInTime(t *testing.T) {
	pictures, err := collect(t.Context(), video(t, CameraConfig{Address: film(t, "a.mp4", "1")}))
	if err != nil {
		t.Fatal(err)
	}
	if len(pictures) != 26 {
		t.Fatalf("%d pictures, want 25 and the last", len(pictures))
	}
	if d := pictures[10].At.Sub(pictures[0].At); d != 400*time.Millisecond {
		t.Errorf("ten frames at 25/s are %s apart", d)
	}
}

func TestACutVideoCountsUpToTheCutAndSaysSo(t *testing.T) {
	for _, c := range []struct {
		name  string
		knows bool // a transport stream may end anywhere: nothing in it tells a cut from an end
		args  []string
	}{
		{"a.avi", true, []string{"-c:v", "mpeg4"}},
		{"a.mkv", true, []string{"-c:v", "libx264", "-preset", "ultrafast"}},
		{"a.ts", false, []string{"-c:v", "libx264", "-preset", "ultrafast"}},
		{"a.mp4", true, []string{"-c:v", "libx264", "-preset", "ultrafast", "-movflags", "+faststart"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := film(t, c.name, "2", c.args...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, data[:len(data)*3/5], 0o600); err != nil {
				t.Fatal(err)
			}
			pictures, err := collect(t.Context(), video(t, CameraConfig{Address: path}))
			if err != nil {
				t.Fatal(err)
			}
			last := pictures[len(pictures)-1]
			if n := len(pictures) - 1; n < 10 || n >= 50 || last.Frame != int64(n) {
				t.Errorf("%d frames, last says %d", n, last.Frame)
			}
			if !last.Last || c.knows && last.Partial == "" {
				t.Errorf("last %+v does not say that the video is cut", last)
			}
			t.Log(last.Partial)
		})
	}
}

func TestWhatIsNoVideoIsRefusedWithAReason(t *testing.T) {
	needFFmpeg(t)
	dir := t.TempDir()
	write := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cut := film(t, "cut.mp4", "1")
	if err := os.Truncate(cut, 2000); err != nil {
		t.Fatal(err)
	}
	sound := filepath.Join(dir, "sound.mkv")
	if err := exec.Command("ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=0.2", sound).Run(); err != nil {
		t.Fatal(err)
	}
	secret := write("secret.mp4", "stands for a file that must not be read")
	for _, c := range []struct{ name, address, want string }{
		{"missing", filepath.Join(dir, "none.mp4"), "does not exist"},
		{"empty", write("empty.mp4", ""), "empty (0 bytes)"},
		{"folder", dir, "is a folder"},
		{"text", write("text.mp4", strings.Repeat("This is a letter, not a film.\n", 200)), "cannot be read"},
		{"text as .ans", write("text.ans", strings.Repeat("\x1b[31mart\n", 200)), "cannot be read"},
		{"playlist", write("list.mp4", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:"+secret+"\n#EXT-X-ENDLIST\n"), "cannot be read"},
		{"concat", write("concat.mp4", "ffconcat version 1.0\nfile secret.mp4\n"), "cannot be read"},
		{"no index", cut, "index"},
		{"sound only", sound, "no video in it"},
		{"option", "-version", "does not exist"},
	} {
		t.Run(c.name, func(t *testing.T) {
			pictures, err := collect(t.Context(), video(t, CameraConfig{Address: c.address}))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
			if len(pictures) != 0 {
				t.Errorf("%d pictures", len(pictures))
			}
			t.Log(err)
		})
	}
}

func TestFramesOverTheLimitAreRefusedBeforeTheyAreDecoded(t *testing.T) {
	_, err := collect(t.Context(), video(t, CameraConfig{Address: film(t, "a.mp4", "0.2"), MaxPixels: 100}))
	if err == nil || !strings.Contains(err.Error(), "max_pixels") {
		t.Errorf("error %v", err)
	}
}

func TestAStreamThatChangesItsSizeKeepsItsFramesWhole(t *testing.T) {
	a := film(t, "a.ts", "0.4", "-c:v", "mpeg2video")
	b := film(t, "b.ts", "0.4", "-vf", "scale=320:240", "-c:v", "mpeg2video")
	one, _ := os.ReadFile(a)
	two, _ := os.ReadFile(b)
	if err := os.WriteFile(a, append(one, two...), 0o600); err != nil {
		t.Fatal(err)
	}
	pictures, err := collect(t.Context(), video(t, CameraConfig{Address: a}))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(pictures) - 1; n < 18 || n > 20 {
		t.Errorf("%d frames of 20", n)
	}
	for _, p := range pictures[:len(pictures)-1] {
		if p.Image.W != 160 || p.Image.H != 120 {
			t.Fatalf("frame %d is %d x %d", p.Frame, p.Image.W, p.Image.H)
		}
	}
}

func TestATurnedVideoComesUpright(t *testing.T) {
	flat := film(t, "a.mp4", "0.2")
	path := filepath.Join(t.TempDir(), "turned.mp4")
	if out, err := exec.Command("ffmpeg", "-v", "error", "-i", flat, "-c", "copy", "-metadata:s:v", "rotate=90", path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	pictures, err := collect(t.Context(), video(t, CameraConfig{Address: path}))
	if err != nil {
		t.Fatal(err)
	}
	if p := pictures[0]; p.Image.W != 120 || p.Image.H != 160 {
		t.Errorf("%d x %d, want 120 x 160", p.Image.W, p.Image.H)
	}
}

func TestAVideoStopsWithItsContext(t *testing.T) {
	needFFmpeg(t)
	ctx, cancel := context.WithCancel(t.Context())
	seen := 0
	err := video(t, CameraConfig{Address: sample(t, "vtest.avi")}).Run(ctx, func(context.Context, Picture) error {
		if seen++; seen == 3 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestAnErrorOfThePipelineEndsTheSource(t *testing.T) {
	full := errors.New("full")
	err := video(t, CameraConfig{Address: film(t, "a.mp4", "1")}).Run(t.Context(), func(context.Context, Picture) error { return full })
	if !errors.Is(err, full) {
		t.Errorf("error %v", err)
	}
}

func TestAMissingDecoderIsNamed(t *testing.T) {
	_, err := collect(t.Context(), video(t, CameraConfig{Address: "rtsp://127.0.0.1:1/x", FFprobe: "no-such-ffprobe"}))
	if err == nil || !strings.Contains(err.Error(), "install ffmpeg") {
		t.Errorf("error %v", err)
	}
}

func TestAnUnreachableCameraIsTriedAgainAndNamed(t *testing.T) {
	needFFmpeg(t)
	v := video(t, CameraConfig{Address: "rtsp://user:secret@127.0.0.1:1/door", Restart: Restart{First: 20 * time.Millisecond, Most: 40 * time.Millisecond}})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	done := make(chan error, 1)
	go func() {
		_, err := collect(ctx, v)
		done <- err
	}()
	var problem string
	for end := time.Now().Add(2 * time.Minute); v.State().Restarts < 2 || problem == ""; time.Sleep(5 * time.Millisecond) {
		if s := v.State(); s.Problem != "" {
			problem = s.Problem
		}
		if time.Now().After(end) {
			t.Fatalf("it is not tried again: %+v", v.State())
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if !strings.Contains(problem, "check the address") || !strings.Contains(problem, "refused") || strings.Contains(problem, "secret") || strings.Contains(problem, "user") {
		t.Errorf("problem %q", problem)
	}
	if s := v.State(); s.Frames != 0 {
		t.Errorf("state %+v", s)
	}
}
