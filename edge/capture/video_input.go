package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cloudcanvas/shared/security"
)

// input is where a video comes from, and how it is given to ffmpeg: nothing in an address may
// become an option, or make ffmpeg open anything but that one file, device or camera.
type input struct {
	kind      inputKind
	shown     string // the address as a person may see it
	secret    string // the password in it, never shown
	target    string // what stands behind -i
	transport string // of RTSP: tcp or udp
	device    deviceMode
	quick     bool // it is studied for a moment only
	seen      bool // and not even so: what it shows is known
	private   bool // the address has a user, a password, a query or a secret in its path
	open      bool // and this ffmpeg takes it among its arguments only
}

type inputKind int

const (
	file inputKind = iota
	rtsp
	usb
)

// deviceMode is what is asked of a USB camera; zero values leave it to the camera.
type deviceMode struct {
	w, h int
	fps  float64
}

// videoFormats are the containers that a file may be. Without this list ffmpeg takes a playlist
// for a video and opens what it names, and plays a text file as terminal art.
const videoFormats = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,h264,hevc," +
	"flv,live_flv,asf,ogg,ivf,mxf,mjpeg,dv,nut,obu,av1,yuv4mpegpipe,gif,vc1,rm"

// parseInput understands a path, rtsp://…, rtsps://… and /dev/video….
func parseInput(address, transport string) (input, error) {
	switch {
	case address == "":
		return input{}, errors.New("no address: give a video file, rtsp://… or /dev/video0")
	case strings.ContainsAny(address, "\x00\n\r"):
		return input{}, errors.New("the address has control characters in it")
	case strings.HasPrefix(address, "/dev/"):
		return input{kind: usb, shown: address, target: filepath.Clean(address)}, nil
	case strings.Contains(address, "://"):
		u, err := url.Parse(address)
		if err != nil {
			return input{}, errors.New("the address is not a URL: write rtsp://[user:password@]host[:port]/path")
		}
		if (u.Scheme != "rtsp" && u.Scheme != "rtsps") || u.Host == "" {
			return input{}, fmt.Errorf("%s: only rtsp:// and rtsps:// addresses, files and /dev/video… can be read", security.Redact(address))
		}
		in := input{kind: rtsp, shown: security.Redact(address), target: u.String(), transport: transport, private: u.User != nil || u.RawQuery != "" || security.RedactText(u.String()) != u.String()}
		if u.User != nil {
			in.secret, _ = u.User.Password()
		}
		if in.transport == "" {
			in.transport = "tcp"
		}
		return in, nil
	}
	path, err := filepath.Abs(address)
	if err != nil {
		return input{}, fmt.Errorf("%s: %w", address, err)
	}
	return input{kind: file, shown: address, target: "file:" + path}, nil
}

func (in input) live() bool { return in.kind != file }

// check finds what needs no decoder to be found.
func (in input) check() error {
	if in.kind == rtsp {
		return nil
	}
	path := strings.TrimPrefix(in.target, "file:")
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("video %s does not exist: check the path", in.shown)
	case err != nil:
		return fmt.Errorf("video %s: %w", in.shown, err)
	case in.kind == usb && info.Mode()&os.ModeCharDevice == 0:
		return fmt.Errorf("%s is not a camera device", in.shown)
	case in.kind == usb:
		return nil
	case info.IsDir():
		return fmt.Errorf("video %s is a folder: give one file", in.shown)
	case !info.Mode().IsRegular():
		return fmt.Errorf("video %s is not a regular file", in.shown)
	case info.Size() == 0:
		return fmt.Errorf("video %s is empty (0 bytes): it was never written; copy or record it again", in.shown)
	}
	return nil
}

// args are ffmpeg's and ffprobe's arguments that name the input.
func (in input) args() []string {
	switch in.kind {
	case rtsp:
		if in.viaList() {
			return []string{"-protocol_whitelist", "pipe,rtsp,rtsps,rtp,udp,tcp,tls,crypto", "-f", "concat", "-safe", "0", "-i", "pipe:0"}
		}
		return []string{"-protocol_whitelist", "rtsp,rtsps,rtp,udp,tcp,tls,crypto",
			"-rtsp_transport", in.transport, "-i", in.target}
	case usb:
		args := []string{"-f", "v4l2"}
		if in.device.w > 0 {
			args = append(args, "-video_size", fmt.Sprintf("%dx%d", in.device.w, in.device.h))
		}
		if in.device.fps > 0 {
			args = append(args, "-framerate", strconv.FormatFloat(in.device.fps, 'f', -1, 64))
		}
		return append(args, "-i", in.target)
	}
	return []string{"-protocol_whitelist", "file", "-format_whitelist", videoFormats, "-i", in.target}
}

