package raster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"cloudcanvas/shared/infer/trial"
)

// What HDF5 and netCDF make of a hostile file may be a fault of memory, which would end the process and all
// that it does besides. So a child process opens such a file first, as it is opened here, and reads of it;
// only what that survived is opened here.
const trialsOf = "scenes"

func init() { trial.Serve(trialsOf, answerTrials) }

// A trial's bounds, far above what honest files need.
const (
	trialShare  = 0.8      // of the memory that is free, at most
	trialData   = 16 << 30 // what may be asked for, most of which is never touched
	trialReads  = 8        // windows across and down, spread over the scene, of
	trialSide   = 256      // pixels; no more are begun after
	trialEnough = 10 * time.Second
	trialKept   = 1024 // files that are known to have passed
)

var trialBounds = trial.Bounds{CPU: time.Minute, Wall: 5 * time.Minute, Memory: 2 << 30} // the disk may be slow, or far

// identity tells a file from others and from what it was before.
type identity struct {
	Device, Inode     uint64
	Size              int64
	Modified, Changed unix.Timespec
}

func identify(f *os.File) (id identity, err error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return id, err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return id, fmt.Errorf("%s is no plain file", f.Name())
	}
	return identity{uint64(st.Dev), st.Ino, st.Size, st.Mtim, st.Ctim}, nil
}

var errChanged = errors.New("it was written to or replaced while it was opened; try again once it is whole")

type trialQuestion struct {
	Driver, File, Variable string
	Identity               identity
	Options                Options
}

type trialAnswer struct {
	Error string `json:"error"`
}

// passed are the questions that were answered well: the same file is not tried for each of its bands.
var passed = struct {
	sync.Mutex
	known map[string]bool
}{known: map[string]bool{}}

// try lets a child process open the file and read of it.
func (v variables) try(id identity, o Options, b trial.Bounds) error {
	question := trialQuestion{v.driver, v.file, v.variable, id, o}
	text, err := json.Marshal(question)
	if err != nil {
		return err
	}
	passed.Lock()
	known := passed.known[string(text)]
	passed.Unlock()
	if known {
		return nil
	}
	child, err := trial.Start(trial.Limits{For: trialsOf, CPU: b.CPU, Data: trialData})
	if err != nil {
		return err
	}
	lean := false
	if free := int64(trialShare * float64(trial.Available())); free > 0 && free < b.Memory {
		b.Memory, lean = free, true
	}
	var answer trialAnswer
	err = child.Ask(context.Background(), question, &answer, b)
	var died *trial.Failure
	switch {
	case errors.As(err, &died) && lean:
		return fmt.Errorf("it is refused: when a process of its own opened it, %s, and this machine has no more to spare now", died.How)
	case errors.As(err, &died):
		return fmt.Errorf("it is refused: when a process of its own opened it, %s; make a plain file of it elsewhere: gdal_translate IN OUT.tif", died.How)
	case err != nil:
		return err
	}
	child.Close()
	if answer.Error != "" {
		return errors.New(answer.Error)
	}
	passed.Lock()
	defer passed.Unlock()
	if len(passed.known) >= trialKept {
		clear(passed.known)
	}
	passed.known[string(text)] = true
	return nil
}

// answerTrials is the child.
func answerTrials(questions *json.Decoder, answers *json.Encoder) error {
	started()
	for {
		var q trialQuestion
		if err := questions.Decode(&q); err != nil {
			return err
		}
		var a trialAnswer
		if err := q.answer(); err != nil {
			a.Error = err.Error()
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func (q trialQuestion) answer() error {
	v := variables{driver: q.Driver, file: q.File, variable: q.Variable}
	id, leave, err := v.hold()
	if err != nil {
		return err
	}
	if id != q.Identity {
		leave()
		return errChanged
	}
	s, err := v.open(q.File, id, leave, q.Options)
	if err != nil {
		return err
	}
	defer s.Close()
	s.readSome()
	return nil
}

// readSome reads windows all over the scene. What can't be read is an error when it is asked for.
func (s *Scene) readSome() {
	w, h := min(trialSide, s.info.Width), min(trialSide, s.info.Height)
	began := time.Now()
	for y := range trialReads {
		for x := range trialReads {
			at := Window{X: (s.info.Width - w) * x / (trialReads - 1), Y: (s.info.Height - h) * y / (trialReads - 1), W: w, H: h}
			s.Read(at, nil)
			if time.Since(began) > trialEnough || s.info.Width == w && s.info.Height == h {
				return
			}
		}
	}
}
