package integration

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

type failed struct {
	Failed []struct{ Input, Error string } `json:"failed"`
	Scenes []struct {
		ID       string `json:"id"`
		Complete bool   `json:"complete"`
	} `json:"scenes"`
	Cameras []struct {
		Name   string `json:"name"`
		Frames int    `json:"frames"`
	} `json:"cameras"`
	Delivery struct {
		Committed, Received, Lost, Duplicates, Ledger int
	} `json:"delivery"`
}

func (f failed) reason(input string) string {
	for _, x := range f.Failed {
		if x.Input == input {
			return x.Error
		}
	}
	return ""
}

// TestBadInputsAreToldAndTheOthersGoOn gives good inputs among bad ones: the good ones become products,
// each bad one has its reason, and the exit code says that something is incomplete.
func TestBadInputsAreToldAndTheOthersGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	write(t, in("text.tif"), "this is a letter, not a raster\n")
	write(t, in("empty.avi"), "")
	good, err := os.ReadFile(sample(t, "sentinel2.tif"))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(in("good.tif"), good, 0o644)
	landsat, err := os.ReadFile(sample(t, "landsat8.tif"))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(in("cut.tif"), landsat[:len(landsat)/2], 0o644)
	video, err := os.ReadFile(sample(t, "vtest.avi"))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(in("midframe.avi"), video[:150_000], 0o644)
	os.MkdirAll(in("pictures"), 0o755)
	os.WriteFile(in("pictures/bomb.png"), pngBomb(60_000), 0o644)
	write(t, in("pictures/text.jpg"), "no picture")

	out := in("out")
	code, text := run(t, "canvas", "process", "--out", out, "--scene", in("good.tif"), "--scene", in("text.tif"), "--scene", in("cut.tif"), "--scene", in("gone.tif"),
		"--video", in("midframe.avi"), "--video", in("empty.avi"), "--images", in("pictures"), "--detector", "opencv_hog_people")
	if code != 3 {
		t.Errorf("exit code %d, not 3\n%s", code, text)
	}
	var s failed
	readJSON(t, filepath.Join(out, "summary.json"), &s)
	for input, want := range map[string]string{
		"text": "not a raster", "cut": "", "gone": "no such file", "empty": "empty", "midframe": "it ends after", "pictures": "",
	} {
		if got := s.reason(input); got == "" || !strings.Contains(got, want) {
			t.Errorf("%s: told %q, which does not say %q", input, got, want)
		}
	}
	if !there(out, "good/mask.tif") || s.reason("good") != "" {
		t.Errorf("the good scene did not become a product\n%s", text)
	}
	if s.Delivery.Lost != 0 || s.Delivery.Duplicates != 0 || s.Delivery.Committed != s.Delivery.Received+s.Delivery.Ledger {
		t.Errorf("delivery %+v", s.Delivery)
	}
}

