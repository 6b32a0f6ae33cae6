package mosaic

import (
	"encoding/json"
	"testing"

	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

func TestSpacingOfImagesStandsInAFileOfTheProduct(t *testing.T) {
	b := batch(t, 1, 0, 2, 3)
	var d event.Detections
	if err := json.Unmarshal(b.Data, &d); err != nil {
		t.Fatal(err)
	}
	if _, files, _ := recorded(t, newCamera(t, 10), []event.Item{b}); files["spacing.json"] != "" {
		t.Errorf("nobody said a spacing: %s", files["spacing.json"])
	}
	d.Frames[0].Name, d.Frames[0].Spacing = "scan.dcm#1", &vision.Spacing{X: 0.25, Y: 0.5, Of: vision.OfDetector}
	_, files, _ := recorded(t, newCamera(t, 10), []event.Item{cameraItem(t, 1, event.Result, "yard", d)})
	if want := "[\n" + `{"image_id":"scan.dcm#1","x":0.25,"y":0.5,"of":"detector"}` + "\n]\n"; files["spacing.json"] != want {
		t.Errorf("%q, want %q", files["spacing.json"], want)
	}
}
