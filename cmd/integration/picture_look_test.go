package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestPicturesThatTheDeviceIsInDoubtOfAreLookedAtInTheCloud lets a device look at a set of pictures with
// fastestdet and send those whole that are worth their bytes to picodet_s_416 in the cloud.
func TestPicturesThatTheDeviceIsInDoubtOfAreLookedAtInTheCloud(t *testing.T) {
	t.Parallel()
	models, pictures := filepath.Dir(asset(t, "models/picodet_s_416.onnx")), t.TempDir()
	for _, name := range []string{"sahi_terrain2.png", "skimage_astronaut.png", "skimage_motorcycle_left.png", "small-vehicles1.jpeg"} {
		data, err := os.ReadFile(asset(t, "images/"+name))
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(pictures, name), "%s", data)
	}
	f := newFleet(t, startBrokers(t))
	f.sees(t, models, "models: [{want: detect, model: picodet_s_416}]")
	f.cloud(t, "bridge", "bridge-1")
	f.cloud(t, "worker", "worker-1")
	f.cloud(t, "mosaic", "mosaic-1")
	f.device(t, "mast", fmt.Sprintf(`
models: {folders: [%q]}
images: [{name: yard, path: %q, detector: fastestdet}]
detect: {second_look: {pictures: 0.1}}
frame_every: 0s
`, models, pictures))

	var found []struct {
		ImageID string `json:"image_id"`
	}
	var looks []struct {
		ImageID    string `json:"image_id"`
		Model      string `json:"model"`
		Detections int    `json:"detections"`
		Instead    int    `json:"instead_of"`
		Failed     string `json:"failed"`
	}
	until(t, 2*time.Minute, "a record of the pictures", func() bool { return there(f.products, "yard/second_looks.json") })
	readJSON(t, filepath.Join(f.products, "yard", "detections.json"), &found) // published once all had come
	readJSON(t, filepath.Join(f.products, "yard", "second_looks.json"), &looks)
	t.Logf("%+v", looks)
	if len(looks) == 0 || len(looks) == 4 {
		t.Errorf("%d of 4 pictures were worth their bytes", len(looks))
	}
	for _, l := range looks {
		own := 0
		for _, d := range found {
			if d.ImageID == l.ImageID {
				own++
			}
		}
		if l.Model != "picodet_s_416" || l.Failed != "" || l.Detections != own || slices.Contains([]int{0, l.Instead}, own) {
			t.Errorf("%+v, and %d detections of it in the record", l, own)
		}
	}
}
