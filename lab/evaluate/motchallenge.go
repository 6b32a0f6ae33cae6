package evaluate

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"cloudcanvas/shared/track"
)

// Sighting is one object in one frame, as a line of a MOTChallenge file says it.
type Sighting struct {
	Frame int        `json:"frame"` // from 1
	ID    int        `json:"id"`    // -1 of detections
	BBox  [4]float64 `json:"bbox"`  // x, y of the top left corner, width, height
	Score float64    `json:"score"` // of labels: 0 where they do not count
	Class int        `json:"class"` // of labels, MOTChallenge's; 0: not told
}

// Bounds of a file from outside.
const (
	maxSightings = 1 << 24
	maxNumber    = 1 << 30 // of ids and coordinates
	maxFrame     = 10_000_000
)

// ParseMOT reads a MOTChallenge file: frame, id, x, y, width, height, score, and in labels of eight or
// nine columns the class (https://motchallenge.net/instructions). The lines may be in any order.
func ParseMOT(data []byte) ([]Sighting, error) {
	var all []Sighting
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" {
			continue
		}
		s, err := parseSighting(line)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		if all = append(all, s); len(all) > maxSightings {
			return nil, fmt.Errorf("more than %d lines; split the file", maxSightings)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the lines: %w", err)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("holds no objects; a line is frame,id,x,y,width,height,score")
	}
	return all, nil
}

func parseSighting(line string) (s Sighting, err error) {
	columns := strings.Split(line, ",")
	if len(columns) < 6 || len(columns) > 10 {
		return s, fmt.Errorf("%d columns; a line is frame,id,x,y,width,height,score", len(columns))
	}
	var v [10]float64
	for i, c := range columns {
		if v[i], err = strconv.ParseFloat(strings.TrimSpace(c), 64); err != nil || !(math.Abs(v[i]) <= maxNumber) {
			return s, fmt.Errorf("%.40q is no number that can stand here", c)
		}
	}
	s = Sighting{Frame: int(v[0]), ID: int(v[1]), BBox: [4]float64(v[2:6]), Score: 1}
	if len(columns) > 6 {
		s.Score = v[6]
	}
	if n := len(columns); n == 8 || n == 9 {
		s.Class = int(v[7])
	}
	if s.Frame < 1 || s.Frame > maxFrame || v[0] != float64(s.Frame) || v[1] != float64(s.ID) {
		return s, fmt.Errorf("frame %v, id %v: frames count from 1 to %d, and both are whole numbers", v[0], v[1], maxFrame)
	}
	if s.BBox[2] < 0 || s.BBox[3] < 0 {
		return s, fmt.Errorf("a box of %v x %v", s.BBox[2], s.BBox[3])
	}
	return s, nil
}

// WriteMOT writes sightings as MOTChallenge's results are written.
func WriteMOT(w io.Writer, all []Sighting) error {
	for _, s := range all {
		if _, err := fmt.Fprintf(w, "%d,%d,%.2f,%.2f,%.2f,%.2f,%.4f,-1,-1,-1\n", s.Frame, s.ID, s.BBox[0], s.BBox[1], s.BBox[2], s.BBox[3], s.Score); err != nil {
			return fmt.Errorf("write the tracks: %w", err)
		}
	}
	return nil
}

// pedestrian is the one class of MOTChallenge that counts; what is found of the distractors is neither
// right nor wrong: people on vehicles, cars (of MOT20), static people, distractors, reflections.
const pedestrian = 1

var distractors = []int{2, 6, 7, 8, 12}

// CountedMOT leaves out what MOTChallenge does not count: labels that are no pedestrians or that are
// marked so, and what was found of distractors, as TrackEval does it. Labels without classes all count.
func CountedMOT(labels, found []Sighting) (truth, counted []Sighting) {
	classes := slices.ContainsFunc(labels, func(s Sighting) bool { return s.Class > 0 })
	for _, s := range labels {
		if s.Score != 0 && (!classes || s.Class == pedestrian) {
			truth = append(truth, s)
		}
	}
	if !classes {
		return truth, found
	}
	var assign track.Assigner
	labelsIn, foundIn := byFrame(labels), byFrame(found)
	for _, frame := range framesOf(foundIn) {
		l, f := labelsIn[frame], foundIn[frame]
		of := assign.Solve(len(l), len(f), overlapping(l, f, matchIoU))
		drop := make([]bool, len(f))
		for i, j := range of {
			if j >= 0 {
				drop[j] = slices.Contains(distractors, l[i].Class)
			}
		}
		for j, s := range f {
			if !drop[j] {
				counted = append(counted, s)
			}
		}
	}
	return truth, counted
}

// matchIoU is the overlap from which a track is at an object, in all figures but HOTA.
const matchIoU = 0.5

// overlapping gives the pairs with that IoU or more; TrackEval forgives an epsilon at its thresholds.
func overlapping(truth, found []Sighting, least float64) (edges []track.Edge) {
	for i, t := range truth {
		for j, f := range found {
			if iou := overlap(f.BBox, t.BBox, false); iou > 0 && iou >= least-epsilon {
				edges = append(edges, track.Edge{Row: i, Column: j, Weight: iou})
			}
		}
	}
	return edges
}

func byFrame(all []Sighting) map[int][]Sighting {
	frames := map[int][]Sighting{}
	for _, s := range all {
		frames[s.Frame] = append(frames[s.Frame], s)
	}
	return frames
}

func framesOf(sets ...map[int][]Sighting) []int {
	var frames []int
	for _, set := range sets {
		for f := range set {
			frames = append(frames, f)
		}
	}
	slices.SortFunc(frames, cmp.Compare[int])
	return slices.Compact(frames)
}
