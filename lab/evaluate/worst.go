package evaluate

import (
	"cmp"
	"path"
	"slices"
)

// ReportScore is the score from which a detection counts in single pictures: what a
// person would be shown, not the long tail that AP looks at.
const ReportScore = 0.3

// Verdict is what became of a labelled or a found box.
type Verdict int

const (
	Right Verdict = iota
	Missed
	Wrong
)

func (v Verdict) String() string { return [...]string{"right", "missed", "wrong"}[v] }

// MarshalText gives JSON the word.
func (v Verdict) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// PictureFaults is how one picture was matched at IoU 0.5.
type PictureFaults struct {
	Image  int64      `json:"image_id"`
	File   string     `json:"file_name"`
	Missed int        `json:"missed"`
	Wrong  int        `json:"wrong"`
	Right  int        `json:"right"`
	Boxes  []FoundBox `json:"-"`
}

// FoundBox is a box with its verdict, to be drawn.
type FoundBox struct {
	BBox    [4]float64
	Name    string
	Score   float64 // 0 of a missed one
	Verdict Verdict
}

// WorstPictures are up to most pictures with faults, the most faults first.
func WorstPictures(t Truth, found []Detection, most int) []PictureFaults {
	shown := slices.DeleteFunc(slices.Clone(found), func(d Detection) bool { return d.Score < ReportScore })
	groups, names := group(t.Annotations, shown), map[int]string{}
	for _, c := range t.Categories {
		names[c.ID] = c.Name
	}
	worst := []PictureFaults{}
	for _, im := range t.Images {
		p := PictureFaults{Image: im.ID, File: path.Base(im.File)}
		for _, c := range t.Categories {
			if g := groups[place{im.ID, c.ID}]; g != nil {
				p.add(g, names[c.ID])
			}
		}
		if p.Missed+p.Wrong > 0 {
			worst = append(worst, p)
		}
	}
	slices.SortStableFunc(worst, func(a, b PictureFaults) int { return cmp.Compare(b.Missed+b.Wrong, a.Missed+a.Wrong) })
	return worst[:min(len(worst), max(most, 0))]
}

// add adds one category's boxes of the picture.
func (p *PictureFaults) add(g *meeting, name string) {
	taken := make([]bool, len(g.truth))
	for d, f := range g.found {
		best, crowd := -1, false
		for i, a := range g.truth {
			if g.iou[d][i] < 0.5 {
				continue
			}
			if a.Crowd {
				crowd = true
			} else if !taken[i] && (best < 0 || g.iou[d][i] > g.iou[d][best]) {
				best = i
			}
		}
		switch {
		case best >= 0:
			taken[best] = true
			p.Right++
			p.Boxes = append(p.Boxes, FoundBox{f.BBox, name, f.Score, Right})
		case !crowd:
			p.Wrong++
			p.Boxes = append(p.Boxes, FoundBox{f.BBox, name, f.Score, Wrong})
		}
	}
	for i, a := range g.truth {
		if !taken[i] && !bool(a.Crowd) {
			p.Missed++
			p.Boxes = append(p.Boxes, FoundBox{a.BBox, name, 0, Missed})
		}
	}
}
