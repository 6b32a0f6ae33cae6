package native

import (
	"os"
	"path/filepath"
	"testing"

	"cloudcanvas/cloud/worker"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

// picture is one of the assets; without them the test skips.
func picture(t testing.TB, name string) []byte {
	t.Helper()
	assets := os.Getenv("CANVAS_ASSETS")
	if assets == "" {
		assets = "../../../../shared/assets"
	}
	data, err := os.ReadFile(filepath.Join(assets, "images", name))
	if err != nil {
		t.Skipf("%v; set CANVAS_ASSETS to the assets folder", err)
	}
	return data
}

func TestALargerDetectorLooksAgainAtWhatASmallOneFound(t *testing.T) {
	w := newScene(t, worker.Config{Pipelines: []worker.Pipeline{{Name: "cars", Want: "detect", Steps: []worker.Step{
		{Model: "yolox_nano"}, {Model: "picodet_s_416", MinScore: 0.3, Most: 8},
	}}}})
	found, results := w.see("detect", "image/jpeg", picture(t, "small-vehicles1.jpeg"))
	if len(results) != 1 || results[0].Attrs.Model != "cars" || results[0].Attrs.ModelVersion != "1+1" {
		t.Fatalf("%d results, %+v", len(results), results[0].Attrs)
	}
	agreed, looked := 0, 0
	for _, f := range found.Pipeline.Findings {
		for _, l := range f.Inspections {
			looked++
			if l.Accepted && l.Label == f.Box.Label {
				agreed++
			}
			for _, b := range l.Boxes {
				if b.X+b.W < float32(l.Window.X)-b.W || b.X > float32(l.Window.X+l.Window.W)+b.W {
					t.Errorf("box %+v lies far from its crop %+v", b, l.Window)
				}
			}
		}
	}
	if p := found.Pipeline.Steps[1]; looked == 0 || p.Inspected != looked || p.Failed != 0 || agreed*2 < looked {
		t.Errorf("%d of %d are seen again as they were, %+v", agreed, looked, p)
	}
}

func TestPolygonsOfARealMaskGetAClassEach(t *testing.T) {
	w := newScene(t, worker.Config{Pipelines: []worker.Pipeline{{Name: "forms", Want: "segment", Steps: []worker.Step{
		{Model: "ukis_csmask_4b_l1c"}, {Model: "ppocr_v2_cls", Labels: []string{"cloud"}},
	}}}})
	data, err := raster.EncodeTile(sky("blue", "green", "red", "nir"), raster.Georef{}, raster.Coding{})
	if err != nil {
		t.Fatal(err)
	}
	found, results := w.see("segment", "image/tiff; application=geotiff", data)
	if len(results) != 2 || results[0].Type != "image/png" {
		t.Fatalf("%d results, the first is %s", len(results), results[0].Type)
	}
	shares, err := vision.DecodeProbabilities(results[0].Data, 256, 256)
	if err != nil {
		t.Fatal(err)
	}
	clouds := 0
	for _, f := range found.Pipeline.Findings {
		if f.Polygon.Label == "cloud" {
			clouds += f.Polygon.Area
			if len(f.Inspections) != 1 || len(f.Inspections[0].Classes) != 2 || f.Inspections[0].Failed != "" {
				t.Errorf("%+v", f)
			}
		}
	}
	likely := 0
	for _, share := range shares[vision.Cloud-1] {
		if share > vision.ProbabilityOne/2 && share != vision.NoData {
			likely++
		}
	}
	if likely < 1000 || clouds < likely*9/10 || clouds > likely*11/10 {
		t.Errorf("the polygons have %d pixels of cloud, the mask says %d", clouds, likely)
	}
}
