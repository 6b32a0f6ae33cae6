package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/visible"
)

func evalTrackCommand() *urfave.Command {
	crowd, tracks := evaluate.DefaultCrowd(), detect.DefaultConfig().Tracks
	return &urfave.Command{
		Name: "track", Usage: "HOTA, IDF1, MOTA and id switches of tracks, as TrackEval counts them: on a simulated crowd, or on MOTChallenge's files",
		Flags: reportFlags(
			&urfave.StringSliceFlag{Name: "truth", Usage: "labels, MOTChallenge's gt.txt; none: a simulated crowd; may be given again; `FILE`"},
			&urfave.StringSliceFlag{Name: "detections", Usage: "of the same frames, det.txt: the device's own tracking follows them; `FILE`"},
			&urfave.StringSliceFlag{Name: "tracks", Usage: "score these tracks instead, of any tracker; `FILE`"},
			&urfave.IntFlag{Name: "objects", Value: crowd.Objects, Usage: "people of the simulation, at once"},
			&urfave.IntFlag{Name: "frames", Value: crowd.Frames, Usage: "frames of the simulation"},
			&urfave.Uint64Flag{Name: "seed", Value: crowd.Seed, Usage: "the same seed is the same crowd"},
			&urfave.Float64Flag{Name: "noise", Value: crowd.Noise, Usage: "of simulated boxes, in shares of their sides"},
			&urfave.Float64Flag{Name: "miss", Value: crowd.Miss, Usage: "share of people in full view that the simulated detector does not see"},
			&urfave.Float64Flag{Name: "false", Value: crowd.False, Usage: "simulated detections of nothing, a frame"},
			&urfave.Float64Flag{Name: "min-score", Value: 0.3, Usage: "a track begins with such a detection"},
			&urfave.Float64Flag{Name: "continue", Value: 0.15, Usage: "and goes on with such a one"},
			&urfave.Float64Flag{Name: "min-iou", Value: tracks.MinIoU, Usage: "between where an object is expected and where it is seen"},
			&urfave.IntFlag{Name: "confirm", Value: tracks.Confirm, Usage: "frames in which it is seen before it counts"},
			&urfave.IntFlag{Name: "max-gap", Value: tracks.MaxGap, Usage: "frames in which it is not seen before it is gone"}),
		Action: func(c *urfave.Context) error {
			m, err := newMeasure(c)
			if err != nil {
				return err
			}
			tracks.MinScore, tracks.Continue, tracks.MinIoU = c.Float64("min-score"), c.Float64("continue"), c.Float64("min-iou")
			tracks.Confirm, tracks.MaxGap = c.Int("confirm"), c.Int("max-gap")
			t := trackMeasure{measure: m, truth: c.StringSlice("truth"), detections: c.StringSlice("detections"), tracks: c.StringSlice("tracks"), config: tracks,
				crowd: evaluate.Crowd{Objects: c.Int("objects"), Frames: c.Int("frames"), Width: crowd.Width, Height: crowd.Height,
					Noise: c.Float64("noise"), Miss: c.Float64("miss"), False: c.Float64("false"), Seed: c.Uint64("seed")}}
			if err := t.check(); err != nil {
				return cli.Usage(err)
			}
			return t.run()
		},
	}
}

type trackMeasure struct {
	measure
	truth, detections, tracks []string
	crowd                     evaluate.Crowd
	config                    detect.TrackConfig
}

// trackReport is report.json.
type trackReport struct {
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

func (t trackMeasure) check() error {
	for _, b := range []struct {
		flag        string
		v, low, top float64
	}{
		{"objects", float64(t.crowd.Objects), 1, 1000}, {"frames", float64(t.crowd.Frames), 1, 100_000}, {"noise", t.crowd.Noise, 0, 1},
		{"miss", t.crowd.Miss, 0, 1}, {"false", t.crowd.False, 0, 100},
		{"min-score", t.config.MinScore, 0, 1}, {"continue", t.config.Continue, 0, t.config.MinScore}, {"min-iou", t.config.MinIoU, 0, 1},
		{"confirm", float64(t.config.Confirm), 1, 1000}, {"max-gap", float64(t.config.MaxGap), 0, 10_000},
	} {
		if !(b.v >= b.low && b.v <= b.top) {
			return fmt.Errorf("--%s %v is not between %v and %v", b.flag, b.v, b.low, b.top)
		}
	}
	switch {
	case len(t.detections) > 0 && len(t.tracks) > 0:
		return errors.New("give --detections to have them followed, or --tracks to score them: not both")
	case len(t.truth) == 0 && len(t.detections)+len(t.tracks) > 0:
		return errors.New("the labels are missing: give --truth gt.txt")
	case len(t.truth) != len(t.detections)+len(t.tracks):
		return fmt.Errorf("%d files of labels, %d to score; give as many --detections or --tracks as --truth, in the same order", len(t.truth), len(t.detections)+len(t.tracks))
	}
	return nil
}

func (t trackMeasure) run() error {
	var report trackReport
	if len(t.tracks) == 0 {
		c := t.config
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
			return cli.Usagef("%s: %w", s.name, err)
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
	report.Worst = report.Worst[:min(len(report.Worst), max(t.worst, 0))]
	if t.out != "" {
		if err := errors.Join(report.draw(t.out), t.write(sequences)); err != nil {
			return err
		}
	}
	return t.finish(report, report.table)
}

// write gives the files of what was scored, for other tools.
func (t trackMeasure) write(sequences []sequence) error {
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
			failed = errors.Join(failed, os.WriteFile(filepath.Join(t.out, prefix+name), []byte(b.String()), 0o644))
		}
	}
	return failed
}

func (r trackReport) table(w io.Writer) {
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
