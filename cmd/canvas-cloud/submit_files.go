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
	photoEndings = []string{".jpg", ".jpeg", ".png"}
)

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
			f := storedFile{name: path, path: path, image: hasEnding(path, photoEndings)}
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
			if err == nil && d.Type().IsRegular() && (hasEnding(path, sceneEndings) || hasEnding(path, photoEndings)) {
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
		err = fmt.Errorf("there is no file ending in %s", strings.Join(slices.Concat(sceneEndings, photoEndings), ", "))
	}
	return files, err
}

func hasEnding(path string, endings []string) bool {
	return slices.Contains(endings, strings.ToLower(filepath.Ext(path)))
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
			f := storedFile{name: u.Scheme + "://" + u.Host + "/" + key, path: filepath.Join(dir, "object"+filepath.Ext(key)), image: hasEnding(key, photoEndings)}
			if err = s.Fetch(ctx, key, f.path); err == nil {
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
