package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
