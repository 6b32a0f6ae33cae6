package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/raster"
)

func detectIn(t *testing.T, scene string, more ...string) (found []sceneDetection, dir, said string) {
	t.Helper()
	out := t.TempDir()
	args := append([]string{"detect", "--scene", filepath.Join(assets(t), scene), "--detector", "yolox_nano", "--models", filepath.Join(assets(t), "models"), "--out", out}, more...)
	said, err := canvas(args...)
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	dir = filepath.Join(out, strings.TrimSuffix(filepath.Base(scene), filepath.Ext(scene)))
	data, err := os.ReadFile(filepath.Join(dir, "detections.json"))
	if err == nil {
		err = json.Unmarshal(data, &found)
	}
	if err != nil {
		t.Fatal(err)
	}
	return found, dir, said
}

func TestSmallObjectsAreFoundSliceBySlice(t *testing.T) {
	const scene, car = "images/small-vehicles1.jpeg", 3
	count := func(found []sceneDetection) (cars int) {
		for _, d := range found {
			if d.CategoryID == car {
				cars++
			}
		}
		return cars
	}
	whole, _, _ := detectIn(t, scene, "--no-sliced-prediction")
	parts, dir, said := detectIn(t, scene, "--slice-height", "256", "--slice-width", "256")
	t.Logf("%d cars in the whole picture, %d slice by slice", count(whole), count(parts))
	if count(whole) == 0 || count(parts) < 3*count(whole) {
		t.Errorf("%d cars in the whole picture, %d slice by slice", count(whole), count(parts))
	}
	for i, d := range parts {
		if d.ImageID != "small-vehicles1.jpeg" || d.BBox[0] < 0 || d.BBox[0]+d.BBox[2] > 1068.01 || d.BBox[1]+d.BBox[3] > 580.01 {
			t.Errorf("%+v", d)
		}
		if i > 0 && parts[i-1].Score < d.Score {
			t.Error("not best first")
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "detections.geojson")); err == nil || !strings.Contains(said, "no detections.geojson") {
		t.Errorf("a photograph has no place: %v\n%s", err, said)
	}
	if info, err := os.Stat(filepath.Join(dir, "quicklook.jpg")); err != nil || info.Size() < 10_000 {
		t.Error(err)
	}
}

func TestDetectionsOfAGeoreferencedSceneAreOnTheMap(t *testing.T) {
	found, dir, _ := detectIn(t, "scenes/RGB.byte.tif", "--confidence", "0.1", "--slice-height", "256", "--slice-width", "256")
	data, err := os.ReadFile(filepath.Join(dir, "detections.geojson"))
	if err != nil {
		t.Fatal(err)
	}
	var on struct {
		Type     string
		Features []raster.Feature
	}
	if err := json.Unmarshal(data, &on); err != nil {
		t.Fatal(err)
	}
	if on.Type != "FeatureCollection" || len(on.Features) != len(found) || len(found) == 0 {
		t.Fatalf("%s of %d features for %d detections", on.Type, len(on.Features), len(found))
	}
	for i, f := range on.Features {
		p := f.Properties
		if p.Pixels != found[i].BBox || p.EPSG != 32618 || p.Centre[0] < -79 || p.Centre[0] > -75 || p.Centre[1] < 23 || p.Centre[1] > 26 {
			t.Errorf("%+v", p)
		}
	}
}

func TestMistakesOfDetectAreToldAtOnce(t *testing.T) {
	_, err := canvas("detect", "--scene", "x.tif", "--detector", "m", "--out", t.TempDir(), "--slice-width", "3", "--postprocess-type", "SOFT", "--confidence", "2",
		"--no-sliced-prediction", "--no-standard-prediction")
	if err == nil {
		t.Fatal("taken")
	}
	for _, want := range []string{"--slice-width", "--postprocess-type", "--confidence", "leave nothing to do"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in %v", want, err)
		}
	}
}

// TestABrokenBlockIsToldAndTheRestIsLookedAt damages a scene of two cars' pictures side by side.
func TestABrokenBlockIsToldAndTheRestIsLookedAt(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	path := filepath.Join(in, "damaged.tif")
	w, err := raster.Create(path, raster.Layout{Width: 1300, Height: 700, Bands: []string{"red", "green", "blue"}, DataType: "UInt16"})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	pixels := make([]uint16, 1300*700*3)
	for i := range pixels {
		pixels[i] = uint16(1 + (i*7919+i/1300*31)%9999)
	}
	if err := errors.Join(w.Write(raster.Window{W: 1300, H: 700}, pixels), w.Finish()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	clear(data[len(data)*3/10:][:600])
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	said, err := canvas("detect", "--scene", path, "--detector", "yolox_nano", "--models", filepath.Join(assets(t), "models"), "--out", out)
	if cli.Code(err) != cli.Incomplete || !strings.Contains(said, "1 window could not be read") {
		t.Errorf("exit code %d: %v\n%s", cli.Code(err), err, said)
	}
	var l looked
	data, err = os.ReadFile(filepath.Join(out, "damaged", "looked.json"))
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil || len(l.Unread) != 1 || l.Unread[0][2] > 512 || l.Unread[0][3] > 512 || l.Slices != 6 || l.Empty != 0 {
		t.Errorf("%v: %+v", err, l)
	}
	for _, name := range []string{"detections.json", "quicklook.jpg"} {
		if _, err := os.Stat(filepath.Join(out, "damaged", name)); err != nil {
			t.Error(err)
		}
	}
}

// TestTwoPicturesOfOneNameHaveAFolderEach gives them in one run, and in one run after the other.
func TestTwoPicturesOfOneNameHaveAFolderEach(t *testing.T) {
	in, out := t.TempDir(), t.TempDir()
	data, err := os.ReadFile(filepath.Join(assets(t), "images", "small-vehicles1.jpeg"))
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, dir := range []string{"a", "b", "c"} {
		file := filepath.Join(in, dir, "photo.jpg")
		if err := errors.Join(os.Mkdir(filepath.Join(in, dir), 0o755), os.WriteFile(file, data, 0o644)); err != nil {
			t.Fatal(err)
		}
		files = append(files, file)
	}
	run := func(scenes ...string) {
		t.Helper()
		args := []string{"detect", "--detector", "yolox_nano", "--models", filepath.Join(assets(t), "models"), "--out", out, "--no-sliced-prediction"}
		for _, s := range scenes {
			args = append(args, "--scene", s)
		}
		if said, err := canvas(args...); err != nil {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	run(files[0], files[1])
	run(files[2])
	run(files[0]) // again: its own folder, not another one
	of := map[string]string{}
	for _, id := range []string{"photo", "photo-2", "photo-3"} {
		var l looked
		data, err := os.ReadFile(filepath.Join(out, id, "looked.json"))
		if err == nil {
			err = json.Unmarshal(data, &l)
		}
		if err != nil {
			t.Error(err)
		}
		of[id] = l.Scene
	}
	if of["photo"] != files[0] || of["photo-2"] != files[1] || of["photo-3"] != files[2] {
		t.Errorf("%v", of)
	}
	if entries, _ := os.ReadDir(out); len(entries) != 3 {
		t.Errorf("%d folders", len(entries))
	}
}
