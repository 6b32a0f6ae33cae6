package raster

import (
	"cloudcanvas/shared/vision"
	"cloudcanvas/shared/windows"
)

// The grid of a scene, under the names that who reads scenes uses.
type (
	Grid   = windows.Grid
	Tile   = windows.Tile
	Window = windows.Window
)

// ReadMirrored is Read for windows that reach over the scene's borders: outside, the scene is
// mirrored at its edge, edge pixels included (numpy's "symmetric"), as often as need be.
func (s *Scene) ReadMirrored(w Window, bands []string) (vision.Image, error) {
	if w.In(s.info.Width, s.info.Height) {
		return s.Read(w, bands)
	}
	columns, x := windows.Reflect(w.X, w.W, s.info.Width)
	rows, y := windows.Reflect(w.Y, w.H, s.info.Height)
	im, err := s.Read(Window{X: x[0], Y: y[0], W: x[1] - x[0], H: y[1] - y[0]}, bands)
	if err != nil {
		return vision.Image{}, err
	}
	return windows.Spread(im, rows, columns), nil
}
