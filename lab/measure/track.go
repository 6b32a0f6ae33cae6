package measure

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/visible"
)

// Track measures tracks of a simulated crowd, or of files as MOTChallenge has them.
type Track struct {
	Options
	Truth, Detections, Tracks []string // files; without labels the crowd is walked
	Crowd                     evaluate.Crowd
	Following                 detect.TrackConfig
}

// TrackReport is report.json.
type TrackReport struct {
	Crowd     *evaluate.Crowd  `json:"crowd,omitempty"` // where it was simulated
	Tracking  *trackSettings   `json:"tracking,omitempty"`
	Sequences []sequenceScores `json:"sequences,omitempty"` // where there are several
	evaluate.TrackScores
	Worst []worstObject `json:"worst"` // those with the most switches, then the most lost
}

// trackSettings is how the device's own tracking was set.
type trackSettings struct {
	MinScore float64 `json:"min_score"`
	Continue float64 `json:"continue"`
	MinIoU   float64 `json:"min_iou"`
	Confirm  int     `json:"confirm"`
	MaxGap   int     `json:"max_gap"`
}

// worstObject is an object of a sequence, which is named where there are several.
type worstObject struct {
	Sequence string `json:"sequence,omitempty"`
	evaluate.TrackedObject
}

type sequenceScores struct {
	Name string `json:"name"`
	evaluate.TrackScores
}

func (t Track) check() error {
	for _, b := range []struct {
		flag        string
		v, low, top float64
	}{
		{"objects", float64(t.Crowd.Objects), 1, 1000}, {"frames", float64(t.Crowd.Frames), 1, 100_000}, {"noise", t.Crowd.Noise, 0, 1},
		{"miss", t.Crowd.Miss, 0, 1}, {"false", t.Crowd.False, 0, 100},
		{"min-score", t.Following.MinScore, 0, 1}, {"continue", t.Following.Continue, 0, t.Following.MinScore}, {"min-iou", t.Following.MinIoU, 0, 1},
		{"confirm", float64(t.Following.Confirm), 1, 1000}, {"max-gap", float64(t.Following.MaxGap), 0, 10_000},
	} {
		if !(b.v >= b.low && b.v <= b.top) {
			return fmt.Errorf("--%s %v is not between %v and %v", b.flag, b.v, b.low, b.top)
		}
	}
	switch {
	case len(t.Detections) > 0 && len(t.Tracks) > 0:
		return errors.New("give --detections to have them followed, or --tracks to score them: not both")
	case len(t.Truth) == 0 && len(t.Detections)+len(t.Tracks) > 0:
		return errors.New("the labels are missing: give --truth gt.txt")
	case len(t.Truth) != len(t.Detections)+len(t.Tracks):
		return fmt.Errorf("%d files of labels, %d to score; give as many --detections or --tracks as --truth, in the same order", len(t.Truth), len(t.Detections)+len(t.Tracks))
	}
	return nil
}

// Run measures what the options name.
func (t Track) Run() error {
	if err := t.check(); err != nil {
		return mistake(err)
	}
	var report TrackReport
	if len(t.Tracks) == 0 {
		c := t.Following
		report.Tracking = &trackSettings{c.MinScore, c.Continue, c.MinIoU, c.Confirm, c.MaxGap}
	}
	sequences, err := t.sequences(&report)
	if err != nil {
		return err
	}
	var truth, found []evaluate.Sighting
	for i, s := range sequences {
		scores, objects, err := evaluate.Tracks(s.truth, s.found)
		if err != nil {
			return mistakef("%s: %w", s.name, err)
		}
		name := ""
		if report.TrackScores = scores; len(sequences) > 1 {
			name = s.name
			report.Sequences = append(report.Sequences, sequenceScores{name, scores})
			truth, found = append(truth, s.moved(s.truth, i)...), append(found, s.moved(s.found, i)...)
		}
		for _, o := range objects {
			report.Worst = append(report.Worst, worstObject{name, o})
		}
	}
	if len(sequences) > 1 {
		// One after another they are one long sequence: so TrackEval combines them.
		if report.TrackScores, _, err = evaluate.Tracks(truth, found); err != nil {
			return fmt.Errorf("all sequences together: %w", err)
		}
	}
	slices.SortStableFunc(report.Worst, func(a, b worstObject) int {
		return cmp.Or(b.Switches-a.Switches, (b.Labels-b.Found)-(a.Labels-a.Found))
	})
	report.Worst = report.Worst[:min(len(report.Worst), max(t.Options.Worst, 0))]
	if t.Out != "" {
		if err := errors.Join(report.draw(t.Out), t.write(sequences)); err != nil {
			return err
		}
	}
	return t.finish(report, report.table)
}