// failed is the error of an input that cannot be opened, with what to do about it.
func (in input) failed(reason string) error {
	reason = in.clean(reason)
	if strings.Contains(reason, "not on whitelist") {
		reason = "it is none of the video formats that are read"
	}
	if reason == "" {
		reason = "no reason was given"
	}
	has := func(s string) bool { return strings.Contains(reason, s) }
	hint := ""
	switch {
	case in.kind == usb:
		hint = "check that the camera is plugged in, that nothing else uses it, and that this user may read it (group video)"
	case in.kind == rtsp && denies(reason):
		hint = "check the user and password in the address; the camera refused them (it is asked once a minute at most, as many lock a user out)"
	case in.kind == rtsp && (has("404") || has("method DESCRIBE")):
		hint = "check the path in the address"
	case in.kind == rtsp:
		hint = "check the address, the network, and that the camera is on"
	case has("moov atom not found"):
		hint = "it is no MP4, or its recording was cut before the index was written; record it again or repair it"
	default:
		hint = "check that it is a video; ffprobe FILE shows what it is"
	}
	what := "video"
	if in.live() {
		what = "camera"
	}
	err := fmt.Errorf("%s %s cannot be read: %s: %s", what, in.shown, reason, hint)
	if in.kind == rtsp && denies(reason) {
		return denied{err}
	}
	return err
}

// denied marks the error of a camera that refuses the user or the password: some lock a user out who tries
// too often.
type denied struct{ error }

func (d denied) Unwrap() error { return d.error }

// denies says that a camera answered with 401 or 403, in ffmpeg's words.
func denies(output string) bool { return refusal.MatchString(output) }

var refusal = regexp.MustCompile(`(failed:|returned|status code:?) 40[13]\b|authorization failed`)

// clean takes the address and its password out of what ffmpeg said.
func (in input) clean(s string) string {
	s = strings.ReplaceAll(s, in.target+": ", "")
	s = strings.ReplaceAll(s, in.target, in.shown)
	s = security.RedactText(s)
	if in.private { // what ffmpeg writes of the list's only entry makes sense without the list
		s = strings.ReplaceAll(s, "Impossible to open '"+in.shown+"'; ", "")
		s = strings.ReplaceAll(s, "pipe:0: ", "")
	}
	if in.secret != "" {
		s = strings.ReplaceAll(s, in.secret, "xxxxx")
		s = strings.ReplaceAll(s, url.QueryEscape(in.secret), "xxxxx")
	}
	return s
}

// An address with a password in it would stand in ffmpeg's arguments, which everybody on the machine
// may read. ffmpeg takes it from a list on its standard input instead (its concat demuxer): the same
// streams, nothing to be seen. The list's option for the transport needs ffmpeg 5.

// viaList says that ffmpeg gets the address from a list, not among its arguments.
func (in input) viaList() bool { return in.kind == rtsp && in.private && !in.open }

// list is what ffmpeg reads; nil: nothing.
func (in input) list() io.Reader {
	if !in.viaList() {
		return nil
	}
	quoted := strings.ReplaceAll(in.target, "'", `'\''`)
	text := "ffconcat version 1.0\nfile '" + quoted + "'\noption rtsp_transport " + in.transport + "\n"
	for option := range slices.Chunk(in.fastStart(), 2) {
		text += "option " + strings.TrimPrefix(option[0], "-") + " " + option[1] + "\n"
	}
	return strings.NewReader(text)
}

// forRelease is in as the installed ffmpeg takes it.
func (t tools) forRelease(ctx context.Context, in input) input {
	if in.viaList() && t.release != nil && t.release.find(ctx, t).before(5, 0) {
		in.open = true
		t.release.old.Do(t.release.warnOld)
	}
	return in
}
