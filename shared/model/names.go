package model

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// ErrNames says that a text is no list of labels.
var ErrNames = errors.New("is no list of names")

// ParseNames reads labels as people and exporters keep them: a file of lines, a data.yaml whose names are a
// list or numbered from 0, or such a list itself, as Ultralytics writes it into its exports.
func ParseNames(text string) ([]string, error) {
	if len(text) > maxManifest {
		return nil, fmt.Errorf("%w: it is over %d bytes", ErrNames, maxManifest)
	}
	var doc yaml.Node
	if err := yaml.Unmarshal([]byte(text), &doc); err == nil && len(doc.Content) == 1 {
		node := doc.Content[0]
		if names := valueOf(node, "names"); names != nil {
			node = names
		}
		switch node.Kind {
		case yaml.MappingNode:
			return numbered(node)
		case yaml.SequenceNode:
			return listed(node)
		}
	}
	if t := strings.TrimSpace(text); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
		return nil, fmt.Errorf("%w: %.60q can't be read", ErrNames, t)
	}
	return lines(text)
}

// lines are one name each; empty ones at the end are none.
func lines(text string) ([]string, error) {
	list := strings.Split(strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n")
	for i, l := range list {
		if list[i] = strings.TrimSpace(l); list[i] == "" {
			return nil, fmt.Errorf("%w: line %d is empty", ErrNames, i+1)
		}
	}
	if len(list) > maxLabels {
		return nil, fmt.Errorf("%w: it has %d lines, %d is the limit", ErrNames, len(list), maxLabels)
	}
	return list, nil
}

func valueOf(node *yaml.Node, key string) *yaml.Node {
	if node.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(node.Content); i += 2 {
		if node.Content[i].Value == key {
			return node.Content[i+1]
		}
	}
	return nil
}

// listed are the names of a list in its order.
func listed(node *yaml.Node) ([]string, error) {
	if len(node.Content) == 0 || len(node.Content) > maxLabels {
		return nil, fmt.Errorf("%w: it has %d names", ErrNames, len(node.Content))
	}
	list := make([]string, len(node.Content))
	for i, n := range node.Content {
		if n.Kind != yaml.ScalarNode || n.Value == "" {
			return nil, fmt.Errorf("%w: number %d is no name", ErrNames, i)
		}
		list[i] = n.Value
	}
	return list, nil
}

// numbered are the names by their numbers, which must be all from 0 on.
func numbered(node *yaml.Node) ([]string, error) {
	n := len(node.Content) / 2
	if n == 0 || n > maxLabels {
		return nil, fmt.Errorf("%w: it has %d names", ErrNames, n)
	}
	list := make([]string, n)
	for i := 0; i < 2*n; i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		at, err := strconv.Atoi(key.Value)
		switch {
		case err != nil || at < 0 || at >= n:
			return nil, fmt.Errorf("%w: %.40q is no number from 0 to %d", ErrNames, key.Value, n-1)
		case value.Kind != yaml.ScalarNode || value.Value == "":
			return nil, fmt.Errorf("%w: number %d is no name", ErrNames, at)
		case list[at] != "":
			return nil, fmt.Errorf("%w: number %d is given twice", ErrNames, at)
		}
		list[at] = value.Value
	}
	return list, nil
}
