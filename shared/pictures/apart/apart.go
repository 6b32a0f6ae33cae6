// Package apart decodes what only a native library reads, and what such a library may crash or grow on, in a child
// process with bounds of time and memory: HEIC and AVIF through libheif, JPEG 2000 through GDAL.
//
//	parent ── file, a socket ─▶ child ── header ─▶ parent looks at the size ── decode ─▶ child ── pixels, the socket ─▶
package apart

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"cloudcanvas/shared/infer/trial"
)

// Format is what a file is decoded as.
type Format string

const (
	HEIF     Format = "heif" // HEIC and AVIF
	JPEG2000 Format = "jpeg2000"
)

// Header is what a file says of its picture before anything is decoded.
type Header struct {
	W, H     int
	Samples  int  // of a pixel, interleaved
	Bits     int  // of a sample: 8, or 16 in the machine's own order
	Signed   bool // samples of 16 bits are
	Pictures int  // in the file, of which this is the main one
	Moves    bool // they are a film's
	Deep     bool // more than 8 bits of a sample are there
	Bright   bool // it is made for screens of high dynamic range
}

// bytes counts the pixels of a header.
func (h Header) bytes() int64 { return int64(h.W) * int64(h.H) * int64(h.Samples) * int64(h.Bits/8) }

const trialsOf = "pictures"

func init() { trial.Serve(trialsOf, answer) }

// Bounds of a child: honest pictures take a tenth.
const (
	baseCPU      = 20 * time.Second // and a second for each million pixels
	patience     = 4                // so many times as long by the clock
	mostMemory   = 256 << 20        // and so many bytes for each pixel:
	mostPerPixel = 40
	mostAsked    = 16 << 30 // of memory, used or not
	freeShare    = 0.8
	headerPixels = 1 << 20 // what reading a header may take
)

// Bytes is what decoding the picture takes, in the child and here: of 49 million pixels of 8 bits a child took 340 MB
// as HEIC and 410 MB as AVIF.
func (h Header) Bytes() int64 {
	each := int64(10)
	if h.Deep {
		each = 20
	}
	return 48<<20 + each*int64(h.W)*int64(h.H) + h.bytes()
}

type openQuestion struct {
	Format Format `json:"format"`
	Bytes  int    `json:"bytes"`
}

type openAnswer struct {
	Header Header `json:"header"`
	Error  string `json:"error,omitempty"`
}

type decodeAnswer struct {
	Error string `json:"error,omitempty"`
}

// File is a picture's file in a child.
type File struct {
	Header
	child  *trial.Child
	pixels *os.File
}

// Open hands a file to a child, which reads its header.
func Open(ctx context.Context, format Format, data []byte) (*File, error) {
	if len(data) == 0 {
		return nil, errors.New("it is empty")
	}
	ends, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("a socket for a decoder: %w", err)
	}
	ours, theirs := os.NewFile(uintptr(ends[0]), "pixels"), os.NewFile(uintptr(ends[1]), "pixels")
	child, err := trial.Start(trial.Limits{For: trialsOf, CPU: 10 * time.Minute, Data: mostAsked}, theirs)
	theirs.Close()
	if err != nil {
		ours.Close()
		return nil, err
	}
	f := &File{child: child, pixels: ours}
	written := make(chan struct{})
	go func() {
		ours.Write(data) // a child that is gone tells by its answer
		close(written)
	}()
	var a openAnswer
	err = f.ask(ctx, openQuestion{format, len(data)}, &a, headerPixels+4*len(data))
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		child.Close()
		<-written
		ours.Close()
		return nil, err
	}
	<-written
	f.Header = a.Header
	return f, nil
}

// Pixels decodes the picture: rows of interleaved samples.
func (f *File) Pixels(ctx context.Context) ([]byte, error) {
	if f.W < 1 || f.H < 1 || f.Samples < 1 || f.Samples > 4 || f.Bits != 8 && f.Bits != 16 || f.W > (1<<33)/f.H {
		return nil, fmt.Errorf("its decoder speaks of %d x %d pixels of %d samples of %d bits", f.W, f.H, f.Samples, f.Bits)
	}
	pix := make([]byte, f.bytes())
	read := make(chan error, 1)
	go func() {
		_, err := io.ReadFull(f.pixels, pix)
		read <- err
	}()
	var a decodeAnswer
	err := f.ask(ctx, "decode", &a, f.W*f.H)
	if err == nil && a.Error != "" {
		err = errors.New(a.Error)
	}
	if err != nil {
		f.child.Close()
		<-read
		return nil, err
	}
	select {
	case err = <-read:
	case <-time.After(time.Minute):
		f.child.Close()
		err = errors.Join(errors.New("its pixels did not come in time"), <-read)
	}
	return pix, err
}

// Close ends the child.
func (f *File) Close() {
	f.child.Close()
	f.pixels.Close()
}

func (f *File) ask(ctx context.Context, question, answer any, pixels int) error {
	cpu := baseCPU + time.Duration(pixels)*time.Microsecond
	b := trial.Bounds{CPU: cpu, Wall: patience * cpu, Memory: mostMemory + mostPerPixel*int64(pixels)}
	lean := false
	if free := int64(freeShare * float64(trial.Available())); free > 0 && free < b.Memory {
		b.Memory, lean = free, true
	}
	err := f.child.Ask(ctx, question, answer, b)
	var died *trial.Failure
	switch {
	case errors.As(err, &died) && lean:
		return fmt.Errorf("the process that decodes it failed: %s, and this machine has no more to spare now", died.How)
	case errors.As(err, &died):
		return fmt.Errorf("the process that decodes it failed: %s", died.How)
	}
	return err
}

// decoder is a file that a library of this process, the child, has open.
type decoder interface {
	header() Header
	decode() ([]byte, error)
}

// answer is the child.
func answer(questions *json.Decoder, answers *json.Encoder) error {
	socket := os.NewFile(trial.GivenAt, "pixels")
	if socket == nil {
		return errors.New("there is no socket for pixels")
	}
	var q openQuestion
	if err := questions.Decode(&q); err != nil {
		return err
	}
	data := make([]byte, q.Bytes)
	if _, err := io.ReadFull(socket, data); err != nil {
		return err
	}
	var d decoder
	var err error
	switch q.Format {
	case HEIF:
		d, err = openHEIF(data)
	case JPEG2000:
		d, err = openJPEG2000(data)
	default:
		err = fmt.Errorf("nothing decodes %q", q.Format)
	}
	if err != nil {
		return answers.Encode(openAnswer{Error: err.Error()})
	}
	if err := answers.Encode(openAnswer{Header: d.header()}); err != nil {
		return err
	}
	var next string
	if err := questions.Decode(&next); err != nil {
		return err
	}
	pix, err := d.decode()
	if err != nil {
		return answers.Encode(decodeAnswer{Error: err.Error()})
	}
	if err := answers.Encode(decodeAnswer{}); err != nil {
		return err
	}
	_, err = socket.Write(pix)
	return err
}
