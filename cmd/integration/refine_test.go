package integration

import (
	"bytes"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

// TestWhatPrecisionLeftAwayFollows sends the same scene twice: without loss, and within a bound on the error with the
// rest behind it. In the end both products are the same, and the two layers weigh little more than the whole.
func TestWhatPrecisionLeftAwayFollows(t *testing.T) {
	t.Parallel()
	f := startFleet(t)
	type line struct {
		State   string
		Bytes   int
		Refined bool
	}
	read := func(name string) (lines []line) {
		if there(f.products, name+"/tiles.json") {
			readJSON(t, f.products+"/"+name+"/tiles.json", &lines)
		}
		return lines
	}
	for name, options := range map[string]string{"whole": "", "layers": ", precision: 0.0005, refine: true"} {
		f.device(t, name, fmt.Sprintf("scenes: [{name: %s, path: %q, cloud_model: spectral%s}]\n", name, sample(t, "sentinel2.tif"), options))
		until(t, 2*time.Minute, "the product of "+name, func() bool {
			lines := read(name)
			return len(lines) == 1 && lines[0].State == "result" && lines[0].Refined == (name == "layers")
		})
	}
	whole, layers := read("whole")[0].Bytes, read("layers")[0].Bytes
	if layers*3 > whole*2 {
		t.Errorf("the first layer has %d bytes, the whole %d", layers, whole)
	}
	if !bytes.Equal(classesOf(t, filepath.Join(f.products, "whole", "mask.tif")), classesOf(t, filepath.Join(f.products, "layers", "mask.tif"))) {
		t.Error("the masks differ")
	}
	var product struct {
		Properties map[string]any
	}
	readJSON(t, f.products+"/layers/item.json", &product)
	if precision, ok := product.Properties["canvas:precision"]; ok {
		t.Errorf("the item says a precision of %v", precision)
	}
}
