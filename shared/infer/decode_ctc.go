package infer

import (
	"fmt"
	"strings"

	"cloudcanvas/shared/model"
	"cloudcanvas/shared/vision"
)

// reader reads one line of text: a column of the picture a step, for each the probabilities of "no
// character" and of every character. Steps that say the same one after the other are one character,
// unless "no character" stands between them (connectionist temporal classification, Graves 2006).
type reader struct {
	spec  model.Output
	views []view
}

func (r *reader) decode(out []tensor, i, n int, _ geometry, _ *vision.Image) (vision.Output, error) {
	var err error
	if r.views, err = views(r.views, out, i, n); err != nil {
		return vision.Output{}, err
	}
	v, alphabet := r.views[0], r.spec.Labels
	if len(v.shape) != 2 || v.shape[1] != len(alphabet)+1 && v.shape[1] != len(alphabet)+2 {
		return vision.Output{}, fmt.Errorf("decoder ctc: output %s is %v without the batch, should be steps x (1 + %d characters), or one more for the space", v.name, v.shape, len(alphabet))
	}
	var text strings.Builder
	before, read, sum := 0, 0, float32(0)
	each := v.shape[1]
	for s := range v.shape[0] {
		values := v.data[s*each : (s+1)*each]
		k, score := largest(values)
		if k != 0 && k != before {
			if k-1 < len(alphabet) {
				text.WriteString(alphabet[k-1])
			} else {
				text.WriteByte(' ')
			}
			if r.spec.Activation == "logits" {
				score = share(values, score)
			}
			read++
			sum += score
		}
		before = k
	}
	if read == 0 {
		return vision.Output{}, nil
	}
	return vision.Output{Classes: []vision.Class{{Label: text.String(), Score: min(sum/float32(read), 1)}}}, nil
}

// share is the softmax of the largest value.
func share(values []float32, top float32) float32 {
	var sum float32
	for _, v := range values {
		sum += exp(v - top)
	}
	return 1 / sum
}
