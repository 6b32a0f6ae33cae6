package capture

import (
	"context"
	"fmt"
)

// Look asks the source once for its pictures, without taking any, and says what they are like.
func (v *Video) Look(ctx context.Context) (string, error) {
	s, err := v.tools.probe(ctx, v.in, v.config.OpenTimeout, v.config.MaxPixels)
	if err != nil {
		return "", err
	}
	text := fmt.Sprintf("%d x %d", s.w, s.h)
	if s.fps > 0 {
		text += fmt.Sprintf(", %.3g frames a second", s.fps)
	}
	return text, nil
}
