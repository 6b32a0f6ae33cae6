package infer

import "fmt"

// filled is an engine of a network that computes a fixed number of images in each pass: those that are not there
// are what lay there before, and their answers are left out.
type filled struct {
	engine
	batch int
}

func (e filled) session() (session, error) {
	s, err := e.engine.session()
	if err != nil {
		return nil, err
	}
	return &filledSession{session: s, batch: e.batch}, nil
}

type filledSession struct {
	session
	batch, n int
	out      []tensor
}

func (s *filledSession) bind(n, h, w int) ([]float32, error) {
	if n > s.batch {
		return nil, fmt.Errorf("%d images in one pass, the file takes %d", n, s.batch)
	}
	in, err := s.session.bind(s.batch, h, w)
	if err != nil {
		return nil, err
	}
	s.n = n
	return in[:len(in)/s.batch*n], nil
}

func (s *filledSession) forward() ([]tensor, error) {
	out, err := s.session.forward()
	if err != nil {
		return nil, err
	}
	s.out = s.out[:0]
	for _, t := range out {
		if len(t.shape) > 0 && t.shape[0] == s.batch {
			shape := append([]int{s.n}, t.shape[1:]...)
			t = tensor{t.name, shape, t.data[:len(t.data)/s.batch*s.n]}
		}
		s.out = append(s.out, t)
	}
	return s.out, nil
}
