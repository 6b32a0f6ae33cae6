package capture

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/base"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
)

// rtspCamera is a camera on loopback that shows a test picture at 25 frames a second, over and over.
type rtspCamera struct {
	t      testing.TB
	addr   string
	units  [][][]byte // access units of NAL units
	frozen atomic.Bool
	refuse atomic.Bool // every user
	bare   bool        // its description says nothing of its pictures, as those of cheap cameras

	server *gortsplib.Server
	stream *gortsplib.ServerStream
	stop   chan struct{}
	ended  sync.WaitGroup
}

func startCamera(t testing.TB) *rtspCamera {
	t.Helper()
	needFFmpeg(t)
	c := &rtspCamera{t: t}
	c.shows("160x120")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.addr = l.Addr().String()
	l.Close()
	c.start()
	t.Cleanup(c.off)
	return c
}

// shows is for a camera that is off: it shows pictures of that size when it is on again.
func (c *rtspCamera) shows(size string) {
	c.t.Helper()
	out, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi",
		"-i", "testsrc=size="+size+":rate=25:duration=1", "-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency",
		"-threads", "1", "-g", "5", "-pix_fmt", "yuv420p", "-bsf:v", "dump_extra", "-f", "h264", "-").Output()
	if err != nil {
		c.t.Fatal(err)
	}
	if c.units = accessUnits(out); len(c.units) != 25 {
		c.t.Fatalf("%d access units", len(c.units))
	}
}

// accessUnits splits an H.264 byte stream; each picture is one slice.
func accessUnits(stream []byte) (units [][][]byte) {
	var unit [][]byte
	for _, nal := range bytes.Split(stream, []byte{0, 0, 1}) {
		nal = bytes.TrimRight(nal, "\x00")
		if len(nal) == 0 {
			continue
		}
		unit = append(unit, nal)
		if kind := nal[0] & 31; kind == 1 || kind == 5 {
			units, unit = append(units, unit), nil
		}
	}
	return units
}

func (c *rtspCamera) url() string { return "rtsp://" + c.addr + "/gate" }

func (c *rtspCamera) start() {
	c.t.Helper()
	h264 := &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	for _, nal := range c.units[0] {
		switch kind := nal[0] & 31; {
		case c.bare:
		case kind == 7:
			h264.SPS = nal
		case kind == 8:
			h264.PPS = nal
		}
	}
	show := make(chan *gortsplib.ServerStream, 1)
	c.server = &gortsplib.Server{Handler: &shown{ready: show, refuse: &c.refuse}, RTSPAddress: c.addr}
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
	c.stream = &gortsplib.ServerStream{Server: c.server,
		Desc: &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{h264}}}}}
	if err := c.stream.Initialize(); err != nil {
		c.t.Fatal(err)
	}
	show <- c.stream
	encoder, err := h264.CreateEncoder()
	if err != nil {
		c.t.Fatal(err)
	}
	c.stop = make(chan struct{})
	stream, stop := c.stream, c.stop
	c.ended.Go(func() {
		tick := time.NewTicker(40 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			if c.frozen.Load() {
				continue
			}
			packets, err := encoder.Encode(c.units[n%len(c.units)])
			if err != nil {
				c.t.Error(err)
				return
			}
			for _, p := range packets {
				p.Timestamp = uint32(n * 3600)
				stream.WritePacketRTP(stream.Desc.Medias[0], p)
			}
		}
	})
}

// off pulls the plug.
func (c *rtspCamera) off() {
	if c.server == nil {
		return
	}
	close(c.stop)
	c.ended.Wait()
	c.stream.Close()
	c.server.Close()
	c.server = nil
}

// shown answers clients with one stream, as soon as it is there.
type shown struct {
	refuse *atomic.Bool
	ready  chan *gortsplib.ServerStream
	once   sync.Once
	stream *gortsplib.ServerStream
}

func (s *shown) get() *gortsplib.ServerStream {
	s.once.Do(func() { s.stream = <-s.ready })
	return s.stream
}

func (s *shown) OnDescribe(*gortsplib.ServerHandlerOnDescribeCtx) (*base.Response, *gortsplib.ServerStream, error) {
	if s.refuse.Load() {
		return &base.Response{StatusCode: base.StatusUnauthorized, Header: base.Header{"WWW-Authenticate": {`Basic realm="camera"`}}}, nil, nil
	}
	return &base.Response{StatusCode: base.StatusOK}, s.get(), nil
}

func (s *shown) OnSetup(*gortsplib.ServerHandlerOnSetupCtx) (*base.Response, *gortsplib.ServerStream, error) {
	return &base.Response{StatusCode: base.StatusOK}, s.get(), nil
}

func (s *shown) OnPlay(*gortsplib.ServerHandlerOnPlayCtx) (*base.Response, error) {
	return &base.Response{StatusCode: base.StatusOK}, nil
}

// watched runs a camera and gives its pictures and changes of phase as they come.
func watched(t *testing.T, c CameraConfig) (v *Video, pictures chan Picture, phases chan Phase) {
	t.Helper()
	phases = make(chan Phase, 64)
	c.Name = "gate"
	v, err := NewVideo(c, quiet, func(s State) { phases <- s.Phase })
	if err != nil {
		t.Fatal(err)
	}
	return v, listen(t, v), phases
}

func want(t *testing.T, phases chan Phase, p Phase) {
	t.Helper()
	for {
		select {
		case got := <-phases:
			if got == p {
				return
			}
		case <-time.After(2 * time.Minute):
			t.Fatalf("the camera is not %s", p)
		}
	}
}

