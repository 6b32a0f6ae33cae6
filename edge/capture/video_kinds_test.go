package capture

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloudcanvas/shared/vision"
)

// made runs ffmpeg and gives the file that it made.
func made(t testing.TB, name string, args ...string) string {
	t.Helper()
	needFFmpeg(t)
	path := filepath.Join(t.TempDir(), name)
	all := append([]string{"-nostdin", "-v", "error", "-y"}, args...)
	if out, err := exec.Command("ffmpeg", append(all, path)...).CombinedOutput(); err != nil {
		t.Skipf("this ffmpeg can't make %s: %v\n%s", name, err, out)
	}
	return path
}

// taken are the pictures of a file, and its last.
func taken(t *testing.T, c CameraConfig) ([]Picture, Picture) {
	t.Helper()
	pictures, err := collect(t.Context(), video(t, c))
	if err != nil {
		t.Fatal(err)
	}
	return pictures[:len(pictures)-1], pictures[len(pictures)-1]
}

func TestATrimmedFilmIsNotIncomplete(t *testing.T) {
	whole := film(t, "whole.mp4", "2", "-c:v", "libx264", "-preset", "ultrafast", "-g", "250")
	trimmed := made(t, "trimmed.mp4", "-ss", "1.2", "-i", whole, "-c", "copy")
	pictures, last := taken(t, CameraConfig{Address: trimmed})
	if len(pictures) != 20 || last.Partial != "" {
		t.Errorf("%d frames of 20, partial %q", len(pictures), last.Partial)
	}
}

func TestATrimmedFilmThatIsCutSaysSo(t *testing.T) {
	whole := film(t, "whole.mp4", "4", "-c:v", "libx264", "-preset", "ultrafast", "-g", "250")
	trimmed := made(t, "trimmed.mp4", "-ss", "1.2", "-i", whole, "-c", "copy", "-movflags", "+faststart")
	data, err := os.ReadFile(trimmed)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(trimmed, data[:len(data)*7/10], 0o600); err != nil {
		t.Fatal(err)
	}
	pictures, last := taken(t, CameraConfig{Address: trimmed})
	if len(pictures) == 0 || last.Partial == "" {
		t.Errorf("%d frames, partial %q", len(pictures), last.Partial)
	}
}

