package vision

import "strings"

// coco are COCO's labels at their official category ids: 1 to 90, of which ten are not used.
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

// CategoryID is COCO's official id (1 to 90) of a COCO label, else the label's place from 1.
func CategoryID(label string, class int) int {
	if id, ok := cocoID[label]; ok {
		return id
	}
	return class + 1
}
