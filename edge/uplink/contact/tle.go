package contact

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/akhenakh/sgp4"
)

// Elements are two-line orbital elements that have been checked.
type Elements struct {
	Lines [2]string
	Epoch time.Time
}

const (
	tleWidth    = 69
	maxTLEBytes = 4096
	// SGP4 is for near-Earth orbits; slower ones need the deep-space terms, which the library lacks.
	leastRevolutions = 1440.0 / 225
)

// ParseElements reads elements of two lines, with or without a line with the name above them. The
// format is NORAD's: fixed columns, and in column 69 the sum of the digits, '-' counted as 1, modulo 10.
func ParseElements(text string) (Elements, error) {
	var e Elements
	if len(text) > maxTLEBytes {
		return e, fmt.Errorf("%d bytes are too long for two lines of elements", len(text))
	}
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n\t"); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 3 {
		lines = lines[1:]
	}
	if len(lines) != 2 {
		return e, fmt.Errorf("%d lines, not two (three with the name)", len(lines))
	}
	for i, line := range lines {
		if err := checkLine(line, byte('1'+i)); err != nil {
			return e, fmt.Errorf("line %d: %w", i+1, err)
		}
		e.Lines[i] = line
	}
	if lines[0][2:7] != lines[1][2:7] {
		return e, fmt.Errorf("line 1 is of satellite %s, line 2 of %s", lines[0][2:7], lines[1][2:7])
	}
	if err := e.checkNumbers(); err != nil {
		return e, err
	}
	if _, err := e.satellite(); err != nil {
		return e, err
	}
	return e, nil
}

func checkLine(line string, number byte) error {
	if len(line) != tleWidth {
		return fmt.Errorf("has %d characters, not %d", len(line), tleWidth)
	}
	sum := 0
	for i := range tleWidth {
		c := line[i]
		switch {
		case c < ' ' || c > '~':
			return fmt.Errorf("has a character that does not belong there in column %d", i+1)
		case i == tleWidth-1:
		case c >= '0' && c <= '9':
			sum += int(c - '0')
		case c == '-':
			sum++
		}
	}
	if line[0] != number || line[1] != ' ' {
		return fmt.Errorf("begins with %q, not \"%c \"", line[:2], number)
	}
	if want := byte('0' + sum%10); line[tleWidth-1] != want {
		return fmt.Errorf("the checksum in column 69 is %q, its digits make %q: a character was changed or lost", line[tleWidth-1], want)
	}
	return nil
}

// checkNumbers reads the numbers that matter and sets the epoch.
func (e *Elements) checkNumbers() error {
	number := func(line, from, to int, least, most float64, what string) (float64, error) {
		text := strings.TrimSpace(e.Lines[line-1][from-1 : to])
		if what == "eccentricity" {
			text = "0." + text
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !(n >= least && n <= most) {
			return 0, fmt.Errorf("line %d: the %s %q is not between %g and %g", line, what, text, least, most)
		}
		return n, nil
	}
	year, err := number(1, 19, 20, 0, 99, "epoch's year")
	if err != nil {
		return err
	}
	days, err := number(1, 21, 32, 1, 367, "epoch's day")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		from, to    int
		least, most float64
		what        string
	}{{9, 16, 0, 180, "inclination"}, {18, 25, 0, 360, "ascending node"}, {27, 33, 0, 0.9, "eccentricity"},
		{35, 42, 0, 360, "argument of perigee"}, {44, 51, 0, 360, "mean anomaly"}, {53, 63, 0, 18, "mean motion"}} {
		n, err := number(2, f.from, f.to, f.least, f.most, f.what)
		if err != nil {
			return err
		}
		if f.what == "mean motion" && n < leastRevolutions {
			return fmt.Errorf("%.2f revolutions a day: only orbits of up to 225 minutes are predicted; list the windows instead", n)
		}
	}
	full := int(year) + 2000
	if year >= 57 { // NORAD's rule: the first satellite flew in 1957
		full -= 100
	}
	e.Epoch = time.Date(full, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration((days - 1) * float64(day)))
	return nil
}

func (e Elements) satellite() (*sgp4.TLE, error) {
	s, err := sgp4.ParseTLE(e.Lines[0] + "\n" + e.Lines[1])
	if err != nil {
		return nil, fmt.Errorf("orbital elements: %w", err)
	}
	return s, nil
}

func readElements(file string) (string, error) {
	info, err := os.Stat(file)
	if err != nil {
		return "", err
	}
	if info.Size() > maxTLEBytes {
		return "", fmt.Errorf("%s has %d bytes, more than two lines of elements", file, info.Size())
	}
	text, err := os.ReadFile(file)
	return string(text), err
}