func TestACoverIsNotTheFilm(t *testing.T) {
	base := film(t, "base.mp4", "0.4", "-c:v", "libx264", "-preset", "ultrafast")
	cover := made(t, "cover.png", "-f", "lavfi", "-i", "testsrc=size=200x200:duration=0.04:rate=25", "-frames:v", "1")
	sound := []string{"-f", "lavfi", "-i", "sine=duration=0.4"}
	for name, path := range map[string]string{
		"last":     made(t, "a.mp4", "-i", base, "-i", cover, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:1", "attached_pic"),
		"first":    made(t, "b.mkv", "-i", base, "-i", cover, "-map", "1", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic", "-disposition:v:1", "default"),
		"unmarked": made(t, "c.mov", "-i", base, "-i", cover, "-map", "1", "-map", "0", "-c", "copy"),
	} {
		pictures, _ := taken(t, CameraConfig{Address: path})
		if len(pictures) != 10 || pictures[0].Image.W != 160 {
			t.Errorf("%s: %d frames of 10, the first is %d pixels wide", name, len(pictures), pictures[0].Image.W)
		}
	}
	song := made(t, "song.m4a", append(sound, "-i", cover, "-map", "0", "-map", "1", "-c:a", "aac", "-c:v", "copy", "-disposition:v:0", "attached_pic")...)
	if _, err := collect(t.Context(), video(t, CameraConfig{Address: song})); err == nil || !strings.Contains(err.Error(), "no video in it") {
		t.Errorf("a song is taken for a film: %v", err)
	}
}

func TestFramesOfUnevenLengthCarryTheirOwnTimes(t *testing.T) {
	for _, name := range []string{"vfr.mp4", "vfr.mkv"} {
		path := made(t, name, "-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=1", "-vf", "settb=1/1000,setpts='if(lt(N,5),N/10/TB,(0.5+(N-5))/TB)'",
			"-vsync", "vfr", "-enc_time_base", "1/1000", "-c:v", "libx264", "-preset", "ultrafast")
		pictures, last := taken(t, CameraConfig{Address: path})
		if len(pictures) != 10 || last.Partial != "" {
			t.Fatalf("%s: %d frames of 10, %q", name, len(pictures), last.Partial)
		}
		for i, want := range []float64{0, .1, .2, .3, .4, .5, 1.5, 2.5, 3.5, 4.5} {
			if at := pictures[i].At.Sub(pictures[0].At).Seconds(); at < want-0.002 || at > want+0.002 {
				t.Errorf("%s: frame %d stands at %.3f s, want %.1f", name, i, at, want)
			}
		}
	}
}

func TestTimesNeverGoBackwards(t *testing.T) {
	places := newTimeline(10)
	s := func(x float64) frameInfo { return frameInfo{at: time.Duration(x * float64(time.Second)), timed: true} }
	for i, c := range []struct {
		said frameInfo
		want float64
	}{{s(-3), 0}, {s(-2.5), .5}, {frameInfo{}, .6}, {s(-2.2), .8}, {s(-9), .9}, {s(-8.5), 1.4}, {s(-8.5), 1.4}} {
		if got := places.place(c.said).Seconds(); got < c.want-1e-9 || got > c.want+1e-9 {
			t.Errorf("place %d: %v, want %v", i, got, c.want)
		}
	}
}

func TestPicturesOfAnotherSizeKeepTheirShape(t *testing.T) {
	a := film(t, "a.ts", "0.4", "-c:v", "mpeg2video")
	b := made(t, "b.ts", "-f", "lavfi", "-i", "color=white:size=320x120:rate=25:duration=0.4", "-c:v", "mpeg2video")
	one, _ := os.ReadFile(a)
	two, _ := os.ReadFile(b)
	if err := os.WriteFile(a, append(one, two...), 0o600); err != nil {
		t.Fatal(err)
	}
	var im vision.Image
	err := video(t, CameraConfig{Address: a}).Run(t.Context(), func(_ context.Context, p Picture) error {
		if !p.Last {
			im = p.Image
			im.Pix = append([]byte(nil), p.Image.Pix...)
		}
		return nil
	})
	if err != nil || im.W != 160 || im.H != 120 {
		t.Fatalf("%d x %d, %v", im.W, im.H, err)
	}
	for y, light := range map[int]bool{5: false, 25: false, 40: true, 60: true, 80: true, 95: false, 115: false} {
		if v := im.Pix[(y*160+80)*3]; (v > 200) != light {
			t.Errorf("row %d has %d: a picture of 320 x 120 fills rows 30 to 90", y, v)
		}
	}
}

func TestFFmpeg9ReadsVideo(t *testing.T) {
	nine := os.Getenv("FFMPEG9")
	if nine == "" {
		t.Skip("FFMPEG9 names no ffmpeg 9 (the package imageio-ffmpeg 0.8.1 has one)")
	}
	pictures, last := taken(t, CameraConfig{Address: film(t, "a.mp4", "1"), FFmpeg: nine})
	if len(pictures) != 25 || last.Partial != "" || pictures[10].At.Sub(pictures[0].At) != 400*time.Millisecond {
		t.Errorf("%d frames, partial %q", len(pictures), last.Partial)
	}
}

func TestAUserWhoIsRefusedIsTriedOnceAMinute(t *testing.T) {
	in, err := parseInput("rtsp://u:p@10.0.0.9/x", "")
	if err != nil {
		t.Fatal(err)
	}
	for reason, want := range map[string]bool{
		"method DESCRIBE failed: 401 Unauthorized": true, "Server returned 403 Forbidden (access denied)": true,
		"method DESCRIBE failed: 404 Not Found": false, "Connection to tcp://10.0.4.1:4010 failed: Connection refused": false,
	} {
		err := in.failed(reason)
		if _, got := errors.AsType[denied](err); got != want {
			t.Errorf("%q: %v", reason, got)
		}
		if pause := (Restart{}).pause(time.Second, err); (pause >= time.Minute) != want {
			t.Errorf("%q: the next try is after %s", reason, pause)
		}
	}
}

func FuzzNotes(f *testing.F) {
	f.Add("[Parsed_showinfo_0 @ 0x1] [info] config in time_base: 1/10240, frame_rate: 10/1\n[Parsed_showinfo_0 @ 0x1] [info] n:   0 pts:  12 pts_time:0 s:320x240 i:P\n")
	f.Add("[showinfo] [info] config in time_base: 0/0\n[showinfo] n: 1 pts:NOPTS s:99999999999999999999x1\n")
	f.Fuzz(func(t *testing.T, said string) {
		c := &errorOutput{frames: newFrameInfos()}
		c.Write([]byte(said))
		places := newTimeline(25)
		for last := time.Duration(0); len(c.frames.frames) > 0; {
			at := places.place(c.frames.next(0))
			if at < last {
				t.Fatalf("%s after %s", at, last)
			}
			last = at
		}
	})
}
