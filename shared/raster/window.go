// Package raster reads scenes by windows and writes masks, tiles and outlines. It is the only
// package that calls GDAL (through airbusgeo/godal); memory stays flat whatever a scene's size.
//
// A Scene, MaskWriter or Writer may be used from several goroutines, one call at a time is served.
package raster

import "fmt"

// Window is a rectangle of pixels, from the scene's top-left corner.
type Window struct{ X, Y, W, H int }

func (w Window) String() string { return fmt.Sprintf("%dx%d+%d+%d", w.W, w.H, w.X, w.Y) }

// In says whether the window has pixels and lies within a raster of that size.
func (w Window) In(width, height int) bool {
	return w.W > 0 && w.H > 0 && w.X >= 0 && w.Y >= 0 && w.X <= width-w.W && w.Y <= height-w.H
}

// Sub is w seen from the top-left corner of outer.
func (w Window) Sub(outer Window) Window {
	return Window{X: w.X - outer.X, Y: w.Y - outer.Y, W: w.W, H: w.H}
}
