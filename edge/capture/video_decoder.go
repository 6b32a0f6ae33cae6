package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How a decoder's life may end other than well.
var (
	ErrStalled = errors.New("no picture came") // it runs, but gives nothing
	ErrExited  = errors.New("the decoder ended")
	ErrGarbage = errors.New("what came is no video")
)

// tools are the programs that read video.
type tools struct {
	ffmpeg, ffprobe string
	threads         int // of the decoder
	release         *release
}

// env is all that a decoder sees of the environment: no secrets, and messages in English.
func (t tools) env() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
}

// missing is the error of a program that is not there; trying again does not bring it.
func missing(program string, err error) error {
	return final{fmt.Errorf("%s is not installed: install ffmpeg (apt install ffmpeg): %w", program, err)}
}

// shortAnalysis is how many microseconds of a camera's stream are studied before the decoder begins, and at the
// first look at it; ffmpeg by itself takes up to five seconds.
const shortAnalysis = "500000"

// fastStart are ffmpeg's and ffprobe's options for a short analysis. A list has them too: its own are not its files'.
// One that was seen is not studied: for H.264 ffmpeg else takes seven pictures, long ones where a camera is slow.
func (in input) fastStart() []string {
	if in.kind != rtsp || !in.quick {
		return nil
	}
	options := []string{"-analyzeduration", shortAnalysis, "-fpsprobesize", "0"}
	if in.seen {
		options = append(options, "-probesize", "32") // the least there is
	}
	return options
}

// args make ffmpeg write each frame once, as OpenCV's VideoCapture would show it: blue, green, red,
// swscale's bicubic conversion. The scale filter pins the size, so that a stream that changes its
// own in the middle still gives frames of the size that the reader counts on; pad keeps their shape.
// showinfo says of each frame its time and the size that it came with, and needs the level of each line.
func (t tools) args(in input, s shape, v version) []string {
	// bitexact: MPEG-4 decoders round as OpenCV 5 does, at no cost that was seen.
	args := []string{"-nostdin", "-hide_banner", "-nostats", "-loglevel", "repeat+level+info",
		"-flags", "bitexact", "-threads", strconv.Itoa(max(t.threads, 1))}
	if in.kind == rtsp {
		args = append(args, "-fflags", "nobuffer")
	}
	args = append(append(args, in.fastStart()...), in.args()...)
	args = append(args, "-map", fmt.Sprintf("0:V:%d", s.stream), "-an", "-sn", "-dn",
		"-vf", fmt.Sprintf("showinfo=checksum=0,setsar=1,scale=%d:%d:flags=bicubic:force_original_aspect_ratio=decrease,format=bgr24,pad=%d:%d:-1:-1", s.w, s.h, s.w, s.h))
	args = append(args, v.passthrough()...)
	return append(args, "-f", "rawvideo", "-pix_fmt", "bgr24", "-threads", "1", "pipe:1")
}

// decoder is a running ffmpeg.
type decoder struct {
	out    *os.File
	errs   *errorOutput
	stop   context.CancelFunc
	exited chan error // its end, once
}

// start runs ffmpeg. It is killed when ctx ends, and by the kernel when this process dies.
func (t tools) start(ctx context.Context, in input, s shape) (*decoder, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("a pipe for the decoder: %w", err)
	}
	widen(w)
	ctx, cancel := context.WithCancel(ctx)
	d := &decoder{out: r, errs: &errorOutput{frames: newFrameInfos()}, stop: cancel, exited: make(chan error, 1)}
	in = t.forRelease(ctx, in)
	in.quick, in.seen = s.quick, s.quick
	cmd := exec.CommandContext(ctx, t.ffmpeg, t.args(in, s, t.release.find(ctx, t))...)
	cmd.Env = t.env()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = in.list(), w, d.errs
	cmd.WaitDelay = 2 * time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error, 1)
	go func() {
		// The kernel sends the death signal when the thread that forked ends: keep it until then.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		w.Close()
		started <- err
		if err == nil {
			d.exited <- cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		cancel()
		r.Close()
		if errors.Is(err, exec.ErrNotFound) {
			return nil, missing(t.ffmpeg, err)
		}
		return nil, fmt.Errorf("starting %s: %w", t.ffmpeg, err)
	}
	return d, nil
}

