package capture

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
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
}

// probe asks ffprobe for the first video stream's size and rate.
func (t tools) probe(ctx context.Context, in input, limit time.Duration, maxPixels int64) (shape, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	in = t.hide(ctx, in)
	args := append([]string{"-v", "error", "-print_format", "json", "-select_streams", "v:0",
		"-show_entries", "stream=width,height,avg_frame_rate,r_frame_rate,nb_frames:stream_side_data=rotation:stream_tags=rotate"},
		in.args()...)
	cmd := exec.CommandContext(ctx, t.ffprobe, args...)
	cmd.Env = t.env()
	cmd.WaitDelay = time.Second
	cmd.Stdin = in.list()
	var out bytes.Buffer
	errs := &complaints{}
	cmd.Stdout, cmd.Stderr = &out, errs
	err := cmd.Run()
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return shape{}, missing(t.ffprobe, err)
	case ctx.Err() != nil && errors.Is(ctx.Err(), context.DeadlineExceeded):
		return shape{}, in.failed(fmt.Sprintf("no answer within %s", limit))
	case err != nil:
		return shape{}, in.failed(errs.last())
	}
	s, err := readShape(out.Bytes())
	if err != nil {
		return shape{}, in.failed(err.Error())
	}
	if int64(s.w)*int64(s.h) > maxPixels {
		return shape{}, in.failed(fmt.Sprintf("its frames are %d x %d; the limit is %d pixels (max_pixels)", s.w, s.h, maxPixels))
	}
	return s, nil
}

// readShape reads ffprobe's JSON.
func readShape(data []byte) (shape, error) {
	var doc struct {
		Streams []struct {
			Width     int    `json:"width"`
			Height    int    `json:"height"`
			Average   string `json:"avg_frame_rate"`
			Base      string `json:"r_frame_rate"`
			Announced string `json:"nb_frames"`
			Tags      struct {
				Rotate string `json:"rotate"`
			} `json:"tags"`
			SideData []struct {
				Rotation float64 `json:"rotation"`
			} `json:"side_data_list"`
		} `json:"streams"`
	}
	if err := json.Unmarshal(data, &doc); err != nil {
		return shape{}, fmt.Errorf("ffprobe's answer: %w", err)
	}
	if len(doc.Streams) == 0 {
		return shape{}, errors.New("there is no video in it")
	}
	st := doc.Streams[0]
	const most = 1 << 16
	if st.Width <= 0 || st.Height <= 0 || st.Width > most || st.Height > most {
		return shape{}, fmt.Errorf("its frames are %d x %d", st.Width, st.Height)
	}
	s := shape{w: st.Width, h: st.Height, fps: rate(st.Average)}
	if s.fps == 0 {
		s.fps = rate(st.Base)
	}
	if n, err := strconv.ParseInt(st.Announced, 10, 64); err == nil && n > 0 {
		s.announced = n
	}
	// ffmpeg turns the picture as the file asks, and so the sides may change places.
	turn, _ := strconv.ParseFloat(st.Tags.Rotate, 64)
	for _, d := range st.SideData {
		if d.Rotation != 0 {
			turn = d.Rotation
		}
	}
	if q := int(turn) % 180; q == 90 || q == -90 {
		s.w, s.h = s.h, s.w
	}
	return s, nil
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
