package infer

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"cloudcanvas/shared/quantise"
)

// rewrite makes the file with convolutions in 8 bits, once. It belongs to the weights that int8.json
// names: ranges of others would be wrong without anybody noticing.
func (f *file) rewrite() error {
	plan := f.model.Int8
	if plan == nil {
		return fmt.Errorf("%w: model %s has no int8.json; canvas-edge models quantise %s makes one from pictures of yours", ErrUnavailable, f.model.Name, f.model.Name)
	}
	if sum := sha256.Sum256(f.data); hex.EncodeToString(sum[:]) != plan.SHA256 {
		return fmt.Errorf("%w: int8.json of model %s belongs to other weights (sha256 %.12s…); canvas-edge models quantise %s makes one for these", ErrUnavailable, f.model.Name, plan.SHA256, f.model.Name)
	}
	if f.small != nil {
		return nil
	}
	small, err := quantise.Rewrite(f.data, *plan)
	if err != nil {
		return fmt.Errorf("%w: model %s in 8 bits: %w", ErrUnavailable, f.model.Name, err)
	}
	f.small = small
	return nil
}