// widen lets the pipe hold most of a frame, so that decoder and reader wake each other less often.
func widen(f *os.File) {
	raw, err := f.SyscallConn()
	if err != nil {
		return
	}
	raw.Control(func(fd uintptr) { unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 1<<20) })
}

// read fills pix with the next frame. io.EOF is the end between two frames, io.ErrUnexpectedEOF
// the end within one, ErrStalled that nothing came for so long.
func (d *decoder) read(pix []byte, stall time.Duration) error {
	d.out.SetReadDeadline(time.Now().Add(stall))
	_, err := io.ReadFull(d.out, pix)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return fmt.Errorf("%w within %s", ErrStalled, stall)
	}
	return err
}

// close ends the decoder and says how it had ended by itself: nil, or ErrExited with its words.
func (d *decoder) close(byItself bool) error {
	if byItself { // its output is closed, so it is about to end
		select {
		case err := <-d.exited:
			d.exited <- err
		case <-time.After(5 * time.Second):
		}
	}
	d.stop()
	err := <-d.exited
	d.out.Close()
	if !byItself || err == nil {
		return nil
	}
	return fmt.Errorf("%w (%s): %s", ErrExited, err, d.errs.lastErrors())
}

// ending is how a decoder came to its end.
type ending struct {
	torn    bool  // within a frame
	exit    error // ErrExited, or nil
	damaged int   // error lines about damaged pictures
	message string
}

func (e ending) reason() string {
	if e.message != "" {
		return e.message
	}
	return "no picture could be decoded"
}

// noPictures says that the input opened and that the decoder made nothing of it.
func (e ending) noPictures() bool {
	return e.exit == nil || strings.Contains(e.message, "codec parameters") || strings.Contains(e.message, "matches no streams")
}

// partial says what is missing of a file, or nothing. Headers announce a frame or two too many
// now and then (frames that a decoder holds back), and those of all that was there before a film was
// trimmed; so it is short only where frames are missing and time is. at is the last frame's place.
func (e ending) partial(frames int64, at time.Duration, s shape) string {
	announced := s.announced
	short := announced > 0 && frames < announced-max(2, announced/100)
	if short && s.lasts > 0 && s.fps > 0 {
		short = at.Seconds() < s.lasts*0.99-3/s.fps
	}
	switch {
	case short:
		return fmt.Sprintf("it ends after %d of %d frames; %s", frames, announced, e.reason())
	case e.torn:
		return fmt.Sprintf("it ends within frame %d; %s", frames, e.reason())
	case e.exit != nil:
		return e.exit.Error()
	case e.damaged > 0:
		return fmt.Sprintf("damaged pictures after %d frames: %s", frames, e.message)
	}
	return ""
}

// framePool hands out pixel buffers of one size and takes them back, so that a camera in steady state
// allocates nothing. What is not given back is left to the garbage collector.
type framePool struct {
	size int
	free chan *pooledFrame
}

// pooledFrame is a buffer with its own way back, bound once.
type pooledFrame struct {
	pix  []byte
	out  atomic.Bool // taken: a second release of the same picture does nothing
	back func()
}

func newFramePool(size, keep int) *framePool {
	return &framePool{size: size, free: make(chan *pooledFrame, keep)}
}

func (f *framePool) take() *pooledFrame {
	var b *pooledFrame
	select {
	case b = <-f.free:
	default:
		b = &pooledFrame{pix: make([]byte, f.size)}
		b.back = func() {
			if !b.out.Swap(false) {
				return
			}
			select {
			case f.free <- b:
			default:
			}
		}
	}
	b.out.Store(true)
	return b
}
