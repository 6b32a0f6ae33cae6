package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/vision"
)

func TestWhatIsNotJudgedIsCountedApartAndWhatTheTruthDoesNotKnowNotAtAll(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, class func(i int) byte) string {
		path := filepath.Join(dir, name)
		w, err := raster.Create(path, raster.Layout{Width: 600, Height: 4, Bands: []string{"class"}, DataType: "Byte"}) // more than one window
		if err != nil {
			t.Fatal(err)
		}
		all := make([]byte, 600*4)
		for i := range all {
			all[i] = class(i)
		}
		if err := errors.Join(w.Write(raster.Window{W: 600, H: 4}, all), w.Finish()); err != nil {
			t.Fatal(err)
		}
		return path
	}
	truth := write("truth.tif", func(i int) byte { return [...]byte{vision.Clear, vision.Cloud, vision.Shadow, vision.NoData}[i%4] })
	mask := write("mask.tif", func(i int) byte {
		if i%4 == 1 && i >= 1200 { // half of the cloud was not sent
			return vision.NoData
		}
		return [...]byte{vision.Clear, vision.Cloud, vision.Cloud, vision.Clear}[i%4]
	})
	a, err := compare(mask, truth)
	if err != nil {
		t.Fatal(err)
	}
	want := agreement{pixels: 1500, right: 900, cloudBoth: 300, cloudAny: 900, shadowAny: 600, out: 300}
	if a != want {
		t.Errorf("%+v, not %+v", a, want)
	}
}

func TestThePlotShowsEachModeWithinItsFrame(t *testing.T) {
	r := linkReport{Note: "one & only", Scene: 30e6, Modes: []linkLine{
		{Mode: "a <b>", Bytes: 40e6, Same: 1, CloudIoU: 0.5, ShadowIoU: 0, Unjudged: 1}, {Mode: "nothing", Bytes: 0}, {Mode: "half", Bytes: 20e6, Same: 0.25}}}
	var texts, bars []string
	var points []float64
	for d := xml.NewDecoder(strings.NewReader(r.svg())); ; {
		token, err := d.Token()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the plot is no XML: %v", err)
		}
		switch v := token.(type) {
		case xml.CharData:
			texts = append(texts, string(v))
		case xml.StartElement:
			for _, a := range v.Attr {
				n, err := strconv.ParseFloat(a.Value, 64)
				if err == nil && (math.IsNaN(n) || n < 0 || n > plotWidth) {
					t.Errorf("%s of a %s is %s: outside of the plot", a.Name.Local, v.Name.Local, a.Value)
				}
				switch {
				case v.Name.Local == "circle" && a.Name.Local == "cx" && len(points) < len(r.Modes)*len(plotMarks):
					points = append(points, n)
				case v.Name.Local == "rect" && a.Name.Local == "width":
					bars = append(bars, a.Value)
				}
			}
		}
	}
	all := strings.Join(texts, "\n")
	for _, want := range []string{"one & only", "a <b>", "nothing", "half", "the file, 30.00"} {
		if !strings.Contains(all, want) {
			t.Errorf("the plot does not say %q", want)
		}
	}
	if len(bars) != 4 || bars[1] != "280.0" || bars[2] != "1.0" || bars[3] != "140.0" { // the first is the paper
		t.Errorf("bars are %q wide", bars)
	}
	if len(points) != 12 || points[0] != qualityLeft+qualityWidth || points[1] != qualityLeft+qualityWidth/2 || points[8] != qualityLeft+qualityWidth/4 {
		t.Errorf("the points stand at %v", points)
	}
}

func TestTheDemoHoldsItsModesAgainstEveryTileAndRunsTheDefaultOnce(t *testing.T) {
	folders, defaults := map[string]bool{}, 0
	for i, m := range linkModes {
		var j job
		if m.Set == nil {
			defaults++
		} else if m.Set(&j); i == 0 && !j.keepEverything {
			t.Errorf("the first mode, %q, leaves tiles out", m.Name)
		}
		if folders[m.Folder] {
			t.Errorf("two modes write to %q", m.Folder)
		}
		folders[m.Folder] = true
	}
	if defaults != 1 {
		t.Errorf("%d modes are the default", defaults)
	}
}
