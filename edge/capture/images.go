package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/telemetry"
	"cloudcanvas/shared/vision"
)

// ImagesConfig is a set of picture files.
type ImagesConfig struct {
	Name      string `yaml:"name" desc:"the set's name" default:"the folder's"`
	Path      string `yaml:"path" desc:"a folder, a pattern such as /data/*.jpg, or one file"`
	Folders   bool   `yaml:"folders" desc:"also take the folders inside the folder"`
	MaxPixels int    `yaml:"max_pixels" desc:"pixels of one image at most; 0: 100 million" range:"0.."`
	MaxBytes  int64  `yaml:"max_bytes" desc:"bytes of one file at most; 0: 64 MiB" range:"0.."`
}

const (
	defaultImagePixels = 100_000_000
	defaultImageBytes  = 64 << 20
)

func (c ImagesConfig) withDefaults() ImagesConfig {
	if c.MaxPixels <= 0 {
		c.MaxPixels = defaultImagePixels
	}
	if c.MaxBytes <= 0 {
		c.MaxBytes = defaultImageBytes
	}
	if c.Name == "" {
		c.Name = c.defaultName()
	}
	return c
}

// defaultName is the name of the folder that holds the images, or of the file that is the only one.
func (c ImagesConfig) defaultName() string {
	path := c.Path
	if strings.ContainsAny(filepath.Base(path), "*?[") {
		path = filepath.Dir(path)
	} else if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return slug(path)
	}
	if abs, err := filepath.Abs(path); err == nil {
		path = abs
	}
	return slug(path)
}

// Images gives the pictures of a folder or glob, by name. One that cannot be read, and what else was skipped, is
// in the log and in Last's Partial, and does not stop the others.
type Images struct {
	config ImagesConfig
	open   Open
	guard  Guard
	log    *slog.Logger
}

// NewImages makes the source.
func NewImages(c ImagesConfig, open Open, log *slog.Logger) *Images {
	c = c.withDefaults()
	return &Images{config: c, open: open, log: log.With("images", c.Name)}
}

// Guarded calls g before each image is decoded.
func (s *Images) Guarded(g Guard) *Images {
	s.guard = g
	return s
}

// Name is the set's name.
func (s *Images) Name() string { return s.config.Name }

// Run emits the images, numbered from 0 without gaps, and then Last. It fails where there are none.
func (s *Images) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	found, err := imageFiles(s.config.Path, s.config.Folders)
	if err != nil {
		return err
	}
	if found.notPictures > 0 {
		s.log.Warn("files of the image set that are no pictures were skipped", "files", found.notPictures)
	}
	last := Picture{Stream: s.config.Name, At: time.Now(), Last: true}
	var bad, part shortfall
	logged := loggedNotes{}
	for _, path := range found.files {
		if err := ctx.Err(); err != nil {
			return err
		}
		name := found.name(path)
		f, at, err := s.file(ctx, path)
		if err != nil {
			s.log.Warn("image skipped", telemetry.Err, err)
			bad.add(err.Error())
			continue
		}
		skipped := f.Skipped()
		logged.log(s.log, path, vision.Notes{Left: skipped})
		var worst error // of its pictures, the first
		for i := range f.Count() {
			im, notes, err := s.picture(ctx, f, path, i)
			if ctx.Err() != nil {
				f.Close()
				return ctx.Err()
			}
			if err != nil {
				s.log.Warn("image skipped", telemetry.Err, err)
				if worst == nil {
					worst = err
				}
				continue
			}
			logged.log(s.log, path, notes)
			if skipped == "" {
				skipped = notes.Left
			}
			p := Picture{Stream: s.config.Name, At: at, Name: f.Name(name, i), Frame: last.Frame, Spacing: notes.Spacing, Image: im}
			last.Frame++
			if err := emit(ctx, p); err != nil {
				f.Close()
				return err
			}
		}
		f.Close()
		if worst != nil {
			bad.add(worst.Error())
		}
		if skipped != "" {
			part.add(name + ": " + skipped)
		}
	}
	last.Partial = strings.Join(slices.DeleteFunc([]string{
		bad.summary("%d of %d images could not be read: %s", len(found.files)),
		part.summary("%d of %d images were taken in part: %s", len(found.files)),
		found.skipped(),
	}, func(s string) bool { return s == "" }), "; ")
	return emit(ctx, last)
}

// shortfall counts what is missing, and keeps the first reason.
type shortfall struct {
	n     int
	first string
}

func (s *shortfall) add(why string) {
	if s.n++; s.n == 1 {
		s.first = why
	}
}

func (s shortfall) summary(format string, of int) string {
	if s.n == 0 {
		return ""
	}
	return fmt.Sprintf(format, s.n, of, s.first)
}

// file opens a file with pictures in it, and says when it was last written.
func (s *Images) file(ctx context.Context, path string) (Opened, time.Time, error) {
	data, at, err := readBounded(path, s.config.MaxBytes)
	var f Opened
	if err == nil {
		f, err = s.open(ctx, data, s.config.MaxPixels)
	}
	if err != nil {
		return nil, at, fmt.Errorf("image %s: %w", path, err)
	}
	return f, at, nil
}

// picture decodes one of a file's pictures.
func (s *Images) picture(ctx context.Context, f Opened, path string, i int) (vision.Image, vision.Notes, error) {
	im, notes, err := s.guard.decode(ctx, s.config.Name, filepath.Base(path), f, i)
	if err != nil {
		return im, notes, fmt.Errorf("image %s: %w", f.Name(path, i), err)
	}
	return im, notes, nil
}

// readBounded reads a file of at most so many bytes, and when it was last written.
func readBounded(path string, limit int64) ([]byte, time.Time, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, time.Time{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, time.Time{}, err
	case !info.Mode().IsRegular():
		return nil, time.Time{}, errors.New("the path is not a regular file")
	case info.Size() == 0:
		return nil, time.Time{}, errors.New("the file is empty (0 bytes)")
	case info.Size() > limit:
		err := fmt.Errorf("the file has %d bytes; the limit is %d (max_bytes)", info.Size(), limit)
		if why := pictures.Windows(f, info.Size(), 0); why != "" {
			err = fmt.Errorf("%w; the file is %s", err, why)
		}
		return nil, time.Time{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, info.ModTime(), err
}
