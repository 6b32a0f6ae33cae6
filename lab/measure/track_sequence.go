package measure

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/track"
	"cloudcanvas/shared/vision"
)

// sequence is one film with its labels and the tracks that are scored.
type sequence struct {
	name         string
	truth, found []evaluate.Sighting
	detections   []evaluate.Sighting // that the tracks are made of, where they are made here
}

// moved numbers frames and ids so that sequences can stand after each other.
func (s sequence) moved(all []evaluate.Sighting, n int) []evaluate.Sighting {
	if n == 0 {
		return all
	}
	moved := make([]evaluate.Sighting, len(all))
	for i, x := range all {
		x.Frame += n * betweenSequences
		x.ID += n * betweenSequences
		moved[i] = x
	}
	return moved
}

// betweenSequences is further than any two frames or ids of a file are apart.
const betweenSequences = 1 << 32

// sequences reads or simulates what is scored.
func (t Track) sequences(report *TrackReport) ([]sequence, error) {
	if len(t.Truth) == 0 {
		report.Crowd = &t.Crowd
		s := sequence{name: "crowd"}
		var frames [][]vision.Box
		s.truth, frames = t.Crowd.Walk()
		for i, boxes := range frames {
			for _, b := range boxes {
				s.detections = append(s.detections, sighting(i+1, -1, b))
			}
		}
		s.found = follow(t.Following.Following(), s.detections)
		return []sequence{s}, nil
	}
	var all []sequence
	for i, file := range t.Truth {
		labels, err := readTracks(file)
		if err != nil {
			return nil, err
		}
		s := sequence{name: sequenceName(file, i)}
		if len(t.Tracks) > 0 {
			if s.found, err = readTracks(t.Tracks[i]); err != nil {
				return nil, err
			}
		} else {
			if s.detections, err = readTracks(t.Detections[i]); err != nil {
				return nil, err
			}
			s.found = follow(t.Following.Following(), s.detections)
		}
		s.truth, s.found = evaluate.CountedMOT(labels, s.found)
		all = append(all, s)
	}
	return all, nil
}

// sequenceName is MOTChallenge's: the folder above gt/gt.txt, else the file's own.
func sequenceName(file string, n int) string {
	if dir := filepath.Dir(file); filepath.Base(dir) == "gt" && filepath.Base(filepath.Dir(dir)) != "." {
		return filepath.Base(filepath.Dir(dir))
	}
	return fmt.Sprintf("%d_%s", n+1, strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)))
}

// maxTracksFile bounds a file before it is read.
const maxTracksFile = 1 << 30

func readTracks(path string) ([]evaluate.Sighting, error) {
	info, err := os.Stat(path)
	if err == nil && info.Size() > maxTracksFile {
		err = fmt.Errorf("%d bytes are more than %d; split it", info.Size(), maxTracksFile)
	}
	var data []byte
	if err == nil {
		data, err = os.ReadFile(path)
	}
	if err != nil {
		return nil, mistakef("%s can't be read: %w", path, err)
	}
	all, err := evaluate.ParseMOT(data)
	if err != nil {
		return nil, mistakef("%s: %w", path, err)
	}
	return all, nil
}

// follow joins detections to tracks as a camera does, and gives what it tells live: an object counts
// from when it is confirmed.
func follow(c track.Config, detections []evaluate.Sighting) (found []evaluate.Sighting) {
	frames := map[int][]vision.Box{}
	last := 0
	for _, d := range detections {
		frames[d.Frame] = append(frames[d.Frame], vision.Box{X: float32(d.BBox[0]), Y: float32(d.BBox[1]), W: float32(d.BBox[2]), H: float32(d.BBox[3]), Score: float32(d.Score)})
		last = max(last, d.Frame)
	}
	f := track.NewFollower(c)
	for n := 1; n <= last; n++ {
		alive, _ := f.Update(int64(n), frames[n])
		for _, o := range alive {
			if o.Confirmed && o.Seen {
				found = append(found, sighting(n, int(o.ID), o.Box))
			}
		}
	}
	return found
}

func sighting(frame, id int, b vision.Box) evaluate.Sighting {
	return evaluate.Sighting{Frame: frame, ID: id, BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}, Score: float64(b.Score)}
}
