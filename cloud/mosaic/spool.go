package mosaic

import (
	"fmt"
	"os"
)

// spool keeps pieces of data in a working file, so that memory holds only where each lies.
type spool struct {
	path string
	file *os.File
	end  int64
}

// span is where a piece lies.
type span struct {
	at   int64
	size int
}

func (s *spool) put(data []byte) (span, error) {
	if s.file == nil {
		f, err := os.Create(s.path)
		if err != nil {
			return span{}, fmt.Errorf("beginning a working file: %w; see mosaic.work_dir", err)
		}
		s.file = f
	}
	where := span{s.end, len(data)}
	if _, err := s.file.WriteAt(data, s.end); err != nil {
		return span{}, fmt.Errorf("writing %d bytes to a working file: %w; see mosaic.work_dir", len(data), err)
	}
	s.end += int64(len(data))
	return where, nil
}

func (s *spool) get(where span) ([]byte, error) {
	data := make([]byte, where.size)
	if _, err := s.file.ReadAt(data, where.at); err != nil {
		return nil, fmt.Errorf("reading %d bytes of a working file: %w", where.size, err)
	}
	return data, nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.path)
		s.file, s.end = nil, 0
	}
}
