package infer

import (
	"fmt"

	"cloudcanvas/shared/quantise"
)

// inEightBits says whether an engine takes the file as int8.json has it.
func inEightBits(engine string) bool { return engine == ORTInt8 || engine == OVInt8 }

// planned says whether there is a plan for 8 bits that belongs to these weights: ranges of others would be
// wrong without anybody noticing.
func (f *file) planned() error {
	plan := f.model.Int8
	if plan == nil {
		return fmt.Errorf("%w: model %s has no int8.json; canvas-edge models quantise %s makes one from pictures of yours", ErrUnavailable, f.model.Name, f.model.Name)
	}
	if f.sum != plan.SHA256 {
		return fmt.Errorf("%w: int8.json of model %s belongs to other weights (sha256 %.12s…); canvas-edge models quantise %s makes one for these", ErrUnavailable, f.model.Name, plan.SHA256, f.model.Name)
	}
	return nil
}

// inInt8 makes the file with convolutions in 8 bits, once.
func (f *file) inInt8() ([]byte, error) {
	if f.small != nil {
		return f.small, nil
	}
	small, err := quantise.Rewrite(f.data, *f.model.Int8)
	if err != nil {
		return nil, fmt.Errorf("%w: model %s in 8 bits: %w", ErrUnavailable, f.model.Name, err)
	}
	f.small = small
	return small, nil
}
