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

// imageEndings are what a folder of images is searched for.
var imageEndings = []string{".jpg", ".jpeg", ".png"}

// expand turns a file, a folder or a glob into files, sorted. Addresses (with "://") and devices
// stay as they are. A file that does not exist is kept: its source will say so, and the others go on.
func expand(argument string, endings []string) ([]string, error) {
	if strings.Contains(argument, "://") {
		return []string{argument}, nil
	}
	info, err := os.Stat(argument)
	switch {
	case err == nil && info.IsDir():
		return listFolder(argument, endings)
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
// part of a product stands for all of it. more are endings of files besides rasters'.
func expandScenes(argument string, more ...string) ([]string, error) {
	argument = raster.ProductPath(argument)
	endings := append(slices.Clone(rasterEndings), more...)
	info, err := os.Stat(argument)
	if err != nil || !info.IsDir() {
		return expand(argument, endings)
	}
	if raster.IsProduct(argument) {
		return []string{argument}, nil
	}
	files, err := expand(argument, endings)
	entries, _ := os.ReadDir(argument)
	for _, e := range entries {
		if folder := filepath.Join(argument, e.Name()); e.IsDir() && raster.IsProduct(folder) {
			files, err = append(files, folder), nil
		}
	}
	sort.Strings(files)
	return files, err
}

func listFolder(dir string, endings []string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list the folder: %w", err)
	}
	var files []string
	for _, e := range entries {
		ending := strings.ToLower(filepath.Ext(e.Name()))
		for _, want := range endings {
			if ending == want && !e.IsDir() {
				files = append(files, filepath.Join(dir, e.Name()))
			}
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("the folder %s has no file ending in %s", dir, strings.Join(endings, ", "))
	}
	return files, nil
}
