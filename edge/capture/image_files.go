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
	root   string   // that names are told from
	files  []string // that are pictures, or are meant to be, sorted
	others int      // files that are none
	closed int      // folders with pictures in them that were not looked into
	unread int      // folders that could not be read
	first  string   // of these two
}

// name is a picture's name within its set.
func (l imageList) name(path string) string {
	if rel, err := filepath.Rel(l.root, path); l.root != "" && err == nil {
		return filepath.ToSlash(rel)
	}
	return filepath.Base(path)
}

// unseen says what was not looked at; empty where that is nothing.
func (l imageList) unseen() string {
	var said []string
	if l.closed > 0 {
		said = append(said, fmt.Sprintf("%d folders with pictures in them were not looked into (%s); take them in with --folders, or folders: true", l.closed, l.first))
	}
	if l.unread > 0 {
		said = append(said, fmt.Sprintf("%d folders could not be read (%s)", l.unread, l.first))
	}
	return strings.Join(said, "; ")
}

// imageFiles looks for the pictures of a folder, a glob, or the one file. What a file is says its beginning; one
// that is named as a picture and is none counts among them, so that it is told when it can't be read.
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
	case l.unseen() != "":
		return l, fmt.Errorf("no images at %s itself: %s", path, l.unseen())
	case l.others > 0:
		return l, fmt.Errorf("no images at %s: none of its %d files is a %s", path, l.others, pictures.Kinds)
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
			if l.closed++; l.first == "" {
				l.first = path
			}
		}
	case pictures.Meant(path):
		l.files = append(l.files, path)
	default:
		l.others++
	}
}

// mostLooked bounds the files that are looked at in a folder that is not taken in.
const mostLooked = 1000

// hasPicture says whether a picture lies in a folder or below it. One with very many files is taken to have one.
func hasPicture(dir string) (has bool) {
	looked := 0
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
			looked++
			if has = looked > mostLooked || pictures.Meant(path); has {
				return errFound
			}
		}
		return nil
	})
	return has
}

var errFound = errors.New("found")
