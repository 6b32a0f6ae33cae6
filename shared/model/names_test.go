package model

import (
	"errors"
	"slices"
	"testing"
)

func TestNamesAreReadAsPeopleAndExportersKeepThem(t *testing.T) {
	for text, want := range map[string][]string{
		"{0: 'cat', 1: 'dog'}":                               {"cat", "dog"},
		`{1: "driver's cab", 0: 'cat'}`:                      {"cat", "driver's cab"},
		`{"0": "cat", "1": "dog"}`:                           {"cat", "dog"},
		"['cat', 'dog']":                                     {"cat", "dog"},
		"cat\ndog\n":                                         {"cat", "dog"},
		"cat\r\ntraffic light\r\n":                           {"cat", "traffic light"},
		"train: images\nnc: 2\nnames:\n  0: cat\n  1: dog\n": {"cat", "dog"},
		"train: images\nnames: [cat, dog]\n":                 {"cat", "dog"},
		"names:\n- cat\n- no\n":                              {"cat", "no"},
		"猫\nSpaziergänger+Hund #1":                           {"猫", "Spaziergänger+Hund #1"},
	} {
		if got, err := ParseNames(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "{}", "[]", "{0: 'cat', 2: 'dog'}", "{0: 'cat', 0: 'dog'}", "{0: [a]}", "{'a': 'b'}", "cat\n\ndog", "{0: 'ca"} {
		if got, err := ParseNames(text); !errors.Is(err, ErrNames) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

func FuzzNames(f *testing.F) {
	for _, seed := range []string{"{0: 'cat'}", "[a, b]", "a\nb", "names: {0: a}", "&a [*a]"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		names, err := ParseNames(text)
		if err == nil && (len(names) == 0 || slices.Contains(names, "")) {
			t.Errorf("%q: %q", text, names)
		}
	})
}
