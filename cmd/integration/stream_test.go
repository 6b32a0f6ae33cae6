package integration

import (
	"bytes"
	"fmt"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"

	"cloudcanvas/shared/brokertest"
)

// streamed is a camera: a video as H.264 over RTSP, over and over, until the test ends. It gives its
// address.
func streamed(t testing.TB, video string, perSecond int) (address string) {
	t.Helper()
	film, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-r", fmt.Sprint(perSecond), "-i", video, "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
		"-threads", "1", "-crf", "18", "-g", fmt.Sprint(perSecond), "-pix_fmt", "yuv420p", "-bsf:v", "dump_extra", "-f", "h264", "-").Output()
	if err != nil {
		t.Fatal(err)
	}
	units := accessUnits(film)
	h264 := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	for _, nal := range units[0] {
		switch nal[0] & 31 {
		case 7:
			h264.SPS = nal
		case 8:
			h264.PPS = nal
		}
	}
	encoder, err := h264.CreateEncoder()
	if err != nil {
		t.Fatal(err)
	}
	answer := &oneStream{}
	server := &gortsplib.Server{Handler: answer, RTSPAddress: fmt.Sprintf("127.0.0.1:%d", brokertest.FreePort(t))}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	media := &description.Media{Type: description.MediaTypeVideo, Formats: []format.Format{h264}}
	answer.stream = &gortsplib.ServerStream{Server: server, Desc: &description.Session{Medias: []*description.Media{media}}}
	if err := answer.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var showing sync.WaitGroup
	showing.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			packets, err := encoder.Encode(units[n%len(units)])
			if err != nil {
				t.Error(err)
				return
			}
			for _, p := range packets {
				p.Timestamp = uint32(n * 90000 / perSecond)
				answer.stream.WritePacketRTP(media, p)
			}
		}
	})
	t.Cleanup(func() { close(stop); showing.Wait(); answer.stream.Close(); server.Close() })
	return "rtsp://" + server.RTSPAddress + "/gate"
}

// accessUnits splits an H.264 byte stream; each picture is one slice.
func accessUnits(stream []byte) (units [][][]byte) {
	var unit [][]byte
	for _, nal := range bytes.Split(stream, []byte{0, 0, 1}) {
		if nal = bytes.TrimRight(nal, "\x00"); len(nal) == 0 {
			continue
		}
		unit = append(unit, nal)
		if kind := nal[0] & 31; kind == 1 || kind == 5 {
			units, unit = append(units, unit), nil
		}
	}
	return units
}

// oneStream answers every client with the same stream.
type oneStream struct{ stream *gortsplib.ServerStream }

func (s *oneStream) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *oneStream) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, s.stream, nil
}

func (s *oneStream) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}
