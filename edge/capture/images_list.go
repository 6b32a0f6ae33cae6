package capture

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/shared/pictures"
)

// imageList is what lies at the path of an image set.
type imageList struct {
	root        string   // that names are relative to
	files       []string // that are pictures, or are meant to be, sorted
	notPictures int      // files that are none
	unopened    int      // folders with pictures in them that were not looked into
	unread      int      // folders that could not be read
	first       string   // of these two
}

// name is a picture's name within its set.
func (l imageList) name(path string) string {
	if rel, err := filepath.Rel(l.root, path); l.root != "" && err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(path)
}

// skipped says what was not read; empty where that is nothing.
func (l imageList) skipped() string {
	var parts []string
	if l.unopened > 0 {
		parts = append(parts, fmt.Sprintf("%d folders with pictures in them were not looked into (%s); take them in with --folders, or folders: true", l.unopened, l.first))
	}
	if l.unread > 0 {
		parts = append(parts, fmt.Sprintf("%d folders could not be read (%s)", l.unread, l.first))
	}
	return strings.Join(parts, "; ")
}

// imageFiles looks for the pictures of a folder, a glob, or the one file. What a file is says its beginning; one
// that is named as a picture and is none counts among them, so that it is reported when it can't be read.
func imageFiles(path string, folders bool) (l imageList, err error) {
	info, err := os.Stat(path)
	switch {
	case err == nil && !info.IsDir():
		return imageList{files: []string{path}}, nil
	case err == nil:
		l.root = path
		if err := l.folder(path, folders); err != nil {
			return l, fmt.Errorf("images in %s: %w", path, err)
		}
	default:
		matches, globErr := filepath.Glob(path)
		if globErr != nil {
			return l, fmt.Errorf("images %s: the pattern is wrong: %w", path, globErr)
		}
		for _, m := range matches {
			info, err := os.Stat(m)
			l.add(m, err == nil && info.IsDir(), folders)
		}
	}
	switch {
	case len(l.files) > 0:
	case l.skipped() != "":
		return l, fmt.Errorf("no images at %s itself: %s", path, l.skipped())
	case l.notPictures > 0:
		return l, fmt.Errorf("no images at %s: none of its %d files is a %s", path, l.notPictures, pictures.Kinds)
	default:
		return l, fmt.Errorf("no images at %s: give a folder or a glob with %s files", path, pictures.Kinds)
	}
	slices.Sort(l.files)
	return l, nil
}

func (l *imageList) folder(path string, folders bool) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, e := range entries {
		// Hidden ones are other programs': copies in a trash, halves of files on memory cards.
		if !strings.HasPrefix(e.Name(), ".") {
			l.add(filepath.Join(path, e.Name()), e.IsDir(), folders)
		}
	}
	return nil
}

func (l *imageList) add(path string, dir, folders bool) {
	switch {
	case dir && folders:
		if err := l.folder(path, true); err != nil {
			if l.unread++; l.first == "" {
				l.first = err.Error()
			}
		}
	case dir:
		if hasPicture(path) {
			if l.unopened++; l.first == "" {
				l.first = path
			}
		}
	case pictures.Meant(path):
		l.files = append(l.files, path)
	default:
		l.notPictures++
	}
}

// maxFilesChecked bounds the files that are looked at in a folder that is not taken in.
const maxFilesChecked = 1000

// hasPicture says whether a picture lies in a folder or below it. One with very many files is taken to have one.
func hasPicture(dir string) (has bool) {
	checked := 0
	filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fs.SkipDir
		case path != dir && strings.HasPrefix(e.Name(), "."):
			if e.IsDir() {
				return fs.SkipDir
			}
		case e.IsDir():
		default:
			checked++
			if has = checked > maxFilesChecked || pictures.Meant(path); has {
				return errFound
			}
		}
		return nil
	})
	return has
}

var errFound = errors.New("found")
