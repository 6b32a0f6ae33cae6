package main

import (
	"context"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// Ways to send what the device's detector is in doubt of.
const (
	sendCrops    = "crops"
	sendPictures = "pictures"
	sendBoth     = "both"
)

func cascadeDetectCommand() *urfave.Command {
	snapshot := detect.DefaultConfig().Snapshot
	return &urfave.Command{
		Name: "detect", Usage: "detections are reported as they are; crops or whole pictures that are in doubt go to the cloud's model",
		Flags: cascadeFlags(
			&urfave.StringFlag{Name: "images", Required: true, Usage: "`DIR` of the pictures that the labels name"},
			&urfave.StringFlag{Name: "coco", Required: true, Usage: "labels, a COCO `FILE`"},
			&urfave.StringFlag{Name: "send", Value: sendBoth, Usage: "crops, pictures, or both one after the other"},
			&urfave.Float64Flag{Name: "low", Value: 0.1, Usage: "weaker detections are not worth a crop: they stay as they are"},
			&urfave.Float64Flag{Name: "margin", Value: snapshot.Margin, Usage: "how much more than the box a crop shows on each side, as a share of the box"},
			&urfave.IntFlag{Name: "quality", Value: snapshot.Quality, Usage: "of the JPEGs that crops and whole pictures are sent as, 1 to 100"}),
		Action: func(c *urfave.Context) error {
			k, err := newCascade(c)
			if err != nil {
				return err
			}
			d := detectCascade{cascade: k, send: c.String("send"), low: c.Float64("low"), snapshot: snapshot}
			d.snapshot.Margin, d.snapshot.Quality = c.Float64("margin"), c.Int("quality")
			if !(d.low >= 0 && d.low < 1) || !(d.snapshot.Margin >= 0 && d.snapshot.Margin <= 10) || d.snapshot.Quality < 1 || d.snapshot.Quality > 100 {
				return cli.Usagef("--low is a score from 0 to 1, --margin a share from 0 to 10, --quality 1 to 100")
			}
			if !slices.Contains([]string{sendCrops, sendPictures, sendBoth}, d.send) {
				return cli.Usagef("--send %s: use crops, pictures or both", d.send)
			}
			return d.run(c.Context, c.String("images"), c.String("coco"))
		},
	}
}

type detectCascade struct {
	cascade
	send         string
	low          float64
	snapshot     detect.Snapshot // as the device cuts and encodes
	small, large *infer.Network

	truth    evaluate.Truth
	pictures []doublySeen
	looks    []secondLook
	crops    []evaluate.Piece // of the looks
	all      int              // bytes of whole pictures
}

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
	report := cascadeReport{EdgeModel: d.edge, CloudModel: d.cloud, Figure: "AP", Doubt: "expected wrong decisions a KiB", AllBytes: d.all, Budget: d.budget}
	report.recommend(d.ways())
	return d.tell(report)
}

// ways measures the ways that were asked for. What the device says of its detections goes whatever
// is sent, and is not counted.
func (d *detectCascade) ways() (ways []way) {
	cloud := d.wholly()
	measure := func(send string, pieces []evaluate.Piece, quality func(float64) float64, settings func(from string) map[string]string) {
		if d.send != send && d.send != sendBoth {
			return
		}
		w := way{Send: send, Pieces: len(pieces), Cascade: evaluate.MeasureCascade(pieces, quality, cloud, d.all, d.budget, d.steps)}
		if w.Pays {
			w.Setting = settings(noMore(w.Chosen.Doubt))
			if d.snapshot.Quality != detect.DefaultConfig().Snapshot.Quality {
				w.Setting["detect.snapshot.quality"] = strconv.Itoa(d.snapshot.Quality)
			}
		}
		ways = append(ways, w)
	}
	measure(sendCrops, d.crops, d.cropsQuality, func(from string) map[string]string {
		set := map[string]string{"detect.second_look.crops": from, "detect.tracks.min_score": fmt.Sprintf("%g", d.low)}
		if d.snapshot.Margin != detect.DefaultConfig().Snapshot.Margin {
			set["detect.snapshot.margin"] = fmt.Sprintf("%g", d.snapshot.Margin)
		}
		return set
	})
	measure(sendPictures, d.pieces(), d.picturesQuality, func(from string) map[string]string {
		return map[string]string{"detect.second_look.pictures": from}
	})
	return ways
}

// noMore writes a limit with four digits, never more than it is: what it lets through still passes.
func noMore(limit float64) string {
	if limit <= 0 {
		return "0"
	}
	unit := math.Pow(10, math.Floor(math.Log10(limit))-3)
	return strconv.FormatFloat(math.Floor(limit/unit)*unit, 'g', 4, 64)
}

// picture lets both models see a picture, and the cloud's each doubtful crop of it.
func (d *detectCascade) picture(ctx context.Context, id int64, file string) error {
	im, err := readPicture(file)
	if err != nil {
		return err
	}
	whole, err := infer.EncodeJPEG(im, d.snapshot.Quality)
	if err != nil {
		return err
	}
	d.all += len(whole)
	heavy, err := d.detect(ctx, d.large, im)
	if err != nil {
		return err
	}
	boxes, err := d.detect(ctx, d.small, im)
	if err != nil {
		return err
	}
	d.pictures = append(d.pictures, doublySeen{bytes: len(whole), wrong: detect.ExpectedWrong(boxes), small: d.known(id, boxes), large: d.known(id, heavy)})
	if d.send == sendPictures {
		return nil
	}
	return d.cut(ctx, id, im, boxes)
}

func (d *detectCascade) detect(ctx context.Context, net *infer.Network, im vision.Image) ([]vision.Box, error) {
	out, err := net.Run(ctx, []vision.Image{im})
	if err != nil {
		return nil, err
	}
	return out[0].Boxes, nil
}

// known are the boxes of categories that the labels have.
func (d *detectCascade) known(id int64, boxes []vision.Box) (found []evaluate.Detection) {
	for _, b := range boxes {
		if category, ok := categoryOf(d.truth, b.Label); ok {
			found = append(found, evaluate.Detection{Image: id, Category: category, Score: float64(b.Score),
				BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}})
		}
	}
	return found
}

// ap is what such detections reach.
func (d *detectCascade) ap(found []evaluate.Detection) float64 {
	return max(evaluate.Detect(d.truth, found).AP, 0)
}
