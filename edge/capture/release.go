package capture

import (
	"context"
	"os/exec"
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
	once  sync.Once
	found version
	old   sync.Once
	tell  func() // where it takes no lists
}

var ffmpegVersion = regexp.MustCompile(`^ff(?:mpeg|probe) version n?(\d{1,3})\.(\d{1,3})`)

// versionOf reads what `ffmpeg -version` prints.
func versionOf(said string) (v version) {
	if m := ffmpegVersion.FindStringSubmatch(said); m != nil {
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
		if said, err := cmd.Output(); err == nil {
			r.found = versionOf(string(said))
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
