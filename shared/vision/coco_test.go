package vision

import "testing"

func TestLabelsHaveCOCOsOfficialIDs(t *testing.T) {
	for label, id := range map[string]int{"person": 1, "stop sign": 13, "backpack": 27, "wine glass": 46, "dining table": 67,
		"toilet": 70, "tv": 72, "book": 84, "toothbrush": 90, "motorbike": 4} {
		if got := CategoryID(label, 0); got != id {
			t.Errorf("%s is %d, want %d", label, got, id)
		}
	}
	if got := CategoryID("face", 0); got != 1 {
		t.Errorf("face is %d", got)
	}
	labels := 0
	for _, label := range coco {
		if label != "" {
			labels++
		}
	}
	if len(coco) != 91 || labels != 80 {
		t.Errorf("%d places, %d labels", len(coco), labels)
	}
}
