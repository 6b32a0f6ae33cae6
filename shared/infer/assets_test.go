package infer

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// root is the repository's.
func root(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		if dir == "/" {
			t.Fatal("no go.mod above the test")
		}
	}
}

// asset is a file of the shared assets; without them the test skips.
func asset(t testing.TB, path ...string) string {
	t.Helper()
	dir := os.Getenv("CANVAS_ASSETS")
	if dir == "" {
		dir = filepath.Join(root(t), "..", "shared", "assets")
	}
	full := filepath.Join(append([]string{dir}, path...)...)
	if _, err := os.Stat(full); err != nil {
		t.Skipf("%s is missing; set CANVAS_ASSETS to the assets folder", full)
	}
	return full
}

// cpuEngines are those of floats on a CPU that this machine has.
func cpuEngines() []string {
	engines := []string{ORTCPU, OpenCVCPU}
	if loadOV("") == nil {
		engines = append(engines, OVCPU)
	}
	return engines
}

// known is a model whose weights are there; else the test skips.
func known(t testing.TB, name string) model.Model {
	t.Helper()
	dirs := []string{asset(t, "models")}
	if deps := filepath.Join(root(t), ".deps", "models"); exists(deps) {
		dirs = append(dirs, deps)
	}
	r, err := model.Open(dirs...)
	if err != nil {
		t.Fatal(err)
	}
	m, err := r.Find(name)
	if err != nil {
		t.Skipf("%v; run make setup", err)
	}
	return m
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// open loads a model and closes it with the test.
func open(t testing.TB, m model.Model, engine string, l Layout) *Network {
	t.Helper()
	n, r, err := Open(context.Background(), m, engine, l, nil)
	if err != nil {
		t.Fatalf("%v; trials %+v", err, r.Trials)
	}
	t.Cleanup(func() { n.Close() })
	return n
}

// kept remembers what was decoded: several tests look at the same pictures.
var kept = struct {
	sync.Mutex
	shots  map[string]vision.Image
	scene  []float32
	extent []int
}{shots: map[string]vision.Image{}}

// shot is a picture of the assets: a file of images/, or frame n of "vtest.avi:n" as ffmpeg decodes it.
func shot(t testing.TB, name string) vision.Image {
	t.Helper()
	kept.Lock()
	defer kept.Unlock()
	im, ok := kept.shots[name]
	if !ok {
		im = readShot(t, name)
		kept.shots[name] = im
	}
	return im
}

func readShot(t testing.TB, name string) vision.Image {
	t.Helper()
	video, frame, isVideo := strings.Cut(name, ":")
	if !isVideo {
		data, err := os.ReadFile(asset(t, "images", name))
		if err != nil {
			t.Fatal(err)
		}
		im, err := DecodeImage(data, 1<<24)
		if err != nil {
			t.Fatal(err)
		}
		return im
	}
	if _, err := exec.LookPath("ffmpeg"); err != nil {
		t.Skip("ffmpeg is not installed")
	}
	out, err := exec.Command("ffmpeg", "-v", "error", "-i", asset(t, "videos", video), "-vf", "select=eq(n\\,"+frame+")",
		"-frames:v", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "-").Output()
	if err != nil || len(out) != 768*576*3 {
		t.Fatalf("ffmpeg gave %d bytes: %v", len(out), err)
	}
	return vision.Image{W: 768, H: 576, Pix: out}
}

// scene is a window of sentinel2.npz: 6 bands of reflectance.
func scene(t testing.TB, x, y, w, h int) vision.Image {
	t.Helper()
	kept.Lock()
	defer kept.Unlock()
	if kept.scene == nil {
		kept.scene, kept.extent = npy(t, asset(t, "scenes", "sentinel2.npz"), "img.npy")
	}
	values, shape := kept.scene, kept.extent
	im := vision.Image{W: w, H: h, Bands: []string{"blue", "green", "red", "nir", "swir16", "swir22"}}
	for b := range im.Bands {
		plane := make([]float32, 0, w*h)
		for r := range h {
			for c := range w {
				plane = append(plane, values[((y+r)*shape[1]+x+c)*shape[2]+b])
			}
		}
		im.Planes = append(im.Planes, plane)
	}
	return im
}

// npy reads a little-endian float array of a .npz file.
func npy(t testing.TB, path, name string) ([]float32, []int) {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	f, err := z.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	head := string(data[10 : 10+int(binary.LittleEndian.Uint16(data[8:]))])
	body := data[10+len(head):]
	shape := make([]int, 3)
	if _, err := fmt.Sscanf(head[strings.Index(head, "'shape'"):], "'shape': (%d, %d, %d)", &shape[0], &shape[1], &shape[2]); err != nil {
		t.Fatal(err)
	}
	values := make([]float32, shape[0]*shape[1]*shape[2])
	if strings.Contains(head, "'<f8'") {
		wide := make([]float64, len(values))
		if err := binary.Read(bytes.NewReader(body), binary.LittleEndian, wide); err != nil {
			t.Fatal(err)
		}
		for i, v := range wide {
			values[i] = float32(v)
		}
		return values, shape
	}
	for i := range values {
		values[i] = math.Float32frombits(binary.LittleEndian.Uint32(body[4*i:]))
	}
	return values, shape
}
