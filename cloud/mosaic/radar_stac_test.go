package mosaic

import (
	"maps"
	"testing"
)

// TestSoftwareNamesEachVersion: blocks of one image may have been made on several engines.
func TestSoftwareNamesEachVersion(t *testing.T) {
	got := software([]string{"cfar 1", "chirp-scaling 1", "chirp-scaling 1-cufft"})
	if want := map[string]string{"cloudcanvas": "1", "cfar": "1", "chirp-scaling": "1, 1-cufft"}; !maps.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}
