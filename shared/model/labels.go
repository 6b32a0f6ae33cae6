package model

import (
	"fmt"
	"strings"

	"cloudcanvas/shared/vision"
)

// COCOLabels are COCO's 80 class names in the networks' order.
func COCOLabels() []string { return vision.COCOLabels() }

// inFile marks labels that stand in the ONNX file's own metadata.
const inFile = "onnx:"

// maxLabels bounds a list that a file brings.
const maxLabels = 1 << 17

// LabelsIn are the labels, or where there is one, "onnx:KEY", the lines that the file's metadata have
// under KEY: readers of text bring their characters so.
func LabelsIn(data []byte, labels []string) ([]string, error) {
	if len(labels) != 1 || !strings.HasPrefix(labels[0], inFile) {
		return labels, nil
	}
	key := strings.TrimPrefix(labels[0], inFile)
	text, err := metadata(data, key)
	if err != nil {
		return nil, fmt.Errorf("labels %s: %w", labels[0], err)
	}
	list := strings.Split(strings.TrimSuffix(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	if text == "" || len(list) > maxLabels {
		return nil, fmt.Errorf("labels %s: the file has %d lines under %q; name the labels in model.yaml", labels[0], len(list), key)
	}
	return list, nil
}

// CategoryIDs gives each class's category_id in COCO's result format.
func (m Manifest) CategoryIDs() []int { return vision.Categories(m.Output.Labels) }
