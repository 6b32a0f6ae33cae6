package model

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// maxLabelsFile bounds a file of labels in bytes.
const maxLabelsFile = 1 << 20

// ReadLabels reads a file of labels: a data.yaml, or one a line.
func ReadLabels(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxLabelsFile {
		return nil, fmt.Errorf("labels: %s is no file of up to %d bytes; is it a list of labels?", path, maxLabelsFile)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("labels: %w", err)
	}
	labels, err := ParseNames(string(data))
	if err != nil {
		return nil, fmt.Errorf("labels: %s %w", path, err)
	}
	return labels, nil
}

// labelsBeside are labels that lie beside a network's file as people leave them there: best.txt or
// labels.txt with one a line, or the data.yaml that it was trained with. name is the file's, empty where
// there is none that can be read.
func labelsBeside(path string) (labels []string, name string) {
	stem := strings.TrimSuffix(filepath.Base(path), filepath.Ext(path))
	for _, name := range []string{stem + ".txt", stem + ".names", "labels.txt", "classes.txt", "data.yaml", "data.yml"} {
		if labels, err := ReadLabels(filepath.Join(filepath.Dir(path), name)); err == nil {
			return labels, name
		}
	}
	return nil, ""
}
