package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"
)

// shape is what a decoder will give, known before it starts: frames go through a plain pipe, and a
// wrong size there would shear every picture.
type shape struct {
	w, h      int
	fps       float64 // 0: unknown
	announced int64   // frames, by the container's header; 0: unknown
	lasts     float64 // seconds that it says that it lasts, as edit lists have it; 0: unknown
	stream    int     // its place among the streams of moving pictures
	quick     bool    // the stream was seen: its decoder need not study it at length before it begins
}

// other says that a frame has not the size that was counted on.
func (s shape) other(f frameInfo) bool { return f.w > 0 && (f.w != s.w || f.h != s.h) }

// probe asks ffprobe for the video's size and rate. Attached pictures, such as the cover of a song, are none (V).
// A camera is probed for a moment, and at length only where that does not show its size: meanwhile nobody
// sees its pictures.
func (t tools) probe(ctx context.Context, in input, limit time.Duration, maxPixels int64) (s shape, err error) {
	if in.kind == rtsp {
		in.quick = true
		s, err = t.probeOnce(ctx, in, limit, maxPixels)
		if _, ok := errors.AsType[unsized](err); !ok {
			return s, err
		}
		in.quick = false
	}
	return t.probeOnce(ctx, in, limit, maxPixels)
}

// unsized marks the error of a stream of which too little was read to know the size of its pictures.
type unsized struct{ error }

func (u unsized) Unwrap() error { return u.error }

func (t tools) probeOnce(ctx context.Context, in input, limit time.Duration, maxPixels int64) (shape, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	in = t.forRelease(ctx, in)
	args := []string{"-v", "error", "-print_format", "json", "-select_streams", "V",
		"-show_entries", "stream=codec_name,width,height,avg_frame_rate,r_frame_rate,nb_frames,duration:stream_side_data=rotation:stream_tags=rotate"}
	args = append(append(args, in.fastStart()...), in.args()...)
	cmd := exec.CommandContext(ctx, t.ffprobe, args...)
	cmd.Env = t.env()
	cmd.WaitDelay = time.Second
	cmd.Stdin = in.list()
	var out bytes.Buffer
	errs := &errorOutput{}
	cmd.Stdout, cmd.Stderr = &out, errs
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return shape{}, missing(t.ffprobe, err)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return shape{}, in.failed(fmt.Sprintf("no answer within %s", limit))
	case err != nil:
		return shape{}, in.failed(errs.lastErrors())
	}
	s, err := readShape(out.Bytes())
	if err != nil {
		if _, ok := errors.AsType[unsized](err); ok {
			return shape{}, unsized{in.failed(err.Error())}
		}
		return shape{}, in.failed(err.Error())
	}
	if int64(s.w)*int64(s.h) > maxPixels {
		return shape{}, in.failed(fmt.Sprintf("its frames are %d x %d; the limit is %d pixels (max_pixels)", s.w, s.h, maxPixels))
	}
	return s, nil
}

// probed is a stream of moving pictures as ffprobe describes it.
type probed struct {
	Codec     string `json:"codec_name"`
	Width     int    `json:"width"`
	Height    int    `json:"height"`
	Average   string `json:"avg_frame_rate"`
	Base      string `json:"r_frame_rate"`
	Announced string `json:"nb_frames"`
	Lasts     string `json:"duration"`
	Tags      struct {
		Rotate string `json:"rotate"`
	} `json:"tags"`
	SideData []struct {
		Rotation float64 `json:"rotation"`
	} `json:"side_data_list"`
}

// readShape reads ffprobe's JSON.
func readShape(data []byte) (shape, error) {
	var doc struct {
		Streams []probed `json:"streams"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return shape{}, fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(doc.Streams) == 0 {
		return shape{}, errors.New("there is no video in it (sound and a cover picture are none)")
	}
	at := moving(doc.Streams)
	st := doc.Streams[at]
	const most = 1 << 16
	if st.Width <= 0 || st.Height <= 0 || st.Width > most || st.Height > most {
		return shape{}, unsized{fmt.Errorf("its frames are %d x %d", st.Width, st.Height)}
	}
	s := shape{w: st.Width, h: st.Height, fps: rate(st.Average), stream: at}
	if s.fps == 0 {
		s.fps = rate(st.Base)
	}
	if n, err := strconv.ParseInt(st.Announced, 10, 64); err == nil && n > 0 {
		s.announced = n
	}
	if d, err := strconv.ParseFloat(st.Lasts, 64); err == nil && d > 0 && d < 1e9 {
		s.lasts = d
	}
	if st.turned() {
		s.w, s.h = s.h, s.w
	}
	return s, nil
}

// moving is the place of the stream that moves. Not every program marks a cover as one: a stream of one
// frame, or in a format of pictures, is the film only where there is no other.
func moving(streams []probed) int {
	several := func(s probed) bool { return s.Announced != "1" }
	if at := slices.IndexFunc(streams, func(s probed) bool { return several(s) && !s.isPicture() }); at >= 0 {
		return at
	}
	return max(slices.IndexFunc(streams, several), 0)
}

func (p probed) isPicture() bool {
	switch p.Codec {
	case "png", "bmp", "webp", "gif", "tiff", "mjpeg":
		return true
	}
	return false
}

// turned says that ffmpeg turns the picture as the file asks so that its sides change places.
func (p probed) turned() bool {
	turn, _ := strconv.ParseFloat(p.Tags.Rotate, 64)
	for _, d := range p.SideData {
		if d.Rotation != 0 {
			turn = d.Rotation
		}
	}
	q := int(turn) % 180
	return q == 90 || q == -90
}

// rate reads "30000/1001"; 0 for what is no rate between 0.001 and 1000.
func rate(s string) float64 {
	a, b, ok := strings.Cut(s, "/")
	n, err1 := strconv.ParseFloat(a, 64)
	d, err2 := 1.0, error(nil)
	if ok {
		d, err2 = strconv.ParseFloat(b, 64)
	}
	if err1 != nil || err2 != nil || d == 0 {
		return 0
	}
	if r := n / d; r >= 0.001 && r <= 1000 {
		return r
	}
	return 0
}

// Describe asks the source once for its pictures, without taking any, and says what they are like.
func (v *Video) Describe(ctx context.Context) (string, error) {
	s, err := v.tools.probe(ctx, v.in, v.config.OpenTimeout, v.config.MaxPixels)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%d x %d", s.w, s.h)
	if s.fps > 0 {
		text += fmt.Sprintf(", %.3g frames a second", s.fps)
	}
	return text, nil
}