// write gives the files of what was scored, for other tools.
func (t Track) write(sequences []sequence) error {
	var failed error
	for _, s := range sequences {
		prefix := ""
		if len(sequences) > 1 {
			prefix = s.name + "_"
		}
		for name, all := range map[string][]evaluate.Sighting{"labels.txt": s.truth, "detections.txt": s.detections, "tracks.txt": s.found} {
			if len(all) == 0 {
				continue
			}
			var b strings.Builder
			evaluate.WriteMOT(&b, all)
			failed = errors.Join(failed, os.WriteFile(filepath.Join(t.Out, prefix+name), []byte(b.String()), 0o644))
		}
	}
	return failed
}

func (r TrackReport) table(w io.Writer) {
	if r.Crowd != nil {
		fmt.Fprintf(w, "a simulated crowd of %d, seed %d: noise %g, %g missed in full view, %g of nothing a frame\n", r.Crowd.Objects, r.Crowd.Seed, r.Crowd.Noise, r.Crowd.Miss, r.Crowd.False)
	}
	if s := r.Tracking; s != nil {
		fmt.Fprintf(w, "tracks begin at score %g and go on at %g, IoU %g, confirmed after %d frames, gone after %d\n", s.MinScore, s.Continue, s.MinIoU, s.Confirm, s.MaxGap)
	}
	fmt.Fprintf(w, "%d frames, %d objects (%d boxes), %d tracks (%d boxes)\n\n", r.Frames, r.Objects, r.Labels, r.Tracks, r.Boxes)
	t := visible.NewTable(w)
	t.Printf("HOTA\t%s\tIDF1\t%s\tMOTA\t%s\tid switches\t%d\n", figure(r.HOTA), figure(r.IDF1), signed(r.MOTA), r.Switches)
	t.Printf("DetA\t%s\tIDP\t%s\tMOTP\t%s\tmissed\t%d\n", figure(r.DetA), figure(r.IDP), figure(r.MOTP), r.Missed)
	t.Printf("AssA\t%s\tIDR\t%s\tmostly tracked\t%d\twrong\t%d\n", figure(r.AssA), figure(r.IDR), r.Mostly, r.Wrong)
	t.Printf("LocA\t%s\t\t\tmostly lost\t%d\tfragments\t%d\n", figure(r.LocA), r.Hardly, r.Breaks)
	if len(r.Sequences) > 0 {
		t.Printf("\nsequence\tHOTA\tIDF1\tMOTA\tid switches\n")
		for _, s := range r.Sequences {
			t.Printf("%s\t%s\t%s\t%s\t%d\n", s.Name, figure(s.HOTA), figure(s.IDF1), signed(s.MOTA), s.Switches)
		}
	}
	t.Flush()
	for i, o := range r.Worst {
		if i == 0 {
			fmt.Fprintln(w, "\nworst objects:")
		}
		fmt.Fprintf(w, "  %s (frames %d to %d): %d switches, found in %d of %d\n", o, o.First, o.Last, o.Switches, o.Found, o.Labels)
	}
}

func (o worstObject) String() string { return strings.TrimSpace(fmt.Sprint(o.Sequence, " ", o.ID)) }

// signed is a figure that may be below 0 and still be measured.
func signed(v float64) string { return fmt.Sprintf("%.3f", v) }
