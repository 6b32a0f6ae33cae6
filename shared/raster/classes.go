package raster

import "fmt"

// ReadClasses gives a window of the first band as it is stored, for rasters of classes: uint8, one a
// pixel, row by row.
func (s *Scene) ReadClasses(w Window) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ds == nil {
		return nil, fmt.Errorf("read classes of %s: it is closed", s.info.Path)
	}
	if !w.In(s.info.Width, s.info.Height) || w.W*w.H > maxWindowPixels {
		return nil, fmt.Errorf("read classes of %s: %s is not within %d x %d pixels", s.info.Path, w, s.info.Width, s.info.Height)
	}
	class := make([]byte, w.W*w.H)
	if err := s.ds.Bands()[0].Read(w.X, w.Y, class, w.W, w.H, reportErrors); err != nil {
		return nil, fmt.Errorf("read classes of %s at %s: %w", s.info.Path, w, brief(err))
	}
	return class, nil
}
