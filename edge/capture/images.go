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

	"cloudcanvas/shared/vision"
)

// Decode turns a JPEG or PNG into pixels, refusing those with more than maxPixels before they are
// decoded. It is met by infer.DecodeImage.
type Decode func(data []byte, maxPixels int) (vision.Image, error)

// ImagesConfig is a set of picture files.
type ImagesConfig struct {
	Name      string `yaml:"name"`       // empty: the folder's name
	Path      string `yaml:"path"`       // a folder, a glob, or one file
	MaxPixels int    `yaml:"max_pixels"` // of one image; 0: 100 million
	MaxBytes  int64  `yaml:"max_bytes"`  // of one file; 0: 64 MiB
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

// Images gives the JPEG and PNG files of a folder or glob, by name. One that cannot be read is
// told in the log and in Last's Partial, and does not stop the others.
type Images struct {
	config ImagesConfig
	decode Decode
	guard  Guard
	log    *slog.Logger
}

// NewImages makes the source.
func NewImages(c ImagesConfig, decode Decode, log *slog.Logger) *Images {
	c = c.withDefaults()
	return &Images{config: c, decode: decode, log: log.With("images", c.Name)}
}

// Guarded lets g hear of each image before it is decoded.
func (s *Images) Guarded(g Guard) *Images {
	s.guard = g
	return s
}

// Name is the set's name.
func (s *Images) Name() string { return s.config.Name }

// Run emits the images, numbered from 0 without gaps, and then Last. It fails where there are none.
func (s *Images) Run(ctx context.Context, emit func(context.Context, Picture) error) error {
	paths, err := imageFiles(s.config.Path)
	if err != nil {
		return err
	}
	last := Picture{Stream: s.config.Name, At: time.Now(), Last: true}
	bad := 0
	for _, path := range paths {
		if err := ctx.Err(); err != nil {
			return err
		}
		p, err := s.read(ctx, path)
		if err != nil {
			s.log.Warn("image left out", "problem", err)
			if bad++; bad == 1 {
				last.Partial = err.Error()
			}
			continue
		}
		p.Frame = last.Frame
		last.Frame++
		if err := emit(ctx, p); err != nil {
			return err
		}
	}
	if bad > 0 {
		last.Partial = fmt.Sprintf("%d of %d images could not be read: %s", bad, len(paths), last.Partial)
	}
	return emit(ctx, last)
}

func (s *Images) read(ctx context.Context, path string) (Picture, error) {
	data, at, err := readBounded(path, s.config.MaxBytes)
	if err != nil {
		return Picture{}, fmt.Errorf("image %s: %w", path, err)
	}
	done, err := s.guard.begin(ctx, s.config.Name, filepath.Base(path), data)
	if err != nil {
		return Picture{}, fmt.Errorf("image %s: %w", path, err)
	}
	im, err := s.decode(data, s.config.MaxPixels)
	done()
	if err != nil {
		return Picture{}, fmt.Errorf("image %s: %w", path, err)
	}
	return Picture{Stream: s.config.Name, At: at, Name: filepath.Base(path), Image: im}, nil
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
		return nil, time.Time{}, errors.New("it is not a regular file")
	case info.Size() == 0:
		return nil, time.Time{}, errors.New("it is empty (0 bytes)")
	case info.Size() > limit:
		return nil, time.Time{}, fmt.Errorf("it has %d bytes; the limit is %d (max_bytes)", info.Size(), limit)
	}
	data, err := io.ReadAll(io.LimitReader(f, limit))
	return data, info.ModTime(), err
}

// imageFiles are the pictures of a folder, a glob, or the one file, sorted.
func imageFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	var found []string
	switch {
	case err == nil && !info.IsDir():
		return []string{path}, nil
	case err == nil:
		entries, err := os.ReadDir(path)
		if err != nil {
			return nil, fmt.Errorf("images in %s: %w", path, err)
		}
		for _, e := range entries {
			if !e.IsDir() && isImage(e.Name()) {
				found = append(found, filepath.Join(path, e.Name()))
			}
		}
	default:
		matches, globErr := filepath.Glob(path)
		if globErr != nil {
			return nil, fmt.Errorf("images %s: the pattern is wrong: %w", path, globErr)
		}
		for _, m := range matches {
			if isImage(m) {
				found = append(found, m)
			}
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("no images at %s: give a folder or a glob with .jpg, .jpeg or .png files", path)
	}
	slices.Sort(found)
	return found, nil
}

func isImage(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jpg", ".jpeg", ".png":
		return true
	}
	return false
}
