package main

import (
	"context"
	"fmt"
	"os"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/shared/evaluate"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

func cascadeDetectCommand() *urfave.Command {
	return &urfave.Command{
		Name: "detect", Usage: "sure detections are reported as they are, doubtful ones go as crops to the cloud's model",
		Flags: cascadeFlags(
			&urfave.StringFlag{Name: "images", Required: true, Usage: "`DIR` of the pictures that the labels name"},
			&urfave.StringFlag{Name: "coco", Required: true, Usage: "labels, a COCO `FILE`"},
			&urfave.Float64Flag{Name: "low", Value: 0.1, Usage: "weaker detections are not worth a second look: they stay as they are"},
			&urfave.Float64Flag{Name: "margin", Value: 0.5, Usage: "how much more than the box a crop shows on each side, as a share of the box"},
			&urfave.IntFlag{Name: "quality", Value: 85, Usage: "of the JPEGs that crops and whole pictures are sent as, 1 to 100"}),
		Action: func(c *urfave.Context) error {
			k, err := newCascade(c)
			if err != nil {
				return err
			}
			d := detectCascade{cascade: k, low: c.Float64("low"), margin: c.Float64("margin"), jpeg: c.Int("quality")}
			if !(d.low >= 0 && d.low < 1) || !(d.margin >= 0 && d.margin <= 10) || d.jpeg < 1 || d.jpeg > 100 {
				return cli.Usagef("--low is a score from 0 to 1, --margin a share from 0 to 10, --quality 1 to 100")
			}
			return d.run(c.Context, c.String("images"), c.String("coco"))
		},
	}
}

type detectCascade struct {
	cascade
	low, margin  float64
	jpeg         int
	small, large *infer.Network

	truth  evaluate.Truth
	sure   []evaluate.Detection // too weak for a second look
	looks  []secondLook
	heavy  []evaluate.Detection // of the cloud's model on whole pictures
	pieces []evaluate.Piece
	all    int // bytes of whole pictures
}

// secondLook is a detection of the device's and what the cloud's model says of its crop.
type secondLook struct {
	first   evaluate.Detection
	verdict *evaluate.Detection // nil: nothing is there
}

// said is what a detection weighs that goes without its crop.
const said = 100

// sameObject is the overlap from which on two boxes are of one object.
const sameObject = 0.5

func (d *detectCascade) run(ctx context.Context, images, coco string) error {
	data, err := os.ReadFile(coco)
	if err != nil {
		return cli.Usagef("the labels can't be read: %w", err)
	}
	if d.truth, err = evaluate.ParseTruth(data); err != nil {
		return cli.Usagef("labels %s: %w", coco, err)
	}
	files, err := findPictures(images, d.truth.Images)
	if err != nil {
		return cli.Usage(err)
	}
	for _, side := range []struct {
		to   **infer.Network
		name string
	}{{&d.small, d.edge}, {&d.large, d.cloud}} {
		net, m, _, err := d.of(side.name).open(ctx, model.Detect)
		if err != nil {
			return err
		}
		defer net.Close()
		if !knowsAny(d.truth, m.Output.Labels) {
			return cli.Usagef("model %s knows none of the categories of the labels (%s)", m.Name, categoryNames(d.truth))
		}
		*side.to = net
	}
	for _, im := range d.truth.Images {
		if err := d.picture(ctx, im.ID, files[im.ID]); err != nil {
			return fmt.Errorf("%s: %w", im.File, err)
		}
	}
	cloud := max(evaluate.Detect(d.truth, d.heavy).AP, 0)
	report := cascadeReport{EdgeModel: d.edge, CloudModel: d.cloud, Figure: "AP", Pieces: len(d.pieces), AllBytes: d.all, Budget: d.budget,
		Cascade: evaluate.MeasureCascade(d.pieces, d.quality, cloud, d.all, d.budget, d.steps)}
	if report.Pays {
		report.Setting = map[string]string{"second look at scores": fmt.Sprintf("%.3f to %.3f", d.low, 1-report.Chosen.Doubt)}
	}
	return d.tell(report)
}

// quality is AP where detections from that doubt on have had a second look.
func (d *detectCascade) quality(doubt float64) float64 {
	found := append([]evaluate.Detection(nil), d.sure...)
	for i, look := range d.looks {
		switch {
		case d.pieces[i].Doubt < doubt:
			found = append(found, look.first)
		case look.verdict != nil:
			found = append(found, *look.verdict)
		}
	}
	return max(evaluate.Detect(d.truth, found).AP, 0)
}

// picture lets the device's model see a picture, and the cloud's all of it and each doubtful crop.
func (d *detectCascade) picture(ctx context.Context, id int64, file string) error {
	im, err := readPicture(file)
	if err != nil {
		return err
	}
	whole, err := infer.EncodeJPEG(im, d.jpeg)
	if err != nil {
		return err
	}
	d.all += len(whole)
	seen, err := d.detect(ctx, d.large, id, im)
	if err != nil {
		return err
	}
	d.heavy = append(d.heavy, seen...)
	if seen, err = d.detect(ctx, d.small, id, im); err != nil {
		return err
	}
	for _, first := range seen {
		if first.Score < d.low {
			d.sure = append(d.sure, first)
			continue
		}
		crop, x, y := cropOf(im, first.BBox, d.margin)
		jpeg, err := infer.EncodeJPEG(crop, d.jpeg)
		if err != nil {
			return err
		}
		again, err := d.detect(ctx, d.large, id, crop)
		if err != nil {
			return err
		}
		d.looks = append(d.looks, secondLook{first, judgeAgain(first, again, x, y)})
		d.pieces = append(d.pieces, evaluate.Piece{Doubt: 1 - first.Score, Small: said, Large: said + len(jpeg)})
	}
	return nil
}

func (d *detectCascade) detect(ctx context.Context, net *infer.Network, id int64, im vision.Image) (found []evaluate.Detection, err error) {
	out, err := net.Run(ctx, []vision.Image{im})
	if err != nil {
		return nil, err
	}
	for _, b := range out[0].Boxes {
		if category, ok := categoryOf(d.truth, b.Label); ok {
			found = append(found, evaluate.Detection{Image: id, Category: category, Score: float64(b.Score),
				BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}})
		}
	}
	return found, nil
}

