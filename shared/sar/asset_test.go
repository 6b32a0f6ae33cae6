package sar

import (
	"os"
	"path/filepath"
	"testing"
)

// openBay opens real echoes that were given out for study and may not be committed.
func openBay(t testing.TB) *Echoes {
	t.Helper()
	assets := os.Getenv("CANVAS_ASSETS")
	if assets == "" {
		t.Skip("without CANVAS_ASSETS there are no real echoes to look at")
	}
	e, err := Open(filepath.Join(assets, "sar", "radarsat1_english_bay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func TestTheCentroidOfRealEchoesIsFoundByItself(t *testing.T) {
	t.Parallel()
	e := openBay(t)
	c, err := EstimateCentroid(t.Context(), e)
	t.Logf("%+v", c)
	if err != nil {
		t.Fatal(err)
	}
	if c.Hz > -6800 || c.Hz < -7100 {
		t.Errorf("it is %.0f Hz", c.Hz)
	}
}
