package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/visible"
)

// linkMode is a way to send a scene.
type linkMode struct {
	Name   string
	Folder string     // of its products, inside link/
	Set    func(*job) // what `canvas process` would be told; nil: nothing, which is what the demo itself runs
}

// linkModes are what the demo compares. The first is what the others are held against.
var linkModes = []linkMode{
	{"every tile, without loss", "everything", func(j *job) { j.keepEverything = true }},
	{"every tile, to within 0.0005", "precision", func(j *job) { j.keepEverything, j.cut.Precision = true, 0.0005 }},
	{"the default: no pixels of sure cloud", "", nil},
	{"the edge's masks where it is sure", "masks", func(j *job) { j.unsure = 0.1 }},
	{"the same, to within 0.0005", "masks-precision", func(j *job) { j.unsure, j.cut.Precision = 0.1, 0.0005 }},
}

// linkFolder is where products of the modes lie in the demo's folder.
const linkFolder = "link"

// linkLine is a mode's bytes and what came of them, an element of link.json.
type linkLine struct {
	Mode      string  `json:"mode"`
	Bytes     int64   `json:"bytes"`      // over the link
	Same      float64 `json:"same"`       // share of the pixels that have the class that they have with every tile sent
	CloudIoU  float64 `json:"cloud_iou"`  // against the truth
	ShadowIoU float64 `json:"shadow_iou"` // against the truth
	Unjudged  float64 `json:"unjudged"`   // share of the pixels that have no class
}

// linkReport is link.json: one simulated scene, sent in each mode.
type linkReport struct {
	Note  string     `json:"note"`
	Scene int64      `json:"scene_bytes"` // the file
	Modes []linkLine `json:"modes"`
}

// sending is the simulated scene, sent in each mode but the default, which the demo's main run sends.
type sending struct {
	out, truth string
	say        io.Writer
	bytes      map[string]int64 // by folder
}

// sendInModes runs the scene through the pipeline once for each mode, before the demo's main run.
func sendInModes(ctx context.Context, j job, scene, truth string) (*sending, error) {
	s := &sending{out: j.out, truth: truth, say: j.say, bytes: map[string]int64{}}
	for _, m := range linkModes {
		if m.Set == nil {
			continue
		}
		visible.Fprintf(j.say, "sending the simulated scene as: %s\n", m.Name)
		one := j
		one.out, one.scenes, one.echoes, one.videos, one.say = filepath.Join(j.out, linkFolder, m.Folder), []string{scene}, nil, nil, io.Discard
		one.log = slog.New(onlyErrors{j.log.Handler()}) // the main run warns of the same scene
		m.Set(&one)
		result, err := one.run(ctx)
		if err != nil {
			return nil, fmt.Errorf("the scene could not be sent as %q: %w", m.Name, err)
		}
		if len(result.Scenes) != 1 {
			return nil, fmt.Errorf("the scene, sent as %q, gave %d products in place of one", m.Name, len(result.Scenes))
		}
		s.bytes[m.Folder] = result.Scenes[0].Bytes.Uplinked
	}
	return s, nil
}

// onlyErrors leaves warnings out.
type onlyErrors struct{ slog.Handler }

func (h onlyErrors) Enabled(ctx context.Context, l slog.Level) bool {
	return l >= slog.LevelError && h.Handler.Enabled(ctx, l)
}

func (h onlyErrors) WithAttrs(a []slog.Attr) slog.Handler { return onlyErrors{h.Handler.WithAttrs(a)} }
func (h onlyErrors) WithGroup(n string) slog.Handler      { return onlyErrors{h.Handler.WithGroup(n)} }

// tell prints what each mode cost and gave, and writes link.json and link.svg.
func (s *sending) tell(main summary) error {
	r := linkReport{Note: "one simulated scene: clouds and shadows made up by this program"}
	for _, l := range main.Scenes {
		if l.ID == "simulated" {
			r.Scene, s.bytes[""] = l.Bytes.Scene, l.Bytes.Uplinked
		}
	}
	for _, m := range linkModes {
		mask := s.mask(m)
		like, err := compare(mask, s.mask(linkModes[0]))
		if err != nil {
			return err
		}
		right, err := compare(mask, s.truth)
		if err != nil {
			return err
		}
		r.Modes = append(r.Modes, linkLine{Mode: m.Name, Bytes: s.bytes[m.Folder], Same: share(like.right, like.pixels) / 100,
			CloudIoU: share(right.cloudBoth, right.cloudAny) / 100, ShadowIoU: share(right.shadowBoth, right.shadowAny) / 100,
			Unjudged: share(right.out, right.out+right.pixels) / 100})
	}
	r.table(s.say)
	visible.Fprintf(s.say, "look at  %s\n", filepath.Join(s.out, "link.svg"))
	return errors.Join(durable.WriteJSON(filepath.Join(s.out, "link.json"), r),
		os.WriteFile(filepath.Join(s.out, "link.svg"), []byte(r.svg()), 0o644))
}

// mask is a mode's product.
func (s *sending) mask(m linkMode) string {
	if m.Set == nil {
		return filepath.Join(s.out, "simulated", "mask.tif")
	}
	return filepath.Join(s.out, linkFolder, m.Folder, "simulated", "mask.tif")
}

func (r linkReport) table(w io.Writer) {
	visible.Fprintf(w, "\nThe simulated scene, a file of %.1f MB, over the link (quality of the pixels that have a class):\n", float64(r.Scene)/1e6)
	t := visible.NewTable(w)
	t.Printf("sent\tMB\tof the file\tas with every tile\tIoU of cloud\tof shadow\tnot judged\n")
	for _, l := range r.Modes {
		t.Printf("%s\t%.2f\t%.1f %%\t%.2f %%\t%.1f %%\t%.1f %%\t%.1f %%\n", l.Mode, float64(l.Bytes)/1e6, 100*float64(l.Bytes)/float64(max(r.Scene, 1)),
			100*l.Same, 100*l.CloudIoU, 100*l.ShadowIoU, 100*l.Unjudged)
	}
	t.Flush()
}
