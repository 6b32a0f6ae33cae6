package sar

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cloudcanvas/shared/config"
)

// maxYAML bounds a file of parameters: with an orbit it has some kilobytes.
const maxYAML = 1 << 20

// maxAGC bounds what an amplifier can have attenuated, in dB.
const maxAGC = 120

// Echoes is an acquisition that is open for reading. Several may read it at once.
type Echoes struct {
	Params Params
	// Path is the YAML file's, or the CPHD file's.
	Path string

	file  *os.File
	gains []float32   // of each line; nil: 1
	cphd  *cphdEchoes // nil: the file holds the lines as they are
}

// Open reads the YAML file, checks it, and opens what it names; or a CPHD file, which says both. Errors name the
// parameter.
func Open(path string) (*Echoes, error) {
	if c, err := foreign(path); err != nil {
		return nil, err
	} else if c != nil {
		return &Echoes{Params: c.params, Path: path, file: c.file, cphd: c}, nil
	}
	p, err := readParams(path)
	if err != nil {
		return nil, err
	}
	folder, err := os.OpenRoot(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("open the folder of %s: %w", path, err)
	}
	defer folder.Close()
	e := &Echoes{Params: p, Path: path}
	if e.file, err = folder.Open(p.Data); err != nil {
		return nil, fmt.Errorf("%s: data: open the echoes: %w", path, err)
	}
	if err = e.checkLength(); err == nil && p.AGC != "" {
		e.gains, err = readGains(folder, p.AGC, p.Lines)
	}
	if err != nil {
		e.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return e, nil
}

func readParams(path string) (Params, error) {
	p := Defaults()
	f, err := os.Open(path)
	if err != nil {
		return p, fmt.Errorf("open the parameters of echoes: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxYAML+1))
	if err != nil {
		return p, fmt.Errorf("read the parameters of echoes: %w", err)
	}
	if len(text) > maxYAML {
		return p, fmt.Errorf("%s has more than %d bytes: this is no file of parameters (is it the echoes themselves?)", path, maxYAML)
	}
	if err := config.Parse(path, text, &p, nil); err != nil {
		return p, err
	}
	centroid := 0.
	if p.DopplerCentroidHz != nil {
		centroid = *p.DopplerCentroidHz
	}
	if _, err := p.withVelocity(centroid); err != nil {
		return p, fmt.Errorf("%s: %w", path, err)
	}
	return p, nil
}

func (e *Echoes) checkLength() error {
	p := &e.Params
	info, err := e.file.Stat()
	if err != nil {
		return fmt.Errorf("data: %w", err)
	}
	if !info.Mode().IsRegular() {
		return fmt.Errorf("data: %s is no regular file: copy the echoes into one", p.Data)
	}
	line := int64(p.Samples) * int64(p.Format.Bytes())
	got, want := info.Size(), line*int64(p.Lines)
	if got == want {
		return nil
	}
	looks := fmt.Sprintf("%d lines", got/line)
	if rest := got % line; rest != 0 {
		looks += fmt.Sprintf(" and %d bytes more", rest)
	}
	hint := "correct lines, samples or format, or fetch the whole file"
	for _, f := range []Format{IQ8, IQ16, CF32} {
		if int64(p.Samples)*int64(p.Lines)*int64(f.Bytes()) == got {
			hint = fmt.Sprintf("it would fit format: %s", f)
		}
	}
	return fmt.Errorf("data: %s has %d bytes, %s of %d samples in %s, but lines says %d (%d bytes): %s", p.Data, got, looks, p.Samples, p.Format, p.Lines, want, hint)
}

// readGains reads a number a line: dB of attenuation.
func readGains(folder *os.Root, name string, lines int) ([]float32, error) {
	f, err := folder.Open(name)
	if err != nil {
		return nil, fmt.Errorf("agc: %w", err)
	}
	defer f.Close()
	gains := make([]float32, 0, min(lines, 1<<16))
	scan := bufio.NewScanner(f)
	more := 0
	for scan.Scan() {
		for _, word := range strings.Fields(scan.Text()) {
			db, err := strconv.ParseFloat(word, 64)
			if err != nil || !(math.Abs(db) <= maxAGC) {
				return nil, fmt.Errorf("agc: number %d of %s is %.40q, not an attenuation of -%d to %d dB", len(gains)+1, name, word, maxAGC, maxAGC)
			}
			if len(gains) < lines {
				gains = append(gains, float32(math.Pow(10, db/20)))
			} else {
				more++
			}
		}
	}
	if err := scan.Err(); err != nil {
		return nil, fmt.Errorf("agc: read %s: %w", name, err)
	}
	if n := len(gains) + more; n != lines {
		return nil, fmt.Errorf("agc: %s has %d numbers for %d lines: give one for each line", name, n, lines)
	}
	return gains, nil
}

// Close closes the files.
func (e *Echoes) Close() error { return e.file.Close() }

// Raw are lines as the file has them, and the gain of each (nil: 1).
func (e *Echoes) Raw(from, lines int) (raw []byte, gains []float32, err error) {
	p := &e.Params
	if from < 0 || lines < 0 || lines > p.Lines || from > p.Lines-lines {
		return nil, nil, fmt.Errorf("read lines %d to %d of echoes: there are %d", from, from+lines-1, p.Lines)
	}
	if e.cphd != nil {
		if raw, err = e.cphd.lines(from, lines); err != nil {
			err = fmt.Errorf("read lines %d to %d of %s: CPHD: %w", from, from+lines-1, p.Data, err)
		}
		return raw, nil, err
	}
	line := p.Samples * p.Format.Bytes()
	collect(lines * line)
	raw = make([]byte, lines*line)
	if _, err := e.file.ReadAt(raw, int64(from)*int64(line)); err != nil {
		if errors.Is(err, io.EOF) {
			err = errors.New("the file has become shorter since it was opened")
		}
		return nil, nil, fmt.Errorf("read lines %d to %d of %s: %w", from, from+lines-1, p.Data, err)
	}
	if e.gains != nil {
		gains = e.gains[from : from+lines]
	}
	return raw, gains, nil
}
