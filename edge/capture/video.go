package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"time"

	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// CameraConfig is a video file, an RTSP camera or a USB camera.
type CameraConfig struct {
	Name    string `yaml:"name" desc:"the camera's name"`
	Address string `yaml:"address" desc:"a file, rtsp://[user:password@]host/path, or /dev/video0"`

	Transport     string        `yaml:"transport" desc:"how RTSP travels" enum:"tcp, udp" default:"tcp"`
	DecodeThreads int           `yaml:"decode_threads" desc:"threads of the decoder; 0: two, or one on a machine with one core" range:"0..64"`
	MaxPixels     int64         `yaml:"max_pixels" desc:"pixels of a frame at most; 0: 7680 x 4320" range:"0.."`
	Width         int           `yaml:"width" desc:"pixels across asked of a USB camera, together with height; 0: its own"`
	Height        int           `yaml:"height" desc:"pixels down asked of a USB camera; 0: its own"`
	Rate          float64       `yaml:"rate" desc:"frames a second asked of a USB camera; 0: its own" range:"0..1000"`
	OpenTimeout   time.Duration `yaml:"open_timeout" desc:"time until the first picture; 0: 15s" range:"0s.."`
	Stall         time.Duration `yaml:"stall" desc:"time between two pictures of a live camera after which it is restarted; 0: 7s, or three times what its rate has between two" range:"0s.."`
	Queue         int           `yaml:"queue" desc:"newest pictures of a live camera held for a busy pipeline; 0: 2" range:"0..64"`
	Restart       Restart       `yaml:"restart" desc:"when a live camera that failed is tried again"`

	Length time.Duration `yaml:"-"` // of a live camera, from its first picture; 0: not bounded

	FFmpeg  string `yaml:"ffmpeg" desc:"the ffmpeg program" default:"ffmpeg in PATH"`
	FFprobe string `yaml:"ffprobe" desc:"the ffprobe program" default:"ffprobe in PATH"`
}

// stallOfLive is how long a live camera may show nothing until it counts as stalled.
const stallOfLive = 7 * time.Second

// stall is that for a camera of a rate, which may be slower; fps is 0 where it is not known.
func (c CameraConfig) stall(fps float64) time.Duration {
	switch {
	case c.Stall > 0:
		return c.Stall
	case fps > 0:
		return max(stallOfLive, time.Duration(3/fps*float64(time.Second)))
	}
	return stallOfLive
}

// stallOfFile is how long a file may keep the decoder busy without a frame: a slow disk, not a
// camera that is gone.
const stallOfFile = 60 * time.Second

func (c CameraConfig) withDefaults() CameraConfig {
	def := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&c.OpenTimeout, 15*time.Second)
	if c.DecodeThreads <= 0 {
		c.DecodeThreads = min(2, runtime.NumCPU())
	}
	if c.MaxPixels <= 0 {
		c.MaxPixels = 7680 * 4320
	}
	if c.Queue <= 0 {
		c.Queue = 2
	}
	if c.FFmpeg == "" {
		c.FFmpeg = "ffmpeg"
	}
	if c.FFprobe == "" {
		c.FFprobe = "ffprobe"
	}
	return c
}

// Video is a source that decodes in a child process, so that a crash of a decoder is an event of
// one camera. A file is read once, as fast as the pipeline takes it, and ends with Last. A live
// camera is read as fast as it comes; a pipeline that is slower sees the newest pictures. It is
// restarted for as long as its Restart says.
type Video struct {
	config CameraConfig
	in     input
	tools  tools
	log    *slog.Logger
	status *status

	end    <-chan struct{}  // closed: the stream ends here; may be nil
	faults telemetry.Faults // of a live camera, logged since it was up

	frame          int64     // the number of the next picture; goes on over restarts
	began          time.Time // of a live camera: its first picture
	frames         *framePool
	known          shape // of a live camera's last decoder that gave a picture: it is not probed again
	withoutPicture int   // decoders since then that gave none
}

// NewVideo makes the source; nothing is opened before Run. watch is called with each change of the camera's
// phase, size and kind of problem, from a goroutine of Run; nil allowed.
func NewVideo(c CameraConfig, log *slog.Logger, watch func(State)) (*Video, error) {
	c = c.withDefaults()
	in, err := parseInput(c.Address, c.Transport)
	if err != nil {
		return nil, fmt.Errorf("camera %s: %w", c.Name, err)
	}
	in.device = deviceMode{c.Width, c.Height, c.Rate}
	log = log.With("camera", c.Name)
	installed := &release{warnOld: func() {
		log.Warn("this ffmpeg is older than 5 and takes a camera's address only among its arguments: everybody on this machine can read the password in it; install a newer one")
	}}
	return &Video{config: c, in: in, log: log,
		tools:  tools{ffmpeg: c.FFmpeg, ffprobe: c.FFprobe, threads: c.DecodeThreads, release: installed},
		status: newStatus(c.Name, in.shown, time.Now, watch)}, nil
}

