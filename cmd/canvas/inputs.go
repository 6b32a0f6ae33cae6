package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"cloudcanvas/shared/raster"
)

// rasterEndings are what a folder of scenes is searched for; a file named outright may be anything
// that GDAL reads.
var rasterEndings = []string{".tif", ".tiff", ".jp2", ".vrt", ".nc", ".img", ".png", ".zip", ".tar"}

// expand turns a file, a folder or a glob into files, sorted. Addresses (with "://") and devices
// stay as they are. A file that does not exist is kept: its source will say so, and the others go on.
// more, where it is not nil, says of other files in a folder whether they are among them.
func expand(argument string, endings []string, more func(path string) bool) ([]string, error) {
	if strings.Contains(argument, "://") {
		return []string{argument}, nil
	}
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		return listFolder(argument, endings, more)
	case err == nil:
		return []string{argument}, nil
	case !strings.ContainsAny(argument, "*?["):
		return []string{argument}, nil
	}
	files, err := filepath.Glob(argument)
	if err != nil {
		return nil, fmt.Errorf("%s is no pattern: %w", argument, err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s matches no file", argument)
	}
	sort.Strings(files)
	return files, nil
}

// expandScenes is expand for scenes: a folder that is a product is one scene, also among others, and a
// part of a product stands for all of it. One that can't be read is among them too: its source will say why.
func expandScenes(argument string, more func(path string) bool) ([]string, error) {
	argument = raster.ProductPath(argument)
	info, err := os.Stat(argument)
	if err != nil || !info.IsDir() {
		files, err := expand(argument, rasterEndings, more)
		return oneOfEach(files), err
	}
	if raster.IsProduct(argument) {
		return []string{argument}, nil
	}
	files, err := expand(argument, rasterEndings, more)
	files = oneOfEach(files)
	entries, _ := os.ReadDir(argument)
	for _, e := range entries {
		folder := filepath.Join(argument, e.Name())
		if e.IsDir() && (raster.IsProduct(folder) || raster.Broken(folder) != nil) {
			files, err = append(files, folder), nil
		}
	}
	if len(files) == 0 && raster.Broken(argument) != nil {
		return []string{argument}, nil
	}
	sort.Strings(files)
	return files, err
}

// oneOfEach leaves one of several files that are bands of the same product.
func oneOfEach(files []string) (all []string) {
	seen := map[string]bool{}
	for _, f := range files {
		if f = raster.FirstPart(f); !seen[f] {
			all, seen[f] = append(all, f), true
		}
	}
	return all
}

func listFolder(dir string, endings []string, more func(path string) bool) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the folder: %w", err)
	}
	var files []string
	for _, e := range entries {
		path, ending := filepath.Join(dir, e.Name()), strings.ToLower(filepath.Ext(e.Name()))
		if !e.IsDir() && (slices.Contains(endings, ending) || more != nil && !strings.HasPrefix(e.Name(), ".") && more(path)) {
			files = append(files, path)
		}
	}
	switch {
	case len(files) > 0:
		return files, nil
	case more != nil:
		return nil, fmt.Errorf("the folder %s has no picture, and no file ending in %s", dir, strings.Join(endings, ", "))
	}
	return nil, fmt.Errorf("the folder %s has no file ending in %s", dir, strings.Join(endings, ", "))
}
