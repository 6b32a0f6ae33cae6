package linksim

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	maxTraceBytes = 256 << 20
	maxCaptures   = 5_000_000
	maxItemBytes  = 1 << 30
)

// ReadTrace reads a trace from a .json or .csv file.
func ReadTrace(file string) (Trace, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read the trace: %w", err)
	}
	defer f.Close()
	in := io.LimitReader(f, maxTraceBytes)
	var t Trace
	if strings.HasSuffix(file, ".json") {
		t, err = ParseJSON(in)
	} else {
		t, err = ParseCSV(in)
	}
	if err != nil {
		return nil, fmt.Errorf("read the trace %s: %w", file, err)
	}
	return t, nil
}

// captureJSON is a Capture with its time in seconds. Seen and Looks may be left out: screening on
// board is right then.
type captureJSON struct {
	At      float64  `json:"at_s"`
	Kind    string   `json:"kind"`
	Bytes   int      `json:"bytes"`
	Cloud   float64  `json:"cloud"`
	Changed bool     `json:"changed"`
	Value   float64  `json:"value"`
	Seen    *float64 `json:"seen"`
	Looks   *bool    `json:"looks"`
}

// ParseJSON reads an array of captures.
func ParseJSON(in io.Reader) (Trace, error) {
	var rows []captureJSON
	d := json.NewDecoder(in)
	d.DisallowUnknownFields()
	if err := d.Decode(&rows); err != nil {
		return nil, fmt.Errorf("%w: an array of captures is wanted, see docs/simulation.md", err)
	}
	return captures(rows)
}

// columns of a CSV trace; the last two may be left out.
var columns = []string{"at_s", "kind", "bytes", "cloud", "changed", "value", "seen", "looks"}

// ParseCSV reads captures of the columns that its first line names in this order.
func ParseCSV(in io.Reader) (Trace, error) {
	r := csv.NewReader(in)
	head, err := r.Read()
	if err != nil {
		return nil, fmt.Errorf("the first line: %w", err)
	}
	if len(head) < 6 || len(head) > len(columns) || !slices.Equal(head, columns[:len(head)]) {
		return nil, fmt.Errorf("the first line is %q, not %q", strings.Join(head, ","), strings.Join(columns, ","))
	}
	var rows []captureJSON
	for {
		f, err := r.Read()
		if errors.Is(err, io.EOF) {
			return captures(rows)
		}
		if err != nil {
			return nil, err
		}
		line, _ := r.FieldPos(0)
		row, err := parseRow(f)
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		if rows = append(rows, row); len(rows) > maxCaptures {
			return nil, fmt.Errorf("more than %d captures", maxCaptures)
		}
	}
}

func parseRow(f []string) (c captureJSON, err error) {
	number := func(i int) float64 {
		x, e := strconv.ParseFloat(f[i], 64)
		if e != nil {
			err = fmt.Errorf("%s is %q, not a number", columns[i], f[i])
		}
		return x
	}
	truth := func(i int) bool {
		x, e := strconv.ParseBool(f[i])
		if e != nil {
			err = fmt.Errorf("%s is %q, not true or false", columns[i], f[i])
		}
		return x
	}
	c = captureJSON{At: number(0), Kind: f[1], Cloud: number(3), Changed: truth(4), Value: number(5)}
	if c.Bytes, _ = strconv.Atoi(f[2]); c.Bytes == 0 {
		err = fmt.Errorf("bytes is %q, not a whole number above 0", f[2])
	}
	if len(f) > 6 {
		x := number(6)
		c.Seen = &x
	}
	if len(f) > 7 {
		x := truth(7)
		c.Looks = &x
	}
	return c, err
}

func captures(rows []captureJSON) (Trace, error) {
	if len(rows) == 0 || len(rows) > maxCaptures {
		return nil, fmt.Errorf("%d captures; 1 to %d are wanted", len(rows), maxCaptures)
	}
	t := make(Trace, len(rows))
	for n, row := range rows {
		c := Capture{Kind: row.Kind, Bytes: row.Bytes, Cloud: row.Cloud, Changed: row.Changed, Value: row.Value, Seen: row.Value, Looks: row.Changed}
		if row.Seen != nil {
			c.Seen = *row.Seen
		}
		if row.Looks != nil {
			c.Looks = *row.Looks
		}
		share := func(x float64) bool { return x >= 0 && x <= 1 }
		switch {
		case !(row.At >= 0 && row.At <= 366*86400):
			return nil, fmt.Errorf("capture %d: at_s is %g, not between 0 and a year", n+1, row.At)
		case !slices.Contains(kinds, c.Kind):
			return nil, fmt.Errorf("capture %d: kind is %q, not one of %s", n+1, c.Kind, strings.Join(kinds, ", "))
		case c.Bytes < 1 || c.Bytes > maxItemBytes:
			return nil, fmt.Errorf("capture %d: bytes is %d, not between 1 and %d", n+1, c.Bytes, maxItemBytes)
		case !share(c.Cloud) || !share(c.Value) || !share(c.Seen):
			return nil, fmt.Errorf("capture %d: cloud, value and seen lie between 0 and 1", n+1)
		}
		c.At = time.Duration(math.Round(row.At * float64(time.Second)))
		t[n] = c
	}
	slices.SortStableFunc(t, func(a, b Capture) int { return int(a.At - b.At) })
	return t, nil
}
