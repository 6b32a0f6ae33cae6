package event

import (
	"errors"
	"fmt"
	"strings"
)

// prefix is what all topics of the cloud's MQTT broker begin with.
const prefix = "canvas/v1/"

// Filters for the bridge's subscriptions: what every edge sends up, and how every edge is.
const (
	UpFilter     = prefix + "+/up/+/+"
	StatusFilter = prefix + "+/status"
)

// What the cloud sends an edge, each a topic canvas/v1/<edge>/down/<what>.
const (
	DownReceipts = "receipts"
	DownModels   = "models"
	DownConfig   = "config"
	DownQuery    = "query"
	// DownReferences carries views of the ground.
	DownReferences = "references"
)

// Topic is where an edge publishes an item: canvas/v1/<edge>/up/<priority>/<kind>.
func Topic(edge string, p Priority, k Kind) string {
	return prefix + edge + "/up/" + string(rune('0'+p)) + "/" + string(k)
}

// ParseTopic takes an upward topic apart. Names, priorities and kinds that no edge may use are
// errors, so that a stray publisher is not taken for a device.
func ParseTopic(topic string) (edge string, p Priority, k Kind, err error) {
	rest, ok := strings.CutPrefix(topic, prefix)
	part := strings.Split(rest, "/")
	if !ok || len(part) != 4 || part[1] != "up" {
		return "", 0, "", fmt.Errorf("topic %.200q is not %s<edge>/up/<priority>/<kind>", topic, prefix)
	}
	edge, k = part[0], Kind(part[3])
	if err := CheckName(edge); err != nil {
		return "", 0, "", fmt.Errorf("topic %.200q: edge: %w", topic, err)
	}
	if len(part[2]) != 1 || part[2][0] < '0' || part[2][0] > '3' {
		return "", 0, "", fmt.Errorf("topic %.200q: priority must be 0 to 3", topic)
	}
	if !k.known() {
		return "", 0, "", fmt.Errorf("topic %.200q: %w", topic, ErrUnknownKind)
	}
	return edge, Priority(part[2][0] - '0'), k, nil
}

// StatusTopic is where an edge says, retained, whether it is there.
func StatusTopic(edge string) string { return prefix + edge + "/status" }

// ParseStatusTopic gives the edge of a status topic.
func ParseStatusTopic(topic string) (edge string, err error) {
	rest, ok := strings.CutPrefix(topic, prefix)
	edge, ends := strings.CutSuffix(rest, "/status")
	if !ok || !ends {
		return "", fmt.Errorf("topic %.200q is not %s<edge>/status", topic, prefix)
	}
	if err := CheckName(edge); err != nil {
		return "", fmt.Errorf("topic %.200q: edge: %w", topic, err)
	}
	return edge, nil
}

// DownTopic is where the cloud sends an edge something: receipts, models, config, query, references.
func DownTopic(edge, what string) string { return prefix + edge + "/down/" + what }

// ParseDownTopic takes a downward topic apart.
func ParseDownTopic(topic string) (edge, what string, err error) {
	rest, ok := strings.CutPrefix(topic, prefix)
	edge, what, down := strings.Cut(rest, "/down/")
	if !ok || !down {
		return "", "", fmt.Errorf("topic %.200q is not %s<edge>/down/<what>", topic, prefix)
	}
	if err := errors.Join(CheckName(edge), CheckName(what)); err != nil {
		return "", "", fmt.Errorf("topic %.200q: %w", topic, err)
	}
	return edge, what, nil
}

// ReceiptsTopic is where the cloud publishes what Kafka has of an edge.
func ReceiptsTopic(edge string) string { return DownTopic(edge, DownReceipts) }

// CheckName says what is wrong with the name of an edge: it stands in topics, paths and sources.
func CheckName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the name is empty")
	case len(name) > 128:
		return fmt.Errorf("the name is %d characters long, 128 is the limit", len(name))
	case name == "." || name == "..":
		return fmt.Errorf("the name %q is not allowed", name)
	}
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.') {
			return fmt.Errorf("the name %.140q has %q: only letters, digits, '-', '_' and '.' are allowed", name, c)
		}
	}
	return nil
}
