package evaluate

import (
	"fmt"

	"cloudcanvas/shared/track"
)

// TrackScores says how well tracks follow labelled objects. Shares are 0 … 1.
type TrackScores struct {
	HOTA float64 `json:"HOTA"` // mean over IoU 0.05, 0.10, … 0.95, as are the next three
	DetA float64 `json:"DetA"`
	AssA float64 `json:"AssA"`
	LocA float64 `json:"LocA"` // mean IoU of what was found

	IDF1 float64 `json:"IDF1"`
	IDP  float64 `json:"IDP"`
	IDR  float64 `json:"IDR"`

	MOTA     float64 `json:"MOTA"`
	MOTP     float64 `json:"MOTP"`
	Switches int     `json:"id_switches"` // an object goes on with another track than before
	Missed   int     `json:"missed"`      // boxes of labels that no track was at
	Wrong    int     `json:"wrong"`       // boxes of tracks that were at no label
	Breaks   int     `json:"fragments"`   // an object is found again after it was not
	Mostly   int     `json:"mostly_tracked"`
	Hardly   int     `json:"mostly_lost"`

	Frames  int `json:"frames"` // with a label or a track
	Objects int `json:"objects"`
	Tracks  int `json:"tracks"`
	Labels  int `json:"labels"` // boxes
	Boxes   int `json:"boxes"`  // of tracks

	HOTAOf [alphas]float64 `json:"HOTA_of_IoU"` // 0.05, 0.10, … 0.95
}

// TrackedObject is what became of one labelled object.
type TrackedObject struct {
	ID       int      `json:"id"`
	First    int      `json:"first"` // frame
	Last     int      `json:"last"`
	Labels   int      `json:"labels"` // frames in which it is labelled
	Found    int      `json:"found"`
	Switches int      `json:"id_switches"`
	Follows  []Follow `json:"follows"`
}

// Follow is a time in which one track was at an object. Frames in between in which it was lost are
// part of it.
type Follow struct {
	Track int `json:"track"`
	First int `json:"first"`
	Last  int `json:"last"`
}

// scene is truth and tracks, with ids counted from 0.
type scene struct {
	frames []frame
	truth  []int // boxes of each object
	tracks []int // and of each track
	ids    []int // of the objects
}

type frame struct {
	number       int
	truth, found []int // the object, the track of each box
	pairs        []track.Edge
}

// Tracks counts as TrackEval does: HOTA (Luiten et al., IJCV 2021), IDF1 (Ristani et al., 2016) and
// CLEAR's MOTA (Bernardin and Stiefelhagen, 2008).
func Tracks(truth, found []Sighting) (TrackScores, []TrackedObject, error) {
	s, numbers, err := newScene(truth, found)
	if err != nil {
		return TrackScores{}, nil, err
	}
	scores := TrackScores{Frames: len(s.frames), Objects: len(s.truth), Tracks: len(s.tracks), Labels: len(truth), Boxes: len(found)}
	s.hota(&scores)
	s.identity(&scores)
	objects := s.clear(&scores)
	for i := range objects {
		for j := range objects[i].Follows {
			f := &objects[i].Follows[j]
			f.Track = numbers[f.Track]
		}
	}
	return scores, objects, nil
}

// newScene sorts sightings into frames, and gives the ids of the tracks.
func newScene(truth, found []Sighting) (s scene, trackIDs []int, err error) {
	number := func(of string, all []Sighting) (places map[int]int, ids, counts []int, err error) {
		places = map[int]int{}
		type here struct{ frame, id int }
		seen := map[here]bool{}
		for _, x := range all {
			n, known := places[x.ID]
			if !known {
				n = len(ids)
				places[x.ID], ids, counts = n, append(ids, x.ID), append(counts, 0)
			}
			counts[n]++
			if h := (here{x.Frame, x.ID}); seen[h] {
				return nil, nil, nil, fmt.Errorf("id %d stands twice in frame %d of the %s", x.ID, x.Frame, of)
			} else {
				seen[h] = true
			}
		}
		return places, ids, counts, nil
	}
	objectOf, ids, objects, err := number("labels", truth)
	if err != nil {
		return s, nil, err
	}
	trackOf, trackIDs, tracks, err := number("tracks", found)
	if err != nil {
		return s, nil, err
	}
	s = scene{truth: objects, tracks: tracks, ids: ids}
	truthIn, foundIn := byFrame(truth), byFrame(found)
	for _, n := range framesOf(truthIn, foundIn) {
		f := frame{number: n, pairs: overlapping(truthIn[n], foundIn[n], 0)}
		for _, x := range truthIn[n] {
			f.truth = append(f.truth, objectOf[x.ID])
		}
		for _, x := range foundIn[n] {
			f.found = append(f.found, trackOf[x.ID])
		}
		s.frames = append(s.frames, f)
	}
	return s, trackIDs, nil
}

// pair is an object and a track.
type pair struct{ object, track int }

// ratio is 0 of nothing.
func ratio(a, b float64) float64 { return a / max(1, b) }
