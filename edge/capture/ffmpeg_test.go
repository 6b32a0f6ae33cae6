package capture

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheDecoderIsTriedWithAFilm(t *testing.T) {
	needFFmpeg(t)
	said, err := TryDecoder(t.Context(), CameraConfig{})
	if err != nil || !strings.Contains(said, "5 frames") {
		t.Errorf("%q, %v", said, err)
	}
	broken := filepath.Join(t.TempDir(), "ffmpeg")
	if err := os.WriteFile(broken, []byte("#!/bin/sh\necho \"Unrecognized option 'vsync'.\" >&2\nexit 8\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if said, err := TryDecoder(t.Context(), CameraConfig{FFmpeg: broken}); err == nil || !strings.Contains(err.Error(), "vsync") {
		t.Errorf("a decoder that does not take its options is %q: %v", said, err)
	}
}
