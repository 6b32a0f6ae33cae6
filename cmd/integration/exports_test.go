package integration

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// exportsTried are a few of the cases of deps/peers/exporters/exporters.py, one of each kind; $CANVAS_EXPORTS
// names others, or "all".
const exportsTried = "v8 v11_nms v11_dynamic v11_batch v26_end2end v11_obb v11_pose v11_seg v11_cls yolox torchvision_ssdlite"

// told is what an exporter's own inference found, as exporters.py writes it.
type told struct {
	Exporter string
	Pictures string
	Floor    float64
	Found    map[string][]finding
}

// finding is a detection, of ours or of theirs.
type finding struct {
	label     string
	score     float64
	box       [4]float64
	corners   []float64
	keypoints []float64
	area      float64 // of its mask's largest part; 0: not told
}

func (f *finding) UnmarshalJSON(data []byte) error {
	var v struct {
		Label     string
		Score     float64
		Box       [4]float64
		Corners   [][]float64
		Keypoints [][]float64
		Area      float64
	}
	err := json.Unmarshal(data, &v)
	*f = finding{v.Label, v.Score, v.Box, slices.Concat(v.Corners...), nil, v.Area}
	for _, p := range v.Keypoints {
		f.keypoints = append(f.keypoints, p[0], p[1])
	}
	return err
}

// TestExportsAreReadAsTheirExportersReadThem lets the exporters make networks, and holds what canvas process
// finds with the bare files to what their own inference finds: boxes, corners and points within a pixel, scores
// within 0.01, the same labels. $CANVAS_EXPORTERS is a Python with deps/peers/exporters/requirements.txt.
func TestExportsAreReadAsTheirExportersReadThem(t *testing.T) {
	t.Parallel()
	python := os.Getenv("CANVAS_EXPORTERS")
	if python == "" {
		t.Skip("CANVAS_EXPORTERS names no Python with deps/peers/exporters/requirements.txt")
	}
	program(t, "canvas")
	script, dir := filepath.Join(root(t), "deps", "peers", "exporters", "exporters.py"), t.TempDir()
	names := strings.Fields(exportsTried)
	switch more := os.Getenv("CANVAS_EXPORTS"); more {
	case "":
	case "all":
		list, err := exec.Command(python, script, "--list").Output()
		if err != nil {
			t.Fatal(err)
		}
		names = strings.Fields(string(list))
	default:
		names = strings.Fields(more)
	}
	out, err := exec.CommandContext(t.Context(), python, append([]string{script, "--out", dir}, names...)...).CombinedOutput()
	if err != nil {
		t.Errorf("not all could be made: %v\n%s", err, out)
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) { holdExport(t, dir, name) })
	}
}

func holdExport(t *testing.T, dir, name string) {
	var want told
	readJSON(t, filepath.Join(dir, name+".json"), &want)
	out := filepath.Join(dir, "out", name)
	code, output := run(t, "canvas", "process", "--images", filepath.Join(dir, want.Pictures), "--detector", filepath.Join(dir, name+".onnx"), "--keep-everything", "--out", out)
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, output)
	}
	got := foundIn(t, filepath.Join(out, want.Pictures))
	const pixels, score = 1.0, 0.01
	all, ties := 0, 0
	for picture, theirs := range want.Found {
		all += len(theirs)
		faults, tied := differences(theirs, got[picture], want.Floor+score, pixels, score)
		if ties += tied; len(faults) > 0 {
			t.Errorf("%s, %s: %d of %d differ, such as %s", want.Exporter, picture, len(faults), len(theirs), strings.Join(faults[:min(len(faults), 5)], "; "))
		}
	}
	if ties > 1+all/100 {
		t.Errorf("%d of %d have another label", ties, all)
	}
	if all == 0 {
		t.Error("the exporter itself found nothing: this shows nothing")
	}
}

