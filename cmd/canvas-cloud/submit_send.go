package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	_ "image/jpeg" // images are looked at before they are sent
	_ "image/png"
	"os"
	"path"
	"strings"
	"sync/atomic"

	"cloudcanvas/cloud/feed"
	"cloudcanvas/edge"
	"cloudcanvas/edge/outbox"
	"cloudcanvas/edge/screen"
	"cloudcanvas/shared/event"
)

// sending is one file on its way.
type sending struct {
	*submission
	mark  feed.Mark
	items atomic.Int64
	bytes atomic.Int64
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
	return edge.Cut(ctx, f.path, id, s.mark.Key(), s.options, rules, s.put, quiet)
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
	head, kind, err := image.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("it is no JPEG or PNG: %w", err)
	}
	if int64(head.Width)*int64(head.Height) > maxPixels {
		return fmt.Errorf("it has %d x %d pixels; at most %d in all are taken", head.Width, head.Height, maxPixels)
	}
	stream := path.Base(path.Dir(f.name))
	if stream == "." || stream == "/" {
		stream = s.by
	}
	return s.put(ctx, outbox.Draft{Kind: event.Frame, Key: s.mark.Key() + "/image", Stream: stream, Subject: stream + "/" + path.Base(f.name),
		Time: s.mark.Began, Attrs: event.Attrs{Want: s.want}, Type: "image/" + kind, Data: data})
}
