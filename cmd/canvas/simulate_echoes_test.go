package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/sar"
)

func TestEchoesAreSimulatedAsAskedFor(t *testing.T) {
	out := t.TempDir()
	said, err := canvas("simulate", "echoes", "--out", out, "--name", "bay", "--lines", "900", "--samples", "700", "--chirp-s", "10e-6", "--chirp-rate-hz-s", "2.5e12",
		"--format", "iq16", "--scene", "sea", "--ships", "2", "--point", "450:300:7.5:-30", "--place", "49.3,-123.2", "--doppler-hz", "-300", "--agc-db", "3")
	if err != nil || !strings.Contains(said, "simulated: 900 lines of 700 samples") || !strings.Contains(said, "1 points and 2 ships") {
		t.Fatal(said, err)
	}
	e, err := sar.Open(filepath.Join(out, "bay.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if p := e.Params; p.Lines != 900 || p.Format != sar.IQ16 || p.AGC == "" || len(p.Orbit) < 4 || !p.Simulated || p.Polarisation != "VV" || *p.DopplerCentroidHz != -300 {
		t.Errorf("%+v", p)
	}
	text, err := os.ReadFile(filepath.Join(out, "truth.json"))
	if err != nil || !strings.Contains(string(text), `"simulated": true`) || !strings.Contains(string(text), `"lat": 49.`) {
		t.Errorf("%s %v", text, err)
	}
	for words, args := range map[string][]string{
		"it aliases": {"--chirp-rate-hz-s", "1e15"}, "--point \"3\"": {"--point", "3"}, "is no number": {"--place", "x,y"}, "points or sea or coast": {"--scene", "moon"},
	} {
		if _, err := canvas(append([]string{"simulate", "echoes", "--out", out}, args...)...); cli.Code(err) != cli.WrongUsage || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
}

func TestPointsOfARadarImageAreAskedForRightly(t *testing.T) {
	for words, args := range map[string][]string{
		"--limits \"sharp=1\"": {"--truth", "t", "--limits", "sharp=1"}, "--limits \"irw=NaN\"": {"--truth", "t", "--limits", "irw=NaN"}, "--at \"3\"": {"--at", "3"},
	} {
		if _, err := canvas(append([]string{"eval", "sar", "--image", "slc.tif"}, args...)...); cli.Code(err) != cli.WrongUsage || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v", words, err)
		}
	}
	if _, err := canvas("eval", "sar", "--image", filepath.Join(t.TempDir(), "slc.tif"), "--at", "3:4"); cli.Code(err) != cli.Failed {
		t.Error(err)
	}
}
