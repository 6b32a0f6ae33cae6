package edge

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/cespare/xxhash/v2"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/detect"
	"cloudcanvas/shared/crashguard"
	"cloudcanvas/shared/trace"
	"cloudcanvas/shared/vision"
)

// OpenAttempts opens the ledger of inputs that kill the process.
func (c Config) OpenAttempts(log *slog.Logger) (*crashguard.Guard, error) {
	dir := c.Attempts.Folder
	if dir == "" {
		dir = filepath.Join(c.Data, "attempts")
	}
	return crashguard.Open(dir, c.Attempts.Config, log)
}

func (a *Agent) openAttempts() (err error) {
	if a.attempts = a.parts.Attempts; a.attempts == nil {
		if a.attempts, err = a.config.OpenAttempts(a.log); err != nil {
			return err
		}
	}
	var seen time.Time
	a.hands.Watch("native code", func() bool {
		oldest := a.attempts.Oldest()
		stuck := !oldest.IsZero() && oldest.Before(seen) // in there since before the last look
		seen = time.Now()
		return stuck
	})
	return nil
}

// guard notes pictures before they are decoded; live ones will not come again.
func (a *Agent) guard(live bool) capture.Guard {
	return func(ctx context.Context, stream, name string, data []byte) (func(), error) {
		return a.attempts.Begin(ctx, crashguard.Input{Source: stream, Name: name, Data: data, Live: live})
	}
}

// sceneGuard notes a scene and its tiles before they are read.
func (a *Agent) sceneGuard(path string) capture.Guard {
	key := fileKey(path)
	return func(ctx context.Context, stream, name string, _ []byte) (func(), error) {
		return a.attempts.Begin(ctx, crashguard.Input{Source: stream, Name: name, Key: "scene:" + key + "/" + name, Path: path})
	}
}

// guarded is a network whose images are noted before it looks at them.
type guarded struct {
	*loaded
	attempts *crashguard.Guard
	source   string
	live     bool
	trace    *trace.Tracer
}

var _ detect.Network = guarded{}

// Run looks at images. One that is quarantined is an error that is crashguard.ErrQuarantined.
func (g guarded) Run(ctx context.Context, in []vision.Image) ([]vision.Output, error) {
	done, err := g.attempts.Begin(ctx, g.input(in))
	if err != nil {
		return nil, err
	}
	defer done()
	began := time.Now()
	out, err := g.loaded.Run(ctx, in)
	g.loaded.runs.Add(1)
	if err != nil && ctx.Err() == nil {
		g.loaded.failed.Add(1)
	}
	g.inferred(ctx, began, len(in), err)
	return out, err
}

// input is known by its pixels: a frame of a file that is read again has the same.
func (g guarded) input(in []vision.Image) crashguard.Input {
	i := crashguard.Input{Source: g.source, Name: "image for " + g.model.Name, Live: g.live}
	if len(in) == 1 && len(in[0].Planes) == 0 {
		i.Data, i.What = in[0].Pix, fmt.Sprintf("%dx%d pixels, blue, green, red", in[0].W, in[0].H)
		return i
	}
	digest := xxhash.New()
	block := make([]byte, 0, 4096)
	for _, im := range in {
		digest.Write(im.Pix)
		for _, plane := range im.Planes {
			for part := range slices.Chunk(plane, cap(block)/4) {
				block = block[:0]
				for _, v := range part {
					block = binary.LittleEndian.AppendUint32(block, math.Float32bits(v))
				}
				digest.Write(block)
			}
		}
	}
	i.Key = "planes:" + strconv.FormatUint(digest.Sum64(), 16)
	return i
}
