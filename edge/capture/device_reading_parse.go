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
// What is neither (texts, null) is left out, and so is a number that is none (NaN, 1e999): it costs one
// value and not the message. A message without any number is an error.
func ParseReading(payload []byte) (map[string]float64, error) {
	values, _, err := parseReading(payload)
	return values, err
}

// parseReading says besides how many values were no finite numbers.
func parseReading(payload []byte) (values map[string]float64, bad int, err error) {
	if len(payload) > maxReadingBytes {
		return nil, 0, refused{SkipSize, fmt.Errorf("a reading of %d bytes, %d is the limit", len(payload), maxReadingBytes)}
	}
	payload = bytes.TrimSpace(payload)
	if v, ok := number(string(payload)); ok {
		return map[string]float64{"value": v}, 0, nil
	}
	payload, bad = withoutNaN(payload)
	d := json.NewDecoder(bytes.NewReader(payload))
	d.UseNumber()
	r := reading{decoder: d, values: map[string]float64{}}
	if err := r.value("", 0); err != nil {
		return nil, 0, fmt.Errorf("a reading that is no JSON object and no number: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, 0, errors.New("a reading with more behind its end")
	}
	if len(r.values) == 0 {
		return nil, 0, errors.New("a reading without a number in it")
	}
	return r.values, bad + r.bad, nil
}

// notNumbers are how programs write what JSON has no word for, the longest first.
var notNumbers = []string{"-Infinity", "Infinity", "-NaN", "NaN", "-nan", "nan", "-inf", "inf"}

// withoutNaN puts null where such a word stands outside of a text, and says how often.
func withoutNaN(payload []byte) (_ []byte, n int) {
	if !bytes.ContainsAny(payload, "Nn") {
		return payload, 0
	}
	out := make([]byte, 0, len(payload))
	for at, inText := 0, false; at < len(payload); {
		c := payload[at]
		if inText && c == '\\' && at+1 < len(payload) {
			out = append(out, c, payload[at+1])
			at += 2
			continue
		}
		if c == '"' {
			inText = !inText
		}
		if word := wordAt(payload, at); !inText && word != "" {
			out = append(out, "null"...)
			at += len(word)
			n++
			continue
		}
		out = append(out, c)
		at++
	}
	return out, n
}

// wordAt is the word for no number that stands there as a whole.
func wordAt(payload []byte, at int) string {
	if at > 0 && !strings.ContainsRune(":,[ \t\r\n", rune(payload[at-1])) {
		return ""
	}
	for _, word := range notNumbers {
		if rest, ok := bytes.CutPrefix(payload[at:], []byte(word)); ok && (len(rest) == 0 || strings.ContainsRune(",]} \t\r\n", rune(rest[0]))) {
			return word
		}
	}
	return ""
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
	bad     int // numbers that are out of range
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
			r.bad++
			return nil
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
