package measure

import (
	"context"
	"fmt"
	"math"
	"os"
	"strconv"

	"cloudcanvas/edge/detect"
	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// Ways to send what the device's detector is in doubt of.
const (
	SendCrops    = "crops"
	SendPictures = "pictures"
	SendBoth     = "both"
)

// CascadeDetect reports detections as they are and sends crops or whole pictures that are in doubt.
type CascadeDetect struct {
	Cascade
	Send     string          // SendCrops, SendPictures or SendBoth
	Low      float64         // weaker detections are not worth a crop
	Snapshot detect.Snapshot // as the device cuts
	Quality  int             // of the JPEGs that the cloud's model sees

	small, large *infer.Network

	truth    evaluate.Truth
	pictures []doublySeen
	looks    []secondLook
	crops    []evaluate.Piece // of the looks
	all      int              // bytes of whole pictures
}

// Run measures both models over pictures with COCO labels.
func (d *CascadeDetect) Run(ctx context.Context, images, coco string) error {
	data, err := os.ReadFile(coco)
	if err != nil {
		return mistakef("the labels can't be read: %w", err)
	}
	if d.truth, err = evaluate.ParseTruth(data); err != nil {
		return mistakef("labels %s: %w", coco, err)
	}
	files, err := findPictures(images, d.truth.Images)
	if err != nil {
		return mistake(err)
	}
	for _, side := range []struct {
		to   **infer.Network
		name string
	}{{&d.small, d.Edge}, {&d.large, d.Cloud}} {
		net, m, _, err := d.Open(ctx, side.name, model.Detect)
		if err != nil {
			return err
		}
		defer net.Close()
		if !knowsAny(d.truth, m.Output.Labels) {
			return mistakef("model %s knows none of the categories of the labels (%s)", m.Name, categoryNames(d.truth))
		}
		*side.to = net
	}
	for _, im := range d.truth.Images {
		if err := d.picture(ctx, im.ID, files[im.ID]); err != nil {
			return fmt.Errorf("%s: %w", im.File, err)
		}
	}
	report := CascadeReport{EdgeModel: d.Edge, CloudModel: d.Cloud, Figure: "AP", Doubt: "expected wrong decisions a KiB", AllBytes: d.all, Budget: d.Budget}
	report.recommend(d.ways())
	return d.tell(report)
}

// ways measures the ways that were asked for. What the device says of its detections goes whatever
// is sent, and is not counted.
func (d *CascadeDetect) ways() (ways []Way) {
	cloud := d.wholly()
	measure := func(send string, pieces []evaluate.Piece, quality func(float64) float64, settings func(from string) map[string]string) {
		if d.Send != send && d.Send != SendBoth {
			return
		}
		w := Way{Send: send, Pieces: len(pieces), Cascade: evaluate.MeasureCascade(pieces, quality, cloud, d.all, d.Budget, d.Steps)}
		if w.Pays {
			w.Setting = settings(noMore(w.Chosen.Doubt))
			if d.Quality != detect.DefaultConfig().Second.Quality {
				w.Setting["detect.second_look.quality"] = strconv.Itoa(d.Quality)
			}
		}
		ways = append(ways, w)
	}
	measure(SendCrops, d.crops, d.cropsQuality, func(from string) map[string]string {
		set := map[string]string{"detect.second_look.crops": from, "detect.tracks.min_score": fmt.Sprintf("%g", d.Low)}
		if d.Snapshot.Margin != detect.DefaultConfig().Snapshot.Margin {
			set["detect.snapshot.margin"] = fmt.Sprintf("%g", d.Snapshot.Margin)
		}
		return set
	})
	measure(SendPictures, d.pieces(), d.picturesQuality, func(from string) map[string]string {
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
func (d *CascadeDetect) picture(ctx context.Context, id int64, file string) error {
	im, err := readPicture(file)
	if err != nil {
		return err
	}
	heavy, bytes, err := d.overTheLink(ctx, im)
	if err != nil {
		return err
	}
	d.all += bytes
	boxes, err := d.detect(ctx, d.small, im)
	if err != nil {
		return err
	}
	d.pictures = append(d.pictures, doublySeen{bytes: bytes, wrong: detect.ExpectedWrong(boxes), small: d.known(id, boxes), large: d.known(id, heavy)})
	if d.Send == SendPictures {
		return nil
	}
	return d.cut(ctx, id, im, boxes)
}

// overTheLink is what the cloud's model finds in a picture that came as a JPEG, and the JPEG's bytes.
func (d *CascadeDetect) overTheLink(ctx context.Context, im vision.Image) (found []vision.Box, bytes int, err error) {
	jpeg, err := infer.EncodeJPEG(im, d.Quality)
	if err != nil {
		return nil, 0, err
	}
	seen, err := infer.DecodeImage(jpeg, im.W*im.H)
	if err != nil {
		return nil, 0, err
	}
	found, err = d.detect(ctx, d.large, seen)
	return found, len(jpeg), err
}

func (d *CascadeDetect) detect(ctx context.Context, net *infer.Network, im vision.Image) ([]vision.Box, error) {
	out, err := net.Run(ctx, []vision.Image{im})
	if err != nil {
		return nil, err
	}
	return out[0].Boxes, nil
}

// known are the boxes of categories that the labels have.
func (d *CascadeDetect) known(id int64, boxes []vision.Box) (found []evaluate.Detection) {
	for _, b := range boxes {
		if category, ok := categoryOf(d.truth, b.Label); ok {
			found = append(found, evaluate.Detection{Image: id, Category: category, Score: float64(b.Score),
				BBox: [4]float64{float64(b.X), float64(b.Y), float64(b.W), float64(b.H)}})
		}
	}
	return found
}

// ap is what such detections reach.
func (d *CascadeDetect) ap(found []evaluate.Detection) float64 {
	return max(evaluate.Detect(d.truth, found).AP, 0)
}