func TestACameraThatGoesAwayIsDownAndComesBackByItself(t *testing.T) {
	t.Parallel()
	camera := startCamera(t)
	v, pictures, phases := watched(t, CameraConfig{Address: camera.url(),
		Restart: Restart{First: 50 * time.Millisecond, Most: 100 * time.Millisecond}})
	want(t, phases, Up)
	if p := <-pictures; p.Image.W != 160 || p.Image.H != 120 {
		t.Errorf("%d x %d", p.Image.W, p.Image.H)
	}
	camera.off()
	want(t, phases, Down)
	if s := v.State(); s.Phase != Down || s.Problem == "" || s.LastFrame.IsZero() {
		t.Errorf("state %+v", s)
	}
	camera.start()
	want(t, phases, Up)
	if s := v.State(); s.Restarts == 0 {
		t.Errorf("state %+v", s)
	}
}

func TestACameraThatAnswersButShowsNothingIsStalled(t *testing.T) {
	t.Parallel()
	camera := startCamera(t)
	v, _, phases := watched(t, CameraConfig{Address: camera.url(), Stall: 500 * time.Millisecond, OpenTimeout: 10 * time.Second,
		Restart: Restart{First: 50 * time.Millisecond, Most: 100 * time.Millisecond}})
	want(t, phases, Up)
	camera.frozen.Store(true)
	want(t, phases, Stalled)
	if s := v.State(); !strings.Contains(s.Problem, ErrStalled.Error()) {
		t.Errorf("problem %q", s.Problem)
	}
	camera.frozen.Store(false)
	want(t, phases, Up)
}

func TestABusyPipelineSeesTheNewestPicturesAndTheRestIsCounted(t *testing.T) {
	t.Parallel()
	camera := startCamera(t)
	v, pictures, phases := watched(t, CameraConfig{Address: camera.url(), Queue: 1})
	want(t, phases, Up)
	first := <-pictures
	for v.State().Dropped < 10 { // the pipeline is busy meanwhile
		time.Sleep(10 * time.Millisecond)
	}
	<-pictures // waited in the test's channel
	<-pictures // was in the hands of emit
	newest := <-pictures
	if newest.Frame < first.Frame+10 {
		t.Errorf("frame %d after frame %d", newest.Frame, first.Frame)
	}
}

func TestACameraThatIsGivenUpClosesItsStream(t *testing.T) {
	t.Parallel()
	camera := startCamera(t)
	v, err := NewVideo(CameraConfig{Name: "gate", Address: camera.url(),
		Restart: Restart{First: 20 * time.Millisecond, Most: 40 * time.Millisecond, GiveUp: 200 * time.Millisecond}}, quiet, nil)
	if err != nil {
		t.Fatal(err)
	}
	var last Picture
	var off sync.Once
	err = v.Run(t.Context(), func(_ context.Context, p Picture) error {
		off.Do(camera.off)
		last = p
		return nil
	})
	if err != nil || !last.Last || last.Frame == 0 || !strings.Contains(last.Partial, "given up") {
		t.Errorf("error %v, last %+v", err, last)
	}
}

// counted stands for ffprobe and writes a line for each time that it is asked.
func counted(t *testing.T) (program string, times func() int) {
	t.Helper()
	log := filepath.Join(t.TempDir(), "asked")
	program = filepath.Join(t.TempDir(), "ffprobe")
	text := "#!/bin/sh\necho once >> '" + log + "'\nexec ffprobe \"$@\"\n"
	if err := os.WriteFile(program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, func() int {
		data, _ := os.ReadFile(log)
		return bytes.Count(data, []byte("\n"))
	}
}

func TestACameraThatWasSeenIsNotStudiedAgainAndMayComeBackWithAnotherSize(t *testing.T) {
	for _, user := range []string{"", "guard:secret@", "bare:secret@"} { // with a list, and without
		camera := startCamera(t)
		camera.off()
		camera.bare = user == "bare:secret@"
		camera.start()
		probe, times := counted(t)
		v, pictures, phases := watched(t, CameraConfig{Address: strings.Replace(camera.url(), "//", "//"+user, 1), FFprobe: probe,
			Restart: Restart{First: 50 * time.Millisecond, Most: 100 * time.Millisecond}})
		want(t, phases, Up)
		camera.off()
		camera.shows("320x180")
		want(t, phases, Down)
		eventually(t, "many tries in vain", func() bool { return v.State().Restarts > reprobeAfter+2 })
		camera.start()
		want(t, phases, Up)
		for end := time.Now().Add(2 * time.Minute); ; {
			p := <-pictures
			if p.Image.W == 320 && p.Image.H == 180 {
				break
			}
			if time.Now().After(end) {
				t.Fatalf("pictures are still %d x %d", p.Image.W, p.Image.H)
			}
		}
		if n := times(); n != 1 {
			t.Errorf("user %q: the stream was studied %d times", user, n)
		}
	}
}

func TestACameraThatRefusesTheUserIsReportedAsSuch(t *testing.T) {
	camera := startCamera(t)
	camera.refuse.Store(true)
	for _, user := range []string{"", "guard:secret@"} {
		v := video(t, CameraConfig{Address: strings.Replace(camera.url(), "//", "//"+user, 1)})
		for name, known := range map[string]shape{"unknown": {}, "known": {w: 160, h: 120, quick: true}} {
			v.known = known
			_, err := v.decodeLive(t.Context(), newNewest(1, 0, func(string) {}))
			if _, ok := errors.AsType[denied](err); !ok || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s stream, user %q: %v", name, user, err)
			}
		}
	}
}
