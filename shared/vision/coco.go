package vision

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// coco are COCO's labels at their official category ids: 1 to 90, of which ten are not used. Without the
// gaps they are the 80 classes in the order of all networks trained on it.
var coco = strings.Split(",person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,"+
	"fire hydrant,,stop sign,parking meter,bench,bird,cat,dog,horse,sheep,"+
	"cow,elephant,bear,zebra,giraffe,,backpack,umbrella,,,"+
	"handbag,tie,suitcase,frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,"+
	"skateboard,surfboard,tennis racket,bottle,,wine glass,cup,fork,knife,spoon,"+
	"bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,"+
	"cake,chair,couch,potted plant,bed,,dining table,,,toilet,"+
	",tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,"+
	"sink,refrigerator,,book,clock,vase,scissors,teddy bear,hair drier,toothbrush", ",")

var cocoID = func() map[string]int {
	ids := map[string]int{}
	for id, label := range coco {
		if label != "" {
			ids[label] = id
		}
	}
	// Names that other lists have for the same things.
	for other, label := range map[string]string{"motorbike": "motorcycle", "aeroplane": "airplane", "sofa": "couch",
		"pottedplant": "potted plant", "diningtable": "dining table", "tvmonitor": "tv", "hair dryer": "hair drier"} {
		ids[other] = ids[label]
	}
	return ids
}()

// COCOLabels are COCO's 80 class names in the networks' order.
func COCOLabels() (labels []string) {
	for _, label := range coco {
		if label != "" {
			labels = append(labels, label)
		}
	}
	return labels
}

// COCOByID are COCO's labels at their official ids, 0 to 90; an id that is not used has a label of its own,
// which COCOUnused tells.
func COCOByID() []string {
	labels := slices.Clone(coco)
	for id, label := range labels {
		if label == "" {
			labels[id] = fmt.Sprintf("%s%d", unused, id)
		}
	}
	return labels
}

const unused = "coco unused "

// COCOUnused says whether a label stands for one of COCO's ids that means nothing.
func COCOUnused(label string) (id int, ok bool) {
	text, ok := strings.CutPrefix(label, unused)
	if !ok {
		return 0, false
	}
	id, err := strconv.Atoi(text)
	return id, err == nil && id >= 0 && id < len(coco) && coco[id] == ""
}

// COCOID is COCO's official id (1 to 90) of what one of its labels, or another name for the same, means.
func COCOID(label string) (int, bool) {
	id, ok := cocoID[label]
	return id, ok
}

// Categories decides a model's category ids in COCO's result format, one for each label: the official
// ones where all labels are COCO's and each another, else each label's place from 1. A list that is only
// partly COCO's would give two labels one id.
func Categories(labels []string) []int {
	ids, taken := make([]int, len(labels)), map[int]bool{}
	for i, l := range labels {
		id, ok := cocoID[l]
		if gap, is := COCOUnused(l); is {
			id, ok = gap, true
		}
		if !ok || taken[id] {
			for j := range ids {
				ids[j] = j + 1
			}
			return ids
		}
		ids[i], taken[id] = id, true
	}
	return ids
}

// CategoryID is the box's, as its model's labels say. A box that an earlier version made has none: then it
// is what that version would have said, COCO's id of a COCO label, else the class from 1.
func (b Box) CategoryID() int {
	if b.Category > 0 {
		return b.Category
	}
	if id, ok := cocoID[b.Label]; ok {
		return id
	}
	return b.Class + 1
}
