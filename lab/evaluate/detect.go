package evaluate

import (
	"cmp"
	"slices"
)

// DetectScores are pycocotools' twelve figures, and each category's AP. A figure is -1 where there
// is no labelled object to measure it on.
type DetectScores struct {
	AP         float64         `json:"AP"` // mean over IoU 0.50 to 0.95
	AP50       float64         `json:"AP50"`
	AP75       float64         `json:"AP75"`
	APSmall    float64         `json:"AP_small"`  // up to 32 x 32 pixels
	APMedium   float64         `json:"AP_medium"` // up to 96 x 96 pixels
	APLarge    float64         `json:"AP_large"`
	AR1        float64         `json:"AR_1"` // with so many detections a picture
	AR10       float64         `json:"AR_10"`
	AR100      float64         `json:"AR_100"`
	ARSmall    float64         `json:"AR_small"`
	ARMedium   float64         `json:"AR_medium"`
	ARLarge    float64         `json:"AR_large"`
	Categories []CategoryScore `json:"categories"`
}

// CategoryScore is one category's part.
type CategoryScore struct {
	ID      int     `json:"id"`
	Name    string  `json:"name"`
	Objects int     `json:"objects"` // labelled, without crowds
	AP      float64 `json:"AP"`
	AP50    float64 `json:"AP50"`
	AR100   float64 `json:"AR_100"`
}

// The grid on which pycocotools measures, made with its arithmetic so that equal numbers compare equal.
const (
	thresholds   = 10  // of IoU
	recallPoints = 101 // of the precision curve
	mostCounted  = 100 // detections of a picture and category
)

var (
	areas    = [4][2]float64{{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}
	maxFound = [3]int{1, 10, mostCounted}
)

func iouThreshold(i int) float64 { step := (0.95 - 0.5) / 9; return min(0.95, float64(i)*step+0.5) }

func recallPoint(i int) float64 { return float64(i) * 0.01 }

// Detect compares detections with the truth as pycocotools does.
func Detect(t Truth, found []Detection) DetectScores {
	images := make([]int64, len(t.Images))
	for i, im := range t.Images {
		images[i] = im.ID
	}
	slices.Sort(images)
	groups := group(t.Annotations, found)

	var all [len(areas)][len(maxFound)]curves
	var s DetectScores
	categories := slices.Clone(t.Categories)
	slices.SortFunc(categories, func(a, b Category) int { return cmp.Compare(a.ID, b.ID) })
	for _, c := range categories {
		var own curves
		for a, area := range areas {
			var seen []matched
			for _, im := range images {
				if g := groups[place{im, c.ID}]; g != nil {
					seen = append(seen, g.match(area))
				}
			}
			for m, most := range maxFound {
				cv := accumulate(seen, most)
				all[a][m].join(cv)
				if a == 0 && most == mostCounted {
					own = cv
				}
			}
		}
		s.Categories = append(s.Categories, CategoryScore{ID: c.ID, Name: c.Name, Objects: own.objects,
			AP: mean(own.precision), AP50: own.at(0), AR100: mean(own.recall)})
	}
	last := len(maxFound) - 1
	s.AP, s.AP50, s.AP75 = mean(all[0][last].precision), all[0][last].at(0), all[0][last].at(5)
	s.APSmall, s.APMedium, s.APLarge = mean(all[1][last].precision), mean(all[2][last].precision), mean(all[3][last].precision)
	s.AR1, s.AR10, s.AR100 = mean(all[0][0].recall), mean(all[0][1].recall), mean(all[0][2].recall)
	s.ARSmall, s.ARMedium, s.ARLarge = mean(all[1][last].recall), mean(all[2][last].recall), mean(all[3][last].recall)
	return s
}

// curves are what accumulates of one category, or of several: for each IoU threshold the precision
// at each recall point, and the recall reached.
type curves struct {
	precision []float64 // threshold by threshold, len of each: recallPoints for each category
	recall    []float64
	byIoU     [thresholds][]float64
	objects   int
}

func (c *curves) join(o curves) {
	c.precision = append(c.precision, o.precision...)
	c.recall = append(c.recall, o.recall...)
	for i := range c.byIoU {
		c.byIoU[i] = append(c.byIoU[i], o.byIoU[i]...)
	}
	c.objects += o.objects
}

func (c curves) at(threshold int) float64 { return mean(c.byIoU[threshold]) }

// epsilon keeps pycocotools' division by zero away: the distance from 1 to the next number.
const epsilon = 0x1p-52

// accumulate draws the curves of one category from all pictures, with at most most detections of each.
func accumulate(seen []matched, most int) curves {
	type ranked struct {
		score float64
		of    *matched
		at    int
	}
	var c curves
	var order []ranked
	for i := range seen {
		c.objects += seen[i].objects
		for k := range seen[i].scores[:min(most, len(seen[i].scores))] {
			order = append(order, ranked{seen[i].scores[k], &seen[i], k})
		}
	}
	if c.objects == 0 {
		return curves{}
	}
	slices.SortStableFunc(order, func(a, b ranked) int { return cmp.Compare(b.score, a.score) })
	recall, precision := make([]float64, 0, len(order)), make([]float64, 0, len(order))
	for t := range thresholds {
		recall, precision = recall[:0], precision[:0]
		var right, wrong float64
		for _, r := range order {
			if !r.of.ignored[t][r.at] {
				if r.of.matched[t][r.at] {
					right++
				} else {
					wrong++
				}
			}
			recall = append(recall, right/float64(c.objects))
			precision = append(precision, right/(right+wrong+epsilon))
		}
		for i := len(precision) - 1; i > 0; i-- {
			precision[i-1] = max(precision[i-1], precision[i])
		}
		reached := 0.0
		if len(recall) > 0 {
			reached = recall[len(recall)-1]
		}
		c.recall = append(c.recall, reached)
		for p := range recallPoints {
			value := 0.0
			if i, _ := slices.BinarySearch(recall, recallPoint(p)); i < len(precision) {
				value = precision[i]
			}
			c.byIoU[t] = append(c.byIoU[t], value)
		}
		c.precision = append(c.precision, c.byIoU[t]...)
	}
	return c
}

// mean is -1 of nothing, as pycocotools has it.
func mean(values []float64) float64 {
	if len(values) == 0 {
		return -1
	}
	var sum float64
	for _, v := range values {
		sum += v
	}
	return sum / float64(len(values))
}
