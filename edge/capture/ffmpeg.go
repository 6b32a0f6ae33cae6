package capture

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// version is a release of ffmpeg, such as 5.1; zero: no release, such as a build of today's sources, which
// is taken for a new one.
type version struct{ major, minor int }

func (v version) before(major, minor int) bool {
	return v.major > 0 && (v.major < major || v.major == major && v.minor < minor)
}

// release finds out once which ffmpeg is installed: options come and go with its versions.
type release struct {
	once    sync.Once
	found   version
	old     sync.Once
	warnOld func() // where it takes no lists
}

var ffmpegVersion = regexp.MustCompile(`^ff(?:mpeg|probe) version n?(\d{1,3})\.(\d{1,3})`)

// versionOf reads what `ffmpeg -version` prints.
func versionOf(output string) (v version) {
	if m := ffmpegVersion.FindStringSubmatch(output); m != nil {
		v.major, _ = strconv.Atoi(m[1])
		v.minor, _ = strconv.Atoi(m[2])
	}
	return v
}

func (r *release) find(ctx context.Context, t tools) version {
	r.once.Do(func() {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		cmd := exec.CommandContext(ctx, t.ffmpeg, "-version")
		cmd.Env = t.env()
		if output, err := cmd.Output(); err == nil {
			r.found = versionOf(string(output))
		}
	})
	return r.found
}

// passthrough makes ffmpeg give each frame once: -vsync is gone in ffmpeg 9, -fps_mode came with 5.1.
func (v version) passthrough() []string {
	if v.before(5, 1) {
		return []string{"-vsync", "passthrough"}
	}
	return []string{"-fps_mode", "passthrough"}
}

// clip is a film of five frames of ffmpeg's own test picture, H.264 in MP4, 64 x 48 pixels, ten frames a second.
//
//go:embed clip/clip.mp4
var clip []byte

const clipFrames = 5

// TryDecoder reads a small film with the installed ffmpeg and ffprobe, as a camera's or file's would be
// read, and says which release did it: that the programs are there does not say that they do what is asked.
func TryDecoder(ctx context.Context, c CameraConfig) (string, error) {
	dir, err := os.MkdirTemp("", "canvas-clip-")
	if err != nil {
		return "", fmt.Errorf("a folder for the film: %w", err)
	}
	defer os.RemoveAll(dir)
	c.Name, c.Address = "clip", filepath.Join(dir, "clip.mp4")
	if err := os.WriteFile(c.Address, clip, 0o600); err != nil {
		return "", fmt.Errorf("writing the film: %w", err)
	}
	v, err := NewVideo(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last Picture
	if err := v.Run(ctx, func(_ context.Context, p Picture) error { last = p; return nil }); err != nil {
		return "", fmt.Errorf("a film of %d frames can't be read with them: %w", clipFrames, err)
	}
	if last.Frame != clipFrames || last.Partial != "" {
		return "", fmt.Errorf("of a film of %d frames they gave %d: %s", clipFrames, last.Frame, last.Partial)
	}
	installed := "a release that is not known"
	if r := v.tools.release.find(ctx, v.tools); r.major > 0 {
		installed = fmt.Sprintf("release %d.%d", r.major, r.minor)
	}
	return fmt.Sprintf("%s; %d frames of a film were decoded", installed, clipFrames), nil
}
