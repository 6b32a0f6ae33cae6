package capture

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

// clip is a film of five frames of ffmpeg's own test picture, H.264 in MP4, 64 x 48 pixels, ten frames a second.
//
//go:embed clip/clip.mp4
var clip []byte

const clipFrames = 5

// TryDecoder reads a small film with the installed ffmpeg and ffprobe, as a camera's or file's would be
// read, and says which release did it: that the programs are there does not say that they do what is asked.
func TryDecoder(ctx context.Context, c CameraConfig) (string, error) {
	dir, err := os.MkdirTemp("", "canvas-clip-")
	if err != nil {
		return "", fmt.Errorf("a folder for the film: %w", err)
	}
	defer os.RemoveAll(dir)
	c.Name, c.Address = "clip", filepath.Join(dir, "clip.mp4")
	if err := os.WriteFile(c.Address, clip, 0o600); err != nil {
		return "", fmt.Errorf("writing the film: %w", err)
	}
	v, err := NewVideo(c, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var last Picture
	if err := v.Run(ctx, func(_ context.Context, p Picture) error { last = p; return nil }); err != nil {
		return "", fmt.Errorf("a film of %d frames can't be read with them: %w", clipFrames, err)
	}
	if last.Frame != clipFrames || last.Partial != "" {
		return "", fmt.Errorf("of a film of %d frames they gave %d: %s", clipFrames, last.Frame, last.Partial)
	}
	said := "a release that is not known"
	if r := v.tools.release.find(ctx, v.tools); r.major > 0 {
		said = fmt.Sprintf("release %d.%d", r.major, r.minor)
	}
	return fmt.Sprintf("%s; %d frames of a film were decoded", said, clipFrames), nil
}
