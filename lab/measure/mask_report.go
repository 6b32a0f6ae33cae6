package measure

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/visible"
	"cloudcanvas/shared/vision"
)

// maskReport is report.json.
type maskReport struct {
	Model  string                 `json:"model,omitempty"`
	Engine string                 `json:"engine,omitempty"`
	Device string                 `json:"device,omitempty"`
	All    evaluate.MaskScores    `json:"all"`
	Scenes []sceneScores          `json:"scenes"`
	Tiles  evaluate.TileDecisions `json:"tiles"`
}

type sceneScores struct {
	Scene string `json:"scene"`
	Model string `json:"model,omitempty"` // that made its mask, of several
	evaluate.MaskScores
}

// tileFaults is a tile with its wrong pixels.
type tileFaults struct {
	name        string
	wrong       int64
	w, h        int
	truth, mask []byte
}

// remember keeps the worst tiles.
func (k *Mask) remember(t tileFaults) {
	if k.Out == "" || t.wrong == 0 {
		return
	}
	k.worst = append(k.worst, t)
	slices.SortStableFunc(k.worst, func(a, b tileFaults) int { return cmp.Compare(b.wrong, a.wrong) })
	k.worst = k.worst[:min(len(k.worst), max(k.Options.Worst, 0))]
}

// picture draws the worst tiles: white is cloud that was found, black is clear, red is clear taken
// for cloud, blue is cloud that was missed, gray does not count.
func (k *Mask) picture() error {
	for n, t := range k.worst {
		im := vision.Image{W: t.w, H: t.h}
		for i := range t.truth {
			var one evaluate.Confusion
			one.Add(&k.Legend, t.truth[i:i+1], t.mask[i:i+1])
			counted, cloud := one.Scores().Pixels > 0, t.mask[i] == vision.Cloud
			colour := [3]byte{}
			switch wrong := one.Errors() > 0; {
			case !counted:
				colour = [3]byte{128, 128, 128}
			case wrong && cloud:
				colour = [3]byte{60, 60, 230} // blue, green, red
			case wrong:
				colour = [3]byte{230, 120, 40}
			case cloud:
				colour = [3]byte{255, 255, 255}
			}
			im.Pix = append(im.Pix, colour[:]...)
		}
		png, err := infer.EncodePNG(im)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(k.Out, fmt.Sprintf("worst_%02d.png", n+1)), png, 0o644); err != nil {
			return fmt.Errorf("write the picture of %s: %w", t.name, err)
		}
	}
	return nil
}

func (r maskReport) table(w io.Writer) {
	if r.Engine != "" {
		fmt.Fprintf(w, "%s on %s (%s)\n", r.Model, r.Engine, r.Device)
	} else if r.Model != "" {
		fmt.Fprintf(w, "the rule %s\n", r.Model)
	}
	fmt.Fprintf(w, "%d labelled pixels compared, %d not judged in the mask, %d without data in it\n\n", r.All.Pixels, r.All.NotJudged, r.All.Undecided-r.All.NotJudged)
	t := visible.NewTable(w)
	t.Printf("class\tpixels\tIoU\tF1\tprecision\trecall\n")
	for _, c := range r.All.Classes {
		t.Printf("%s\t%d\t%s\t%s\t%s\t%s\n", c.Class, c.Pixels, figure(c.IoU), figure(c.F1), figure(c.Precision), figure(c.Recall))
	}
	t.Printf("\naccuracy\t%s\tcloud or not\t%s\n", figure(r.All.Accuracy), figure(r.All.CloudAccuracy))
	t.Printf("thin cloud found\t%s\tother cloud found\t%s\n", figure(r.All.ThinFound), figure(r.All.ThickFound))
	t.Printf("snow taken for cloud\t%s\tother ground taken for cloud\t%s\n\n", figure(r.All.SnowAsCloud), figure(r.All.ClearAsCloud))
	t.Printf("scene\tIoU of cloud\tF1\taccuracy\tmask by\n")
	for _, s := range r.Scenes {
		t.Printf("%s\t%s\t%s\t%s\t%s\n", s.Scene, figure(s.Classes[2].IoU), figure(s.Classes[2].F1), figure(s.Accuracy), cmp.Or(s.Model, "-"))
	}
	t.Flush()
	fmt.Fprintf(w, "\n%d tiles, to be dropped above %g cloud: %d rightly dropped, %d rightly sent, %d wrongly lost, %d wrongly sent\n",
		r.Tiles.Tiles, r.Tiles.MaxCloud, r.Tiles.Dropped, r.Tiles.Sent, r.Tiles.WronglyLost, r.Tiles.WronglySent)
}
