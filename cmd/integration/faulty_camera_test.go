package integration

import (
	"crypto/rand"
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/bluenviron/gortsplib/v5"
	"github.com/bluenviron/gortsplib/v5/pkg/description"
	"github.com/bluenviron/gortsplib/v5/pkg/format"
)

// faultyCamera is an RTSP camera with a user and a password (digest) that fails as it is told to. Clients
// come to a front that stands before its server, as a network does.
type faultyCamera struct {
	t      *testing.T
	front  net.Listener
	server *gortsplib.Server
	inner  string
	stream *gortsplib.ServerStream
	h264   *format.H264
	films  [2][][][]byte // access units of NAL units, of two sizes

	mu      sync.Mutex
	is      fault
	film    int
	conns   map[net.Conn]bool
	sent    time.Time   // the latest picture that went to a client that plays
	playing int         // clients
	refused []time.Time // logins
}

// fault is how the camera fails.
type fault struct {
	name string
	shut bool // whoever is connected is thrown out as it begins

	frozen, garbled bool          // the stream: nothing comes; what comes is no video
	every           time.Duration // between pictures; 0: a fifth of a second
	jump            int64         // of the stream's clock, in ticks of 1/90000 s
	other           bool          // the size of the pictures changes
	password        bool          // it is another one now
	missing         bool          // 404
	off, noise      bool          // the network: nobody answers; whoever answers speaks no RTSP
	late            time.Duration // each answer's
}

// slack is how long it takes by the camera's own doing until a client has its first pictures: decoders want
// a few before they show one.
func (f fault) slack() time.Duration { return f.late + 5*f.every }

// shows says that whoever connects sees pictures.
func (f fault) shows() bool {
	return !f.frozen && !f.garbled && !f.password && !f.missing && !f.off && !f.noise
}

const cameraUser, cameraPassword = "guard", "s3cret"

func startFaultyCamera(t *testing.T) *faultyCamera {
	t.Helper()
	c := &faultyCamera{t: t, conns: map[net.Conn]bool{}}
	for n, size := range []string{"320x240", "480x360"} {
		c.films[n] = film(t, size)
	}
	var err error
	if c.front, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	hidden, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.inner = hidden.Addr().String()
	hidden.Close()
	c.server = &gortsplib.Server{Handler: c, RTSPAddress: c.inner}
	if err := c.server.Start(); err != nil {
		t.Fatal(err)
	}
	c.h264 = &format.H264{PayloadTyp: 96, PacketizationMode: 1}
	c.speaksOf(c.films[0])
	c.stream = &gortsplib.ServerStream{Server: c.server, Desc: &description.Session{Medias: []*description.Media{{Type: description.MediaTypeVideo, Formats: []format.Format{c.h264}}}}}
	if err := c.stream.Initialize(); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() { c.show(stop) })
	all.Go(c.admit)
	t.Cleanup(func() {
		close(stop)
		c.front.Close()
		c.throwOut()
		all.Wait()
		c.stream.Close()
		c.server.Close()
	})
	return c
}

// film is two seconds in access units of NAL units; each picture is one slice.
func film(t *testing.T, size string) [][][]byte {
	t.Helper()
	stream, err := exec.Command("ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc=size="+size+":rate=5:duration=2", "-c:v", "libx264",
		"-preset", "ultrafast", "-tune", "zerolatency", "-threads", "1", "-g", "5", "-pix_fmt", "yuv420p", "-bsf:v", "dump_extra", "-f", "h264", "-").Output()
	if err != nil {
		t.Skipf("ffmpeg makes no H.264 here: %v", err)
	}
	return accessUnits(stream)
}

// speaksOf lets the description say the film's size.
func (c *faultyCamera) speaksOf(units [][][]byte) {
	var sps, pps []byte
	for _, nal := range units[0] {
		switch nal[0] & 31 {
		case 7:
			sps = nal
		case 8:
			pps = nal
		}
	}
	c.h264.SafeSetParams(sps, pps)
}

func (c *faultyCamera) url() string {
	return "rtsp://" + cameraUser + ":" + cameraPassword + "@" + c.front.Addr().String() + "/gate"
}

// becomes lets it fail in another way, or not at all.
func (c *faultyCamera) becomes(f fault) {
	c.mu.Lock()
	c.is = f
	if f.other {
		c.film = 1 - c.film
		c.speaksOf(c.films[c.film])
	}
	c.mu.Unlock()
	if f.shut {
		c.throwOut()
	}
}

func (c *faultyCamera) now() fault {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.is
}

// size is that of the pictures that it shows.
func (c *faultyCamera) size() (w, h int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.film == 1 {
		return 480, 360
	}
	return 320, 240
}

func (c *faultyCamera) throwOut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for conn := range c.conns {
		conn.Close()
	}
}

// show sends the film to whoever plays, over and over.
func (c *faultyCamera) show(stop chan struct{}) {
	encoder, err := c.h264.CreateEncoder()
	if err != nil {
		c.t.Error(err)
		return
	}
	clock := int64(0)
	for n := 0; ; n++ {
		f := c.now()
		every := f.every
		if every == 0 {
			every = time.Second / 5
		}
		select {
		case <-stop:
			return
		case <-time.After(every):
		}
		clock += int64(every.Seconds() * 90000)
		if f.jump != 0 {
			clock += f.jump
			c.mu.Lock()
			c.is.jump = 0
			c.mu.Unlock()
		}
		if f.frozen {
			continue
		}
		c.mu.Lock()
		units := c.films[c.film]
		c.mu.Unlock()
		if f.every > 0 { // a slow camera shows whole pictures
			n += (5 - n%5) % 5
		}
		packets, err := encoder.Encode(units[n%len(units)])
		if err != nil {
			c.t.Error(err)
			return
		}
		for _, p := range packets {
			p.Timestamp = uint32(clock)
			if f.garbled {
				noVideo(p.Payload)
			}
			c.stream.WritePacketRTP(c.stream.Desc.Medias[0], p)
		}
		c.mu.Lock()
		if c.playing > 0 && f.shows() {
			c.sent = time.Now()
		}
		c.mu.Unlock()
	}
}

// noVideo makes a packet of bytes that are no video, of a kind that H.264 does not have.
func noVideo(payload []byte) {
	rand.Read(payload)
	payload[0] = 30
}