// judgeAgain is the best that the cloud's model found of the same kind at the same place; x and y are
// the crop's corner in the picture.
func judgeAgain(first evaluate.Detection, again []evaluate.Detection, x, y int) (best *evaluate.Detection) {
	for _, a := range again {
		a.BBox[0] += float64(x)
		a.BBox[1] += float64(y)
		if a.Category == first.Category && vision.IoU(boxOf(a), boxOf(first)) >= sameObject && (best == nil || a.Score > best.Score) {
			best = &a
		}
	}
	return best
}

func boxOf(d evaluate.Detection) vision.Box {
	return vision.Box{X: float32(d.BBox[0]), Y: float32(d.BBox[1]), W: float32(d.BBox[2]), H: float32(d.BBox[3])}
}

// cropOf cuts a box with a margin out of a picture; x and y are its corner there.
func cropOf(im vision.Image, box [4]float64, margin float64) (crop vision.Image, x, y int) {
	clamp := func(v float64, most int) int { return min(max(int(v), 0), most) }
	x, y = clamp(box[0]-margin*box[2], im.W-1), clamp(box[1]-margin*box[3], im.H-1)
	right, bottom := max(clamp(box[0]+(1+margin)*box[2]+1, im.W), x+1), max(clamp(box[1]+(1+margin)*box[3]+1, im.H), y+1)
	crop = vision.Image{W: right - x, H: bottom - y}
	for row := y; row < bottom; row++ {
		crop.Pix = append(crop.Pix, im.Pix[3*(row*im.W+x):3*(row*im.W+right)]...)
	}
	return crop, x, y
}
