package event

import (
	"strings"
	"testing"
)

func TestTopicsComeApartAsTheyWereBuilt(t *testing.T) {
	topic := Topic("mast-7", High, Track)
	if topic != "canvas/v1/mast-7/up/1/track" {
		t.Error(topic)
	}
	edge, p, k, err := ParseTopic(topic)
	if edge != "mast-7" || p != High || k != Track || err != nil {
		t.Error(edge, p, k, err)
	}
	for got, want := range map[string]string{
		StatusTopic("a"): "canvas/v1/a/status", ReceiptsTopic("a"): "canvas/v1/a/down/receipts",
		DownTopic("a", DownModels): "canvas/v1/a/down/models", UpFilter: "canvas/v1/+/up/+/+", StatusFilter: "canvas/v1/+/status",
	} {
		if got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if edge, err := ParseStatusTopic("canvas/v1/a/status"); edge != "a" || err != nil {
		t.Error(edge, err)
	}
}

func TestStrayTopicsAreRefused(t *testing.T) {
	for _, topic := range []string{
		"", "canvas/v1/a/up/1", "canvas/v1/a/up/1/track/x", "canvas/v2/a/up/1/track", "canvas/v1/a/down/1/track",
		"canvas/v1//up/1/track", "canvas/v1/+/up/1/track", "canvas/v1/a/up/4/track", "canvas/v1/a/up/12/track", "canvas/v1/a/up/1/thing",
		"canvas/v1/../up/1/track", "canvas/v1/" + strings.Repeat("x", 129) + "/up/1/track",
	} {
		if edge, _, _, err := ParseTopic(topic); err == nil {
			t.Errorf("%q was taken as edge %q", topic, edge)
		}
	}
	for _, topic := range []string{"", "canvas/v1/status", "canvas/v1/a/b/status", "canvas/v1/a/up"} {
		if edge, err := ParseStatusTopic(topic); err == nil {
			t.Errorf("%q was taken as edge %q", topic, edge)
		}
	}
}

func TestItemsGoToTheirKafkaTopic(t *testing.T) {
	id := sampleID.String()
	for _, c := range []struct {
		item       Item
		topic, key string
	}{
		{Item{Kind: Alert}, "canvas.events", "e"},
		{Item{Kind: Track}, "canvas.events", "e"},
		{Item{Kind: Reading}, "canvas.events", "e"},
		{Item{Kind: Scene, Attrs: Attrs{Scene: "s"}}, "canvas.events", "e"},
		{Item{Kind: Ack}, "canvas.events", "e"},
		{Item{Kind: Frame}, "canvas.events", "e"},
		{Item{Kind: Crop}, "canvas.events", "e"},
		{Item{Kind: Frame, Attrs: Attrs{Want: "detect"}}, "canvas.work", id},
		{Item{Kind: Crop, Attrs: Attrs{Want: "detect"}}, "canvas.work", id},
		{Item{Kind: Tile, Attrs: Attrs{Want: "segment", Scene: "s"}}, "canvas.work", id},
		{Item{Kind: Result, Stream: "cam", Attrs: Attrs{Scene: "s"}}, "canvas.results", "e/scene/s"},
		{Item{Kind: Result, Stream: "cam", Subject: "cam/3"}, "canvas.results", "e/camera/cam"},
		{Item{Kind: Result, Subject: "cam/3"}, "canvas.results", "e/camera/cam"},
		{Item{Kind: Product, Attrs: Attrs{Scene: "s"}}, "canvas.products", "e/scene/s"},
		{Item{Kind: Product, Stream: "s"}, "canvas.products", "e/camera/s"},
		{Item{Kind: Result}, "canvas.results", "e"},
		{Item{Kind: Part, Attrs: Attrs{PartOf: Tile}}, "", ""},
	} {
		c.item.ID, c.item.Edge = sampleID, "e"
		if topic, key := Route(c.item); topic != c.topic || key != c.key {
			t.Errorf("%s: %s %s, want %s %s", c.item.Kind, topic, key, c.topic, c.key)
		}
	}
}

func FuzzParseTopic(f *testing.F) {
	f.Add("canvas/v1/a/up/1/track")
	f.Fuzz(func(t *testing.T, topic string) {
		if edge, p, k, err := ParseTopic(topic); err == nil && Topic(edge, p, k) != topic {
			t.Fatalf("%q comes back as %q", topic, Topic(edge, p, k))
		}
	})
}
