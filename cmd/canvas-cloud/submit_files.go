package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"iter"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/cloud/store"
	"cloudcanvas/shared/pictures"
	"cloudcanvas/shared/security"
)

// storedFile is a file to submit. Its name tells it from others, its sum from another of that name.
type storedFile struct {
	name, path string
	image      bool
	sum        [32]byte
}

var (
	sceneEndings = []string{".tif", ".tiff", ".jp2", ".vrt", ".nc", ".img"}
	photoEndings = strings.Fields(".jpg .jpeg .jpe .jfif .png .bmp .dib .gif .webp .heic .heif .avif .dcm .nii")
)

// isImage tells an image from a scene: by what the file is, and by its name where that says nothing.
func isImage(path string) bool {
	switch kind := pictures.OfFile(path); kind.Name {
	case "":
		return hasEnding(path, photoEndings)
	case pictures.TIFF, pictures.BigTIFF, pictures.JPEG2000:
		return false
	}
	return true
}

// stored gives the files that an argument names: of a file, a folder with all in it, a glob, or the
// objects under an address. An object is there as a file until the next one is asked for.
func stored(ctx context.Context, argument string) iter.Seq2[storedFile, error] {
	if u, err := url.Parse(argument); err == nil && u.Host != "" {
		return objectsUnder(ctx, u)
	}
	return func(yield func(storedFile, error) bool) {
		files, err := filesUnder(strings.TrimPrefix(argument, "file://"))
		if err != nil {
			yield(storedFile{name: argument}, err)
			return
		}
		for _, path := range files {
			f := storedFile{name: path, path: path, image: isImage(path)}
			f.sum, err = sumOf(path)
			if !yield(f, err) {
				return
			}
		}
	}
}

func filesUnder(argument string) (files []string, err error) {
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		err = filepath.WalkDir(argument, func(path string, d os.DirEntry, err error) error {
			if err == nil && d.Type().IsRegular() && (hasEnding(path, sceneEndings) || pictures.Meant(path)) {
				files = append(files, path)
			}
			return err
		})
	case err == nil:
		return []string{argument}, nil
	case strings.ContainsAny(argument, "*?["):
		files, err = filepath.Glob(argument)
	}
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("there is no %s, and no file ending in %s", pictures.Kinds, strings.Join(sceneEndings, ", "))
	}
	return files, err
}

func hasEnding(path string, endings []string) bool {
	name := strings.ToLower(path)
	if strings.HasSuffix(name, ".nii.gz") {
		name = strings.TrimSuffix(name, ".gz")
	}
	return slices.Contains(endings, filepath.Ext(name))
}

func sumOf(path string) (sum [32]byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return sum, err
	}
	return [32]byte(h.Sum(nil)), nil
}

// objectsUnder gives the objects of scheme://bucket/prefix?options, one at a time.
func objectsUnder(ctx context.Context, u *url.URL) iter.Seq2[storedFile, error] {
	bucket := url.URL{Scheme: u.Scheme, Host: u.Host, RawQuery: u.RawQuery}
	return func(yield func(storedFile, error) bool) {
		s, err := store.Open(ctx, bucket.String())
		if err != nil {
			yield(storedFile{name: security.Redact(u.String())}, err)
			return
		}
		defer s.Close()
		keys, err := s.Keys(ctx, strings.TrimPrefix(u.Path, "/"))
		if err == nil && len(keys) == 0 {
			err = fmt.Errorf("there is no object under it")
		}
		if err != nil {
			yield(storedFile{name: security.Redact(u.String())}, err)
			return
		}
		dir, err := os.MkdirTemp("", "canvas-submit-")
		if err != nil {
			yield(storedFile{name: security.Redact(u.String())}, err)
			return
		}
		defer os.RemoveAll(dir)
		for _, key := range keys {
			if !hasEnding(key, sceneEndings) && !hasEnding(key, photoEndings) {
				continue
			}
			f := storedFile{name: u.Scheme + "://" + u.Host + "/" + key, path: filepath.Join(dir, "object"+filepath.Ext(key))}
			if err = s.Fetch(ctx, key, f.path); err == nil {
				f.image = isImage(f.path)
				f.sum, err = sumOf(f.path)
			}
			more := yield(f, err)
			os.Remove(f.path)
			if !more {
				return
			}
		}
	}
}