// foundIn reads a product's detections by picture.
func foundIn(t *testing.T, dir string) map[string][]finding {
	t.Helper()
	var lines []struct {
		Image        string      `json:"image_id"`
		Category     int         `json:"category_id"`
		BBox         [4]float64  `json:"bbox"`
		Score        float64     `json:"score"`
		Corners      []float64   `json:"corners"`
		Keypoints    []float64   `json:"keypoints"`
		Segmentation [][]float64 `json:"segmentation"`
	}
	var categories []struct {
		ID   int
		Name string
	}
	readJSON(t, filepath.Join(dir, "detections.json"), &lines)
	readJSON(t, filepath.Join(dir, "categories.json"), &categories)
	labels := map[int]string{}
	for _, c := range categories {
		labels[c.ID] = c.Name
	}
	found := map[string][]finding{}
	for _, l := range lines {
		f := finding{label: labels[l.Category], score: l.Score, box: l.BBox, corners: l.Corners}
		for i := 0; i+2 < len(l.Keypoints); i += 3 {
			f.keypoints = append(f.keypoints, l.Keypoints[i], l.Keypoints[i+1])
		}
		for _, part := range l.Segmentation {
			f.area = max(f.area, polygonArea(part))
		}
		found[l.Image] = append(found[l.Image], f)
	}
	return found
}

// polygonArea is that of x1, y1, x2, y2 …
func polygonArea(p []float64) (twice float64) {
	for i := 0; i+1 < len(p); i += 2 {
		k := (i + 2) % len(p)
		twice += p[i]*p[k+1] - p[k]*p[i+1]
	}
	return math.Abs(twice) / 2
}

// differences pairs what both found, and tells what from a score on has no partner. Ties are pairs of which two
// labels have the same score: rounding chooses one.
func differences(theirs, ours []finding, from, pixels, score float64) (faults []string, ties int) {
	taken := make([]bool, len(ours))
	for _, w := range theirs {
		best := -1
		for i, g := range ours {
			if !taken[i] && g.label == w.label && math.Abs(g.score-w.score) <= score && w.near(g, pixels) && (best < 0 || math.Abs(g.score-w.score) < math.Abs(ours[best].score-w.score)) {
				best = i
			}
		}
		tie := -1
		for i, g := range ours {
			if !taken[i] && math.Abs(g.score-w.score) < 1e-4 && w.near(g, 0.1) {
				tie = i
			}
		}
		if best >= 0 {
			taken[best] = true
		} else if tie >= 0 {
			taken[tie] = true
			ties++
		} else if w.score > from {
			faults = append(faults, fmt.Sprintf("missing %+v", w))
		}
	}
	for i, g := range ours {
		if !taken[i] && g.score > from {
			faults = append(faults, fmt.Sprintf("only here %+v", g))
		}
	}
	return faults, ties
}

func (f finding) near(g finding, pixels float64) bool {
	edges := func(b [4]float64) []float64 { return []float64{b[0], b[1], b[0] + b[2], b[1] + b[3]} }
	if !within(edges(f.box), edges(g.box), pixels) || !within(f.keypoints, g.keypoints, pixels) || !f.sameMask(g) {
		return false
	}
	if len(f.corners) == 0 {
		return len(g.corners) == 0
	}
	back := []float64{} // they may go around the other way
	for i := len(g.corners) - 2; i >= 0; i -= 2 {
		back = append(back, g.corners[i], g.corners[i+1])
	}
	for k := 0; k < len(g.corners); k += 2 {
		if within(f.corners, slices.Concat(g.corners[k:], g.corners[:k]), pixels) || within(f.corners, slices.Concat(back[k:], back[:k]), pixels) {
			return true
		}
	}
	return false
}

// sameMask compares areas, where ours is told; theirs is of whole pixels of the network's input.
func (f finding) sameMask(g finding) bool {
	return g.area == 0 || f.area == 0 || math.Abs(f.area-g.area) <= 0.05*f.area+40
}

func within(a, b []float64, limit float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if math.Abs(a[i]-b[i]) > limit {
			return false
		}
	}
	return true
}
