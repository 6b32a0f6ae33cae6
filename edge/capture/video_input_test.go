package capture

import (
	"slices"
	"strings"
	"testing"
)

func TestAnAddressNeverBecomesAnOption(t *testing.T) {
	for _, address := range []string{"-i", "-f lavfi", "concat:a|b", "pipe:0", "subfile,,start,0,end,9,,:x", "data:x", "a b;rm.mp4", "%d.png"} {
		in, err := parseInput(address, "")
		if err != nil {
			t.Errorf("%q: %v", address, err)
			continue
		}
		args := in.args()
		if last := args[len(args)-1]; in.kind != file || !strings.HasPrefix(last, "file:/") || args[len(args)-2] != "-i" {
			t.Errorf("%q became %q", address, args)
		}
	}
	for _, address := range []string{"", "http://host/x.mp4", "rtsp://", "ftp://host/x", "concat://x", "a\nb", "rtsp://h/\x00", "rtsp://[::1"} {
		if in, err := parseInput(address, ""); err == nil {
			t.Errorf("%q became %q", address, in.args())
		}
	}
}

func TestACameraIsAskedForItsModeAndTransport(t *testing.T) {
	in, err := parseInput("/dev/../dev/video0", "")
	if err != nil {
		t.Fatal(err)
	}
	in.device = deviceMode{640, 480, 15}
	if got := strings.Join(in.args(), " "); got != "-f v4l2 -video_size 640x480 -framerate 15 -i /dev/video0" {
		t.Error(got)
	}
	for transport, want := range map[string]string{"": "tcp", "udp": "udp"} {
		in, err := parseInput("rtsp://host/x", transport)
		if err != nil || !slices.Contains(in.args(), want) {
			t.Errorf("%q: %v, %v", transport, in.args(), err)
		}
	}
}

func TestAPasswordIsNowhereToBeSeen(t *testing.T) {
	in, err := parseInput("rtsp://admin:p%40ss%2Fword@10.0.0.9:554/h264?x=1", "")
	if err != nil {
		t.Fatal(err)
	}
	said := in.failed("method DESCRIBE failed: 401 Unauthorized; " + in.target + ": p@ss/word or p%40ss%2Fword").Error()
	if strings.Contains(said, "word@") || strings.Contains(said, "p@ss") || strings.Contains(said, "p%40ss") || !strings.Contains(said, "user and password") {
		t.Error(said)
	}
	if strings.Contains(in.shown, "p%40") || !strings.Contains(in.shown, "10.0.0.9") {
		t.Error(in.shown)
	}
}

func TestADeviceThatIsNoneIsRefused(t *testing.T) {
	for _, address := range []string{"/dev/video-none", "/dev/shm"} {
		in, err := parseInput(address, "")
		if err != nil {
			t.Fatal(err)
		}
		if err := in.check(); err == nil {
			t.Errorf("%s passed", address)
		}
	}
}
