package edge

import (
	"fmt"

	"cloudcanvas/shared/signed"
)

// trust is the verifier of what comes down from the cloud; nil where everything is believed.
func (c Cloud) trust(edge string) (*signed.Verifier, error) {
	if len(c.TrustedKeys) == 0 {
		return nil, nil
	}
	keys, err := signed.Trusted(c.TrustedKeys)
	if err != nil {
		return nil, fmt.Errorf("cloud.trusted_keys: %w", err)
	}
	return signed.NewVerifier(edge, keys), nil
}
