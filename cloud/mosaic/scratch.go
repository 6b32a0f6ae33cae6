package mosaic

import (
	"fmt"
	"os"
)

// scratchFile keeps pieces of data in a working file, so that memory holds only where each lies.
type scratchFile struct {
	path string
	file *os.File
	end  int64
}

// extent is where a piece lies.
type extent struct {
	at   int64
	size int
}

func (s *scratchFile) put(data []byte) (extent, error) {
	if s.file == nil {
		f, err := os.Create(s.path)
		if err != nil {
			return extent{}, fmt.Errorf("beginning a working file: %w; see mosaic.work_dir", err)
		}
		s.file = f
	}
	where := extent{s.end, len(data)}
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return extent{}, fmt.Errorf("writing %d bytes to a working file: %w; see mosaic.work_dir", len(data), err)
	}
	s.end += int64(len(data))
	return where, nil
}

func (s *scratchFile) get(where extent) ([]byte, error) {
	data := make([]byte, where.size)
	if _, err := s.file.ReadAt(data, where.at); err != nil {
		return nil, fmt.Errorf("reading %d bytes of a working file: %w", where.size, err)
	}
	return data, nil
}

func (s *scratchFile) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.path)
		s.file, s.end = nil, 0
	}
}
