package event

import "strings"

// Kafka's topics.
const (
	EventsTopic   = "canvas.events"   // key edge: alerts, tracks, readings, manifests, snapshots, drops
	WorkTopic     = "canvas.work"     // key item id: what a heavy model must see
	ResultsTopic  = "canvas.results"  // key edge and scene or camera: what models found
	ProductsTopic = "canvas.products" // key edge and scene or camera, compacted: finished products
	DLQTopic      = "canvas.dlq"      // as it came: poison, with the reason in headers
	BridgeTopic   = "canvas.bridge"   // key slot, compacted: the bridge's checkpoints
)

// Route is the Kafka topic an item belongs to and its key there. A part has no topic: it is not
// an item until all its fellows are there.
func Route(i Item) (topic, key string) {
	switch i.Kind {
	case Part:
		return "", ""
	case Result:
		return ResultsTopic, i.about()
	case Product:
		return ProductsTopic, i.about()
	case Tile:
		return WorkTopic, i.ID.String()
	case Crop, Frame:
		if i.Attrs.Want != "" {
			return WorkTopic, i.ID.String()
		}
	}
	return EventsTopic, i.Edge
}

// about is the scene or camera that an item is about and the edge that it is of, so that all of one
// lands in one partition, and none of another takes its place: names are chosen edge by edge. An
// edge's name has no slash.
func (i Item) about() string {
	head, _, _ := strings.Cut(i.Subject, "/")
	switch name := i.FormerKey(); {
	case i.Edge == "" || i.Attrs.Scene == "" && i.Stream == "" && head == "":
		return name
	case i.Attrs.Scene != "":
		return i.Edge + "/scene/" + name
	default:
		return i.Edge + "/camera/" + name
	}
}

// FormerKey is the key of results and products in records written before keys named the edge. Such
// records are still there to be read.
func (i Item) FormerKey() string {
	if i.Attrs.Scene != "" {
		return i.Attrs.Scene
	}
	if i.Stream != "" {
		return i.Stream
	}
	head, _, _ := strings.Cut(i.Subject, "/")
	if head != "" {
		return head
	}
	return i.Edge
}
