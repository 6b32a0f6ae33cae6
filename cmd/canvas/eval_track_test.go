package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/lab/measure"
)

func measuredTracks(t *testing.T, args ...string) (r measure.TrackReport) {
	t.Helper()
	text, err := canvas(append([]string{"eval", "track", "--json"}, args...)...)
	if err == nil {
		err = json.Unmarshal([]byte(text), &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// same compares all figures but those of the files' rounding: they hold hundredths of a pixel.
func same(a, b evaluate.TrackScores) bool {
	near := func(a, b float64) bool { return a-b < 0.003 && b-a < 0.003 }
	return near(a.HOTA, b.HOTA) && near(a.IDF1, b.IDF1) && near(a.MOTA, b.MOTA) && a.Labels == b.Labels && a.Objects == b.Objects
}

func TestACrowdIsScoredTheSameFromItsFiles(t *testing.T) {
	out := t.TempDir()
	crowd := measuredTracks(t, "--frames", "200", "--seed", "3", "--worst", "5", "--out", out)
	if crowd.Crowd.Seed != 3 || crowd.Frames != 200 || crowd.HOTA < 0.5 || crowd.IDF1 < 0.6 || crowd.MOTA < 0.7 || len(crowd.Worst) != 5 || crowd.Worst[0].Switches < crowd.Worst[4].Switches {
		t.Errorf("%+v", crowd)
	}
	if again := measuredTracks(t, "--frames", "200", "--seed", "3"); again.TrackScores != crowd.TrackScores {
		t.Errorf("%+v again", again)
	}
	labels := filepath.Join(out, "labels.txt")
	for _, scored := range [][]string{{"--tracks", filepath.Join(out, "tracks.txt")}, {"--detections", filepath.Join(out, "detections.txt")}} {
		r := measuredTracks(t, append(scored, "--truth", labels)...)
		if !same(r.TrackScores, crowd.TrackScores) || r.Crowd != nil || (r.Tracking == nil) != (scored[0] == "--tracks") {
			t.Errorf("%s: %+v, want %+v", scored[0], r, crowd)
		}
	}
	drawn, err := os.Open(filepath.Join(out, "identities.svg"))
	if err != nil {
		t.Fatal(err)
	}
	defer drawn.Close()
	for d := xml.NewDecoder(drawn); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestSequencesAreScoredApartAndTogether(t *testing.T) {
	data := filepath.Join("..", "..", "lab", "evaluate", "testdata")
	one := []string{"--truth", filepath.Join(data, "labels.txt"), "--tracks", filepath.Join(data, "tracks.txt")}
	r, both := measuredTracks(t, one...), measuredTracks(t, append(one, one...)...)
	if r.Switches == 0 || both.Switches != 2*r.Switches || both.Tracks != 2*r.Tracks || !same(both.TrackScores, evaluate.TrackScores{HOTA: r.HOTA, IDF1: r.IDF1, MOTA: r.MOTA, Labels: 2 * r.Labels, Objects: 2 * r.Objects}) ||
		len(both.Sequences) != 2 || !same(both.Sequences[1].TrackScores, r.TrackScores) {
		t.Errorf("%+v, twice %+v", r, both)
	}
	text, err := canvas(append([]string{"eval", "track"}, append(one, one...)...)...)
	if err != nil || !strings.Contains(text, "2_labels") || !strings.Contains(text, "worst objects") {
		t.Errorf("%s %v", text, err)
	}
}

func TestTracksMayHaveAnyIDs(t *testing.T) {
	out := t.TempDir()
	file := filepath.Join(out, "gt.txt")
	if err := os.WriteFile(file, []byte("1,-5,0,0,9,9\n2,-5,0,0,9,9\n2,1073741824,50,0,9,9\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := measuredTracks(t, "--truth", file, "--truth", file, "--tracks", file, "--tracks", file, "--out", out); r.Objects != 4 || r.HOTA < 0.999 ||
		len(r.Worst) != 4 || r.Worst[3].Last > 2 || r.Worst[0].Sequence == "" {
		t.Errorf("%+v", r)
	}
}
