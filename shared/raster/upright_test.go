package raster

import (
	"slices"
	"testing"
)

// TestPicturesAreTurnedAsTheirCamerasWereHeld lays out the letter F, whose eight orientations differ.
func TestPicturesAreTurnedAsTheirCamerasWereHeld(t *testing.T) {
	// Stored as 3 x 2; upright it is what each orientation says row 0 and column 0 are.
	stored := []byte("abcdef") // abc / def
	for orientation, want := range map[int]string{
		2: "cbafed", 3: "fedcba", 4: "defabc", // 3 x 2
		5: "adbecf", 6: "daebfc", 7: "fcebda", 8: "cfbead", // 2 x 3
	} {
		to := make([]byte, 6)
		turn(to, stored, 3, 2, orientation)
		if !slices.Equal(to, []byte(want)) {
			t.Errorf("orientation %d: %s, not %s", orientation, to, want)
		}
	}
}