// EndsWith lets the stream end in good order once end is closed: what came until then counts. It is
// called before Run.
func (v *Video) EndsWith(end <-chan struct{}) *Video {
	v.end = end
	return v
}

// errStopped says that a person stopped the stream, or bounded its length.
var errStopped = errors.New("it was stopped")

func (v *Video) stopped() bool {
	select {
	case <-v.end:
		return true
	default:
		return false
	}
}

// Live says whether what lies at an address comes at its own pace: a camera, not a file.
func Live(address string) bool {
	in, err := parseInput(address, "")
	return err == nil && in.live()
}

// Name is the camera's name.
func (v *Video) Name() string { return v.config.Name }

// State is the camera as it stands; safe from any goroutine.
func (v *Video) State() State { return v.status.read() }

// Live says whether pictures come at their own pace.
func (v *Video) Live() bool { return v.in.live() }

// Run takes pictures until the file ends, ctx ends, or a live camera is given up.
func (v *Video) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	if v.in.live() {
		return v.runLive(ctx, emit)
	}
	partial, err := v.runFile(ctx, emit)
	if err != nil {
		v.status.phase(Ended, err)
		return err
	}
	v.status.phase(Ended, nil)
	if partial != "" {
		v.log.Warn("the video is incomplete", "frames", v.frame, telemetry.Err, partial)
	}
	return emit(ctx, Picture{Stream: v.config.Name, At: time.Now(), Frame: v.frame, Last: true, Partial: partial})
}

func (v *Video) runFile(ctx context.Context, emit func(context.Context, Picture) error) (partial string, err error) {
	if err := v.in.check(); err != nil {
		return "", err
	}
	s, err := v.tools.probe(ctx, v.in, v.config.OpenTimeout, v.config.MaxPixels)
	if err != nil {
		return "", err
	}
	began, places, changed := time.Now(), newTimeline(s.fps), false
	var at time.Duration
	end, err := v.decode(ctx, s, stallOfFile, func(p Picture, f frameInfo) error {
		at = places.place(f)
		p.At = began.Add(at)
		if !changed && s.other(f) {
			changed = true
			v.log.Warn("the video's pictures change their size in the middle; the others are shown whole in the first one's size, with a border",
				"frame", p.Frame, "from", fmt.Sprintf("%dx%d", s.w, s.h), "to", fmt.Sprintf("%dx%d", f.w, f.h))
		}
		if v.stopped() {
			v.frame-- // this one is not passed on
			return errStopped
		}
		return emit(ctx, p)
	})
	if errors.Is(err, errStopped) && v.frame > 0 {
		return fmt.Sprintf("it was stopped after %d frames", v.frame), nil
	}
	if err != nil {
		return "", err
	}
	if v.frame == 0 {
		return "", v.in.failed(end.reason())
	}
	return end.partial(v.frame, at, s), nil
}

// frameInfoWait is how long a frame that is read waits for its info, which the decoder writes before it.
const frameInfoWait = time.Second

// decode reads frames until the decoder ends. Its error is a stall, ctx's end, or give's.
func (v *Video) decode(ctx context.Context, s shape, stall time.Duration, give func(Picture, frameInfo) error) (ending, error) {
	v.status.size(s.w, s.h)
	if size := s.w * s.h * 3; v.frames == nil || v.frames.size != size {
		v.frames = newFramePool(size, v.config.Queue+16)
	}
	d, err := v.tools.start(ctx, v.in, s)
	if err != nil {
		return ending{}, err
	}
	limit := max(v.config.OpenTimeout, stall)
	for {
		f := v.frames.take()
		err := d.read(f.pix, limit)
		limit = stall
		if err == nil {
			info := d.errs.frames.next(frameInfoWait)
			p := Picture{Stream: v.config.Name, At: time.Now(), Frame: v.frame,
				Image: vision.Image{W: s.w, H: s.h, Pix: f.pix}, Release: f.back}
			if err := v.give(p, info, give); err != nil {
				d.close(false)
				return ending{}, err
			}
			continue
		}
		f.back()
		atEnd := err == io.EOF || err == io.ErrUnexpectedEOF
		end := ending{torn: err == io.ErrUnexpectedEOF}
		end.exit = d.close(atEnd && ctx.Err() == nil)
		end.damaged, end.message = d.errs.damagedPictures(), v.in.clean(d.errs.lastErrors())
		v.status.bad(int64(end.damaged))
		switch {
		case ctx.Err() != nil:
			return ending{}, ctx.Err()
		case !atEnd:
			return ending{}, fmt.Errorf("%s: %w", v.in.shown, err)
		}
		return end, nil
	}
}

// give passes a picture on and counts it, but for one that shows that the stream has become another.
func (v *Video) give(p Picture, info frameInfo, give func(Picture, frameInfo) error) error {
	v.frame++
	err := give(p, info)
	if to, ok := errors.AsType[resized](err); ok {
		v.frame--
		p.Release()
		return to
	}
	v.status.frame(time.Now())
	if err != nil {
		return final{err}
	}
	return nil
}