func TestWrongUsageAndBrokenModelsAreTold(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	models := filepath.Join(dir, "models", "mine", "1")
	os.MkdirAll(models, 0o755)
	write(t, filepath.Join(models, "model.onnx"), "not a network")
	write(t, filepath.Join(dir, "models", "mine", "model.yaml"), "task: detect\nsha256: %064d\ninput: {colour: bgr, size: [416, 416]}\noutput: {decoder: yolox, labels: [coco80]}\n", 1)
	video := clip(t, filepath.Join(dir, "v.avi"), 2)
	config := write(t, filepath.Join(dir, "edge.yaml"), "edge: mast\ndata: /tmp/x\ncloud: {url: 'tcp://127.0.0.1:1'}\nuplnk: {window: 3}\ncameras: [{name: a b, address: ''}]\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no input", []string{"canvas", "process", "--out", dir + "/o"}, 2, []string{"--scene"}},
		{"no out", []string{"canvas", "process", "--scene", "x"}, 2, []string{"out"}},
		{"unwritable out", []string{"canvas", "process", "--out", "/proc/none", "--scene", sample(t, "sentinel2.tif")}, 2, []string{"--out"}},
		{"a file as out", []string{"canvas", "process", "--out", video, "--scene", sample(t, "sentinel2.tif")}, 2, []string{"--out"}},
		{"unknown detector", []string{"canvas", "process", "--out", dir + "/o", "--video", video, "--detector", "nobody"}, 2, []string{"nobody"}},
		{"a model that is none", []string{"canvas", "process", "--out", dir + "/o", "--video", video, "--detector", "mine", "--models", dir + "/models"}, 1, []string{"model.onnx", "no whole ONNX model"}},
		{"only bad inputs", []string{"canvas", "process", "--out", dir + "/o", "--scene", config}, 1, []string{"none of the inputs"}},
		{"an RTSP address where nobody is", []string{"canvas", "process", "--out", dir + "/o", "--video", "rtsp://127.0.0.1:9/x", "--detector", "opencv_hog_people"}, 1, []string{"127.0.0.1:9"}},
		{"a typo in the configuration", []string{"canvas-edge", "--config", config, "check"}, 2, []string{"edge.yaml:4", "did you mean uplink?", "edge.yaml:5", "a b"}},
		{"no configuration", []string{"canvas-edge", "--config", dir + "/none.yaml", "run"}, 2, []string{"none.yaml"}},
		{"a broker that is not there", []string{"canvas-cloud", "--config", write(t, dir+"/cloud.yaml", "kafka: {brokers: ['127.0.0.1:1']}\n"), "status"}, 1, []string{"127.0.0.1:1", "is Kafka up?"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, out := run(t, c.args[0], c.args[1:]...)
			if code != c.code {
				t.Errorf("exit code %d, not %d", code, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(out, want) {
					t.Errorf("no %q in\n%s", want, out)
				}
			}
			if strings.Contains(out, "goroutine ") || strings.Contains(out, "SIGSEGV") {
				t.Errorf("it crashed:\n%s", out)
			}
		})
	}
}

// TestAModelWithTheWrongSha256IsRefused takes a good network under a manifest for another.
func TestAModelWithTheWrongSha256IsRefused(t *testing.T) {
	t.Parallel()
	weights, err := os.ReadFile(asset(t, "models/fastestdet.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	os.MkdirAll(filepath.Join(dir, "mine", "1"), 0o755)
	os.WriteFile(filepath.Join(dir, "mine", "1", "model.onnx"), weights, 0o644)
	write(t, filepath.Join(dir, "mine", "model.yaml"), "task: detect\nsha256: %064d\ninput: {colour: bgr, size: [352, 352], scale: 0.00392156862745098}\noutput: {decoder: fastestdet, labels: [coco80]}\n", 1)
	code, out := run(t, "canvas", "process", "--out", filepath.Join(dir, "o"), "--video", clip(t, filepath.Join(dir, "v.avi"), 2), "--detector", "mine", "--models", dir)
	if code != 1 || !strings.Contains(out, "sha256") {
		t.Errorf("exit code %d\n%s", code, out)
	}
	if code, out := run(t, "canvas-edge", "models", "verify", "--models", dir); code != 1 || !strings.Contains(out, "sha256") {
		t.Errorf("verify: exit code %d\n%s", code, out)
	}
}

// pngBomb is a PNG whose header promises side x side pixels.
func pngBomb(side uint32) []byte {
	var b bytes.Buffer
	b.WriteString("\x89PNG\r\n\x1a\n")
	chunk := func(name string, data []byte) {
		binary.Write(&b, binary.BigEndian, uint32(len(data)))
		body := append([]byte(name), data...)
		b.Write(body)
		binary.Write(&b, binary.BigEndian, crc32.ChecksumIEEE(body))
	}
	header := binary.BigEndian.AppendUint32(nil, side)
	header = binary.BigEndian.AppendUint32(header, side)
	chunk("IHDR", append(header, 8, 2, 0, 0, 0))
	chunk("IDAT", []byte{0x78, 0x9c, 0x03, 0x00, 0x00, 0x00, 0x00, 0x01})
	chunk("IEND", nil)
	return b.Bytes()
}
