package main

import (
	"bufio"
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// madeList names, inside the folder of a demo, the files that it made. What else is there stays.
const madeList = ".canvas-demo"

// removeMade removes what an earlier demo made in a folder, and the folders that are empty then.
func removeMade(out string) error {
	root, err := os.OpenRoot(out) // what the list names outside is not removed, nor through a link
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	defer root.Close()
	list, err := root.ReadFile(madeList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	var folders []string
	for lines := bufio.NewScanner(bytes.NewReader(list)); lines.Scan(); {
		name := filepath.FromSlash(lines.Text())
		if !filepath.IsLocal(name) {
			continue
		}
		if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		for at := filepath.Dir(name); at != "."; at = filepath.Dir(at) {
			folders = append(folders, at)
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return len(b) - len(a) }) // what is inside first
	for _, f := range folders {
		_ = root.Remove(f) // only where it is empty
	}
	return root.Remove(madeList)
}

// noteMade writes down which files a demo made: those that were not there before.
func noteMade(out string, before []string) error {
	there, err := filesIn(out)
	if err != nil {
		return err
	}
	made := slices.DeleteFunc(there, func(name string) bool { return slices.Contains(before, name) })
	return renameio.WriteFile(filepath.Join(out, madeList), []byte(strings.Join(made, "\n")+"\n"), 0o644)
}

// filesIn are the files below a folder, by their names from it.
func filesIn(folder string) (names []string, err error) {
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(folder, path)
		names = append(names, filepath.ToSlash(name))
		return err
	})
	return names, err
}
