package model

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"cloudcanvas/shared/onnx"
	"cloudcanvas/shared/vision"
)

// COCOLabels are COCO's 80 class names in the networks' order.
func COCOLabels() []string { return vision.COCOLabels() }

// inFile marks labels that stand in the ONNX file's own metadata.
const inFile = "onnx:"

// maxLabels bounds a list that a file brings.
const maxLabels = 1 << 17

// LabelsIn are the labels, or where there is one, "onnx:KEY", those that the file's metadata have under KEY:
// one a line, as readers of text bring their characters, or a list or numbered names, as Ultralytics
// writes them.
func LabelsIn(data []byte, labels []string) ([]string, error) {
	if len(labels) != 1 || !strings.HasPrefix(labels[0], inFile) {
		return labels, nil
	}
	key := strings.TrimPrefix(labels[0], inFile)
	says, err := onnx.Metadata(data)
	if err != nil {
		return nil, fmt.Errorf("labels %s: %w", labels[0], err)
	}
	text, ok := says[key]
	if !ok {
		return nil, fmt.Errorf("labels %s: the file's metadata have nothing under %q, only %q; name the labels in model.yaml", labels[0], key, slices.Sorted(maps.Keys(says)))
	}
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") && strings.HasSuffix(t, "]") && len(t) > 2 {
		list, err := ParseNames(text)
		if err != nil {
			return nil, fmt.Errorf("labels %s: what the file says %w; name the labels in model.yaml", labels[0], err)
		}
		return list, nil
	}
	list := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	if text == "" || len(list) > maxLabels {
		return nil, fmt.Errorf("labels %s: the file has %d lines under %q; name the labels in model.yaml", labels[0], len(list), key)
	}
	return list, nil
}

// CategoryIDs gives each class's category_id in COCO's result format.
func (m Manifest) CategoryIDs() []int { return vision.Categories(m.Output.Labels) }

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
