package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"cloudcanvas/cloud/feed"
	"cloudcanvas/edge"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/infer"
	"cloudcanvas/shared/pictures/album"
)

// sending is one file on its way.
type sending struct {
	*submission
	mark  feed.Mark
	items atomic.Int64
	bytes atomic.Int64
	left  string // what of an image's file was not taken
}

func (s *sending) put(ctx context.Context, d outbox.Draft) error {
	i := event.Item{ID: s.mark.ID(d.Key), Edge: s.by, Kind: d.Kind, Stream: d.Stream, Subject: d.Subject, Time: d.Time.UTC(),
		Priority: event.Low, Attrs: d.Attrs, Type: d.Type, SHA256: event.Sum(d.Data), Data: d.Data}
	if err := i.Check(); err != nil {
		return err
	}
	if err := s.feeder.Put(ctx, i); err != nil {
		return err
	}
	s.items.Add(1)
	s.bytes.Add(int64(len(d.Data)))
	return nil
}

// scene cuts a scene as a device does. Only tiles without data are left out: there is no thin link.
func (s *sending) scene(ctx context.Context, f storedFile) error {
	id := strings.TrimSuffix(path.Base(f.name), path.Ext(f.name))
	if other := s.names[id]; other != "" {
		return fmt.Errorf("its product would be named %s, as that of %s: rename one of them", id, other)
	}
	s.names[id] = f.name
	rules := screen.DefaultConfig()
	rules.Scenes.CloudDrop = 2 // no share reaches it
	return edge.Cut(ctx, f.path, id, s.mark.Key(), s.options, rules, s.put, noLog)
}

// maxImage bounds an image file, maxPixels what it may unfold to.
const (
	maxImage  = 64 << 20
	maxPixels = 1 << 28
)

func (s *sending) image(ctx context.Context, f storedFile) error {
	if !s.seen {
		return fmt.Errorf("no model of the workers is for %q: add one to worker.models or worker.pipelines, or choose another --want", s.want)
	}
	info, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	if info.Size() > maxImage {
		return fmt.Errorf("it has %d bytes; images of at most %d are taken", info.Size(), maxImage)
	}
	data, err := os.ReadFile(f.path)
	if err != nil {
		return err
	}
	stream := path.Base(path.Dir(f.name))
	if stream == "." || stream == "/" {
		stream = s.by
	}
	draft := outbox.Draft{Kind: event.Frame, Key: s.mark.Key() + "/image", Stream: stream, Subject: stream + "/" + path.Base(f.name),
		Time: s.mark.Began, Attrs: event.Attrs{Want: s.want}, Data: data}
	if draft.Type, err = infer.PlainPicture(data, maxPixels); err != nil {
		return err
	}
	if draft.Type != "" {
		return s.put(ctx, draft)
	}
	s.left, err = converted(ctx, draft, s.put)
	return err
}

// converted sends what workers don't read as PNG: each picture of the file, and nothing of what the file says besides.
// left is what of the file was not taken.
func converted(ctx context.Context, d outbox.Draft, put func(context.Context, outbox.Draft) error) (left string, err error) {
	file, err := album.Open(ctx, d.Data, maxPixels)
	if err != nil {
		return "", err
	}
	defer file.Close()
	left = file.Skipped()
	name, key := d.Subject, d.Key
	for i := range file.Count() {
		im, notes, err := file.Picture(ctx, i)
		if err == nil {
			d.Data, err = infer.EncodePNG(im)
		}
		if err != nil {
			return left, fmt.Errorf("picture %d of %d: %w", i+1, file.Count(), err)
		}
		if left == "" {
			left = notes.Left
		}
		d.Type, d.Subject = "image/png", file.Name(name, i)
		if file.Count() > 1 {
			d.Key = fmt.Sprintf("%s/%d", key, i+1)
		}
		if err := put(ctx, d); err != nil {
			return left, err
		}
	}
	return left, nil
}
