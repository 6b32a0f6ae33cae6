package measure

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/durable"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

// Detect measures a detector, or detections made before, on pictures with COCO labels.
type Detect struct {
	Options
	Images  string // their folder
	Coco    string // file of the labels
	Results string // file of detections; empty: the model makes them
}

// DetectReport is report.json.
type DetectReport struct {
	Model      string  `json:"model,omitempty"`
	Engine     string  `json:"engine,omitempty"`
	Device     string  `json:"device,omitempty"`
	ScoreFloor float64 `json:"score_floor,omitempty"` // no weaker detection was made
	Images     int     `json:"images"`
	Objects    int     `json:"objects"`
	Detections int     `json:"detections"`
	evaluate.DetectScores
	Worst []evaluate.PictureFaults `json:"worst"`
}

// Run measures the model, or the detections.
func (d Detect) Run(ctx context.Context) error {
	data, err := os.ReadFile(d.Coco)
	if err != nil {
		return mistakef("the labels can't be read: %w", err)
	}
	truth, err := evaluate.ParseTruth(data)
	if err != nil {
		return mistakef("labels %s: %w", d.Coco, err)
	}
	if d.Images == "" && (d.Results == "" || d.Out != "") {
		return mistakef("the pictures are missing: give --images DIR")
	}
	var files map[int64]string
	if d.Images != "" {
		if files, err = findPictures(d.Images, truth.Images); err != nil {
			return mistake(err)
		}
	}
	var report DetectReport
	var found []evaluate.Detection
	if d.Results != "" {
		if data, err = os.ReadFile(d.Results); err != nil {
			return mistakef("the results can't be read: %w", err)
		}
		if found, err = evaluate.ParseDetections(data, truth); err != nil {
			return mistakef("results %s: %w", d.Results, err)
		}
	} else if found, err = d.detect(ctx, truth, files, &report); err != nil {
		return err
	}
	report.Images, report.Objects, report.Detections = len(truth.Images), len(truth.Annotations), len(found)
	report.DetectScores = evaluate.Detect(truth, found)
	report.Worst = evaluate.WorstPictures(truth, found, d.Options.Worst)
	if d.Out != "" {
		if err := errors.Join(d.picture(files, report.Worst), durable.WriteJSON(filepath.Join(d.Out, "detections.json"), found)); err != nil {
			return err
		}
	}
	return d.finish(report, report.table)
}

// detect runs the model over the pictures of the labels.
func (d Detect) detect(ctx context.Context, truth evaluate.Truth, files map[int64]string, report *DetectReport) ([]evaluate.Detection, error) {
	net, m, opened, err := d.Open(ctx, d.Model, model.Detect)
	if err != nil {
		return nil, err
	}
	defer net.Close()
	report.Model, report.Engine, report.Device, report.ScoreFloor = m.Name, opened.Engine, opened.Device, m.Output.ScoreFloor
	if !knowsAny(truth, m.Output.Labels) {
		return nil, mistakef("model %s knows none of the categories of the labels (%s); choose another --model, or give the categories its names",
			m.Name, categoryNames(truth))
	}
	var found []evaluate.Detection
	for _, im := range truth.Images {
		picture, err := readPicture(files[im.ID])
		if err != nil {
			return nil, err
		}
		out, err := net.Run(ctx, []vision.Image{picture})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", im.File, err)
		}
		for _, b := range out[0].Boxes {
			if category, ok := categoryOf(truth, b.Label); ok {
				found = append(found, evaluate.Detection{Image: im.ID, Category: category, Score: float64(b.Score),
					BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}})
			}
		}
	}
	return found, nil
}

// categoryOf finds the labels' category for a model's label: of the same name, or of another name
// that lists of COCO's labels have for it.
func categoryOf(t evaluate.Truth, label string) (int, bool) {
	if id, ok := t.CategoryOf(label); ok {
		return id, true
	}
	if id, ok := vision.COCOID(label); ok {
		for _, c := range t.Categories {
			if other, ok := vision.COCOID(strings.ToLower(c.Name)); ok && other == id {
				return c.ID, true
			}
		}
	}
	return 0, false
}

func knowsAny(t evaluate.Truth, labels []string) bool {
	for _, l := range labels {
		if _, ok := categoryOf(t, l); ok {
			return true
		}
	}
	return false
}

func categoryNames(t evaluate.Truth) string {
	var names []string
	for _, c := range t.Categories[:min(len(t.Categories), 10)] {
		names = append(names, c.Name)
	}
	return strings.Join(names, ", ")
}

// picture draws what was missed and what is wrong in the worst pictures.
func (d Detect) picture(files map[int64]string, worst []evaluate.PictureFaults) error {
	var failed error
	for n, w := range worst {
		im, err := readPicture(files[w.Image])
		if err != nil {
			return err
		}
		var boxes []vision.Box
		for _, f := range w.Boxes {
			boxes = append(boxes, vision.Box{X: float32(f.BBox[0]), Y: float32(f.BBox[1]), W: float32(f.BBox[2]), H: float32(f.BBox[3]),
				Score: float32(f.Score), Class: int(f.Verdict), Label: f.Verdict.String() + " " + f.Name})
		}
		drawn, err := infer.Annotate(im, boxes, nil)
		if err != nil {
			return err
		}
		jpeg, err := infer.EncodeJPEG(drawn, 90)
		if err != nil {
			return err
		}
		name := fmt.Sprintf("worst_%02d_%s.jpg", n+1, strings.TrimSuffix(filepath.Base(files[w.Image]), filepath.Ext(files[w.Image])))
		failed = errors.Join(failed, os.WriteFile(filepath.Join(d.Out, name), jpeg, 0o644))
	}
	return failed
}

func (r DetectReport) table(w io.Writer) {
	if r.Model != "" {
		fmt.Fprintf(w, "%s on %s (%s), detections from score %g on\n", r.Model, r.Engine, r.Device, r.ScoreFloor)
	}
	fmt.Fprintf(w, "%d pictures, %d labelled objects, %d detections\n\n", r.Images, r.Objects, r.Detections)
	t := visible.NewTable(w)
	t.Printf("AP\t%s\tsmall\t%s\tAR of 1\t%s\n", figure(r.AP), figure(r.APSmall), figure(r.AR1))
	t.Printf("AP50\t%s\tmedium\t%s\tAR of 10\t%s\n", figure(r.AP50), figure(r.APMedium), figure(r.AR10))
	t.Printf("AP75\t%s\tlarge\t%s\tAR of 100\t%s\n\n", figure(r.AP75), figure(r.APLarge), figure(r.AR100))
	t.Printf("category\tobjects\tAP\tAP50\tAR of 100\n")
	for _, c := range r.Categories {
		t.Printf("%s\t%d\t%s\t%s\t%s\n", c.Name, c.Objects, figure(c.AP), figure(c.AP50), figure(c.AR100))
	}
	t.Flush()
	for i, p := range r.Worst {
		if i == 0 {
			fmt.Fprintf(w, "\nworst pictures, at IoU 0.5 and score %g:\n", evaluate.ReportScore)
		}
		fmt.Fprintf(w, "  %s: %d missed, %d wrong, %d right\n", p.File, p.Missed, p.Wrong, p.Right)
	}
}
