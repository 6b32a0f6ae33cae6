package model

import (
	"fmt"
	"slices"
	"strings"
)

// coco is COCO's 80 object classes in the order of all networks trained on it. A number before a
// name says where the official category ids (1 to 90) skip: the id of that name.
const coco = `person bicycle car motorcycle airplane bus train truck boat traffic_light fire_hydrant
13=stop_sign parking_meter bench bird cat dog horse sheep cow elephant bear zebra giraffe
27=backpack umbrella 31=handbag tie suitcase frisbee skis snowboard sports_ball kite baseball_bat
baseball_glove skateboard surfboard tennis_racket bottle 46=wine_glass cup fork knife spoon bowl
banana apple sandwich orange broccoli carrot hot_dog pizza donut cake chair couch potted_plant bed
67=dining_table 70=toilet 72=tv laptop mouse remote keyboard cell_phone microwave oven toaster sink
refrigerator 84=book clock vase scissors teddy_bear hair_drier toothbrush`

// COCOLabels are COCO's 80 class names in the networks' order.
func COCOLabels() []string {
	labels, _ := cocoTable()
	return labels
}

func cocoTable() (labels []string, ids []int) {
	id := 0
	for _, word := range strings.Fields(coco) {
		id++
		if jump, name, ok := strings.Cut(word, "="); ok {
			id, word = int(jump[0]-'0')*10+int(jump[1]-'0'), name
		}
		labels = append(labels, strings.ReplaceAll(word, "_", " "))
		ids = append(ids, id)
	}
	return labels, ids
}

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

// CategoryIDs gives each class's category_id in COCO's result format: the official ids 1 to 90 where
// all labels are COCO's, else the label's place from 1.
func (m Manifest) CategoryIDs() []int {
	labels, ids := cocoTable()
	out := make([]int, len(m.Output.Labels))
	for i, l := range m.Output.Labels {
		k := slices.Index(labels, l)
		if k < 0 {
			for j := range out {
				out[j] = j + 1
			}
			return out
		}
		out[i] = ids[k]
	}
	return out
}
