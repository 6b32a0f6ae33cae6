package capture

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commandLines are those of all processes that can be seen.
func commandLines(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Skip("there is no /proc")
	}
	var all strings.Builder
	for _, f := range files {
		line, _ := os.ReadFile(f) // some end meanwhile
		all.Write(line)
		all.WriteByte('\n')
	}
	return all.String()
}

var errEnough = errors.New("enough")

func TestNoProcessShowsACamerasPassword(t *testing.T) {
	c := startCamera(t)
	const secret = "Zq7-'hidden"
	v := video(t, CameraConfig{Address: "rtsp://guard:" + strings.ReplaceAll(secret, "'", "%27") + "@" + c.addr + "/gate"})
	seen := 0
	err := v.Run(t.Context(), func(_ context.Context, p Picture) error {
		if seen++; seen < 3 {
			return nil
		}
		lines := commandLines(t)
		if strings.Contains(lines, "Zq7-") || strings.Contains(lines, c.addr) {
			t.Errorf("a command line shows the address")
		}
		if !strings.Contains(lines, "concat") {
			t.Errorf("no decoder is seen at work")
		}
		return errEnough
	})
	if !errors.Is(err, errEnough) || seen < 3 {
		t.Errorf("%d pictures, %v", seen, err)
	}
	if s := v.State(); strings.Contains(s.Address, "Zq7") || strings.Contains(s.Address, "guard") {
		t.Errorf("the state shows %s", s.Address)
	}
}

func TestTheListNamesTheAddressAndNothingElse(t *testing.T) {
	in, err := parseInput("rtsp://u:p'q@h/x?a='b", "udp")
	if err != nil {
		t.Fatal(err)
	}
	text, _ := io.ReadAll(in.list())
	if strings.Count(string(text), "\n") != 3 || strings.Contains(strings.Join(in.args(), " "), "rtsp:/") || !strings.Contains(string(text), "option rtsp_transport udp\n") {
		t.Errorf("%s %v", text, in.args())
	}
	in, err = parseInput("rtsp://h/x", "")
	if err != nil || in.list() != nil || in.args()[len(in.args())-1] != "rtsp://h/x" {
		t.Errorf("a public address: %v %v", in.args(), err)
	}
}

func TestTheInstalledDecoderIsRecognised(t *testing.T) {
	for said, want := range map[string]version{
		"ffmpeg version 4.4.2-0ubuntu0.22.04.1 Copyright": {4, 4}, "ffmpeg version n4.2 Copyright": {4, 2}, "ffmpeg version 5.1.9-0+deb12u1": {5, 1},
		"ffmpeg version 7.0 ": {7, 0}, "ffmpeg version 9.0.2-static": {9, 0}, "ffmpeg version N-12345-gabc": {}, "ffmpeg version git-2020-01-01": {}, "": {},
	} {
		if got := versionOf(said); got != want {
			t.Errorf("%q: %v", said, got)
		}
	}
	if !(version{4, 4}).before(5, 0) || (version{5, 1}).before(5, 1) || (version{}).before(5, 1) || (version{5, 0}).passthrough()[0] != "-vsync" || (version{9, 0}).passthrough()[0] != "-fps_mode" {
		t.Error("versions are not distinguished")
	}
}

func TestAddressesWithSecretsAnywhereAreKeptOutOfTheArguments(t *testing.T) {
	for address, private := range map[string]bool{
		"rtsp://h/gate": false, "rtsp://u:p@h/gate": true, "rtsp://h/gate?token=1": true, "rtsp://h/user=u_password=1_channel=1.sdp": true,
	} {
		in, err := parseInput(address, "")
		if err != nil || in.viaList() != private {
			t.Errorf("%s is kept out: %v, %v", address, in.viaList(), err)
		}
	}
}
