package capture

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// Bounds of a sensor's message.
const (
	maxReadingBytes  = 64 << 10
	maxReadingValues = 256
	maxReadingDepth  = 8
	maxReadingName   = 128 // bytes of a value's flattened name
)

// ParseReading reads a sensor's message: a number (its name is "value"), or a JSON object whose
// numbers count, also as strings ("3.2"), with true and false as 1 and 0. Objects in objects are
// flattened with dots, and so are lists: {"wind":{"gust":[7,9]}} has wind.gust.0 and wind.gust.1.
// What is neither (texts, null) is left out; a message without any number is an error.
func ParseReading(payload []byte) (map[string]float64, error) {
	if len(payload) > maxReadingBytes {
		return nil, fmt.Errorf("a reading of %d bytes, %d is the limit", len(payload), maxReadingBytes)
	}
	payload = bytes.TrimSpace(payload)
	if v, ok := number(string(payload)); ok {
		return map[string]float64{"value": v}, nil
	}
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	r := reading{decoder: d, values: map[string]float64{}}
	if err := r.value("", 0); err != nil {
		return nil, fmt.Errorf("a reading that is no JSON object and no number: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("a reading with more behind its end")
	}
	if len(r.values) == 0 {
		return nil, errors.New("a reading without a number in it")
	}
	return r.values, nil
}

// number reads a finite decimal number.
func number(s string) (float64, bool) {
	s = strings.TrimSpace(s)
	if s == "" || len(s) > 64 || strings.ContainsAny(s, "xXpP_nN") { // no hexadecimal, no NaN, no Inf
		return 0, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return v, err == nil && !math.IsInf(v, 0)
}

// reading flattens a JSON value token by token, so that depth and size are bounded as it is read.
type reading struct {
	decoder *json.Decoder
	values  map[string]float64
}

func (r *reading) value(name string, depth int) error {
	token, err := r.decoder.Token()
	if err != nil {
		return err
	}
	switch t := token.(type) {
	case json.Delim:
		if depth == maxReadingDepth {
			return fmt.Errorf("nested more than %d deep", maxReadingDepth)
		}
		return r.nested(t, name, depth+1)
	case json.Number:
		v, ok := number(t.String())
		if !ok {
			return fmt.Errorf("%s is %.32s, which is out of range", name, t)
		}
		return r.keep(name, v)
	case string:
		if v, ok := number(t); ok {
			return r.keep(name, v)
		}
	case bool:
		v := 0.0
		if t {
			v = 1
		}
		return r.keep(name, v)
	}
	return nil
}

func (r *reading) nested(open json.Delim, name string, depth int) error {
	for i := 0; r.decoder.More(); i++ {
		part := strconv.Itoa(i)
		if open == '{' {
			key, err := r.decoder.Token()
			if err != nil {
				return err
			}
			part = key.(string)
		}
		if name != "" {
			part = name + "." + part
		}
		if len(part) > maxReadingName {
			return fmt.Errorf("a value's name of %d bytes, %d is the limit", len(part), maxReadingName)
		}
		if err := r.value(part, depth); err != nil {
			return err
		}
	}
	_, err := r.decoder.Token()
	return err
}

func (r *reading) keep(name string, v float64) error {
	if name == "" {
		name = "value"
	}
	if len(r.values) == maxReadingValues {
		return fmt.Errorf("more than %d values", maxReadingValues)
	}
	r.values[name] = v
	return nil
}
