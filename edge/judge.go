package edge

import (
	"cmp"
	"context"
	"image/png"
	"slices"

	"cloudcanvas/edge/capture"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/vision"
)

// judge says whether a tile is worth the link, with the mask that told it so, if there is one.
type judge interface {
	judge(ctx context.Context, im vision.Image) (screen.Verdict, *vision.Mask, error)
	name() (name, version string)
	bands() []string // that it needs
}

// spectralJudge screens by published tests on reflectance.
type spectralJudge struct{ rules screen.Config }

func (j spectralJudge) judge(_ context.Context, im vision.Image) (screen.Verdict, *vision.Mask, error) {
	return j.rules.Tile(im, nil, ""), nil, nil
}

func (j spectralJudge) name() (name, version string) { return Spectral, "" }

func (j spectralJudge) bands() []string { return nil }

// networkJudge screens by a small segmentation network.
type networkJudge struct {
	rules screen.Config
	net   guarded
}

func (j networkJudge) judge(ctx context.Context, im vision.Image) (screen.Verdict, *vision.Mask, error) {
	out, err := j.net.Run(ctx, []vision.Image{im})
	if err != nil {
		return screen.Verdict{}, nil, err
	}
	name, _ := j.name()
	return j.rules.Tile(im, &out[0].Mask, name), &out[0].Mask, nil
}

func (j networkJudge) name() (name, version string) { return j.net.model.Name, j.net.model.Version }

func (j networkJudge) bands() []string { return j.net.model.Input.Bands }

// choice says who judges a scene with these bands.
type choice func(bands []string) judge

// always is a choice of one.
func always(j judge) choice { return func([]string) judge { return j } }

// fitting is the first judge that finds all its bands among these; where none does the last one, which
// then says what it lacks.
func fitting(judges []judge, bands []string) judge {
	for _, j := range judges {
		if !slices.ContainsFunc(j.bands(), func(b string) bool { return !slices.Contains(bands, b) }) {
			return j
		}
	}
	return judges[len(judges)-1]
}

// tileDraft is a tile as an item; how urgent it is and what it is worth are for others to say.
func tileDraft(p capture.Picture, want string, data []byte) outbox.Draft {
	level := ""
	if p.Scene != nil {
		level = p.Scene.Level
	}
	return outbox.Draft{Kind: event.Tile, Stream: p.Stream, Subject: p.Stream + "/" + p.Tile.Name(), Time: p.At,
		Attrs: event.Attrs{Scene: p.Stream, Tile: p.Tile.Name(), Want: cmp.Or(want, "segment"), Level: level},
		Type:  "image/tiff; application=geotiff", Data: data}
}

// maskDraft is what the device saw in a tile as an item, as a worker of the cloud makes it. It leaves
// the doubts out: it is sent where there are few, and weighs a few percent without them.
func maskDraft(p capture.Picture, mask *vision.Mask, j judge) (outbox.Draft, error) {
	data, err := vision.EncodeProbabilities(mask.Sure(), png.BestCompression)
	d := tileDraft(p, "segment", data)
	d.Kind, d.Rung, d.Type = event.Result, event.RungMask, "image/png"
	d.Attrs.Model, d.Attrs.ModelVersion = j.name()
	return d, err
}
