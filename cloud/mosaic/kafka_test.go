package mosaic

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cloudcanvas/cloud/deadletter"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

func TestProductsAreMadeOfWhatKafkaHolds(t *testing.T) {
	b, err := kafka.Embed(t.TempDir(), kafka.EmbedOptions{})
	if err != nil {
		t.Fatal(err)
	}
	k, err := kafka.Dial(kafka.Options{Brokers: b.Brokers()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close(); b.Close() })
	var topics []kafka.Topic
	for _, name := range []string{event.ResultsTopic, event.EventsTopic, event.DLQTopic, event.ProductsTopic} {
		topics = append(topics, kafka.Topic{Name: name, Partitions: 2})
	}
	if err := k.EnsureTopics(t.Context(), topics...); err != nil {
		t.Fatal(err)
	}
	items := append(sceneItems(t), cameraItems(t)...)
	var records []kafka.Record
	for _, i := range items[1:] {
		records = append(records, kafka.RecordOf(i))
	}
	// The first tile is a dead letter, as a worker writes it.
	tile := itemOf(0, event.Tile, "s1/2_0", "image/tiff", []byte("no TIFF"), event.Attrs{Scene: "s1", Tile: "2_0", Want: "segment"})
	dead := kafka.RecordOf(tile)
	dead.Topic = event.DLQTopic
	dead.Headers = append(dead.Headers, event.Header{Key: deadletter.HeadReason, Value: []byte("not a TIFF file")})
	// Announced by the program before: of this edge, and of another.
	mine, others := kafka.RecordOf(formerly(t, "mast-1", "s1").Item), kafka.RecordOf(formerly(t, "mast-2", "s9").Item)
	mine.Key, others.Key = []byte("s1"), []byte("s9")
	records = append(records, mine, others)
	if err := k.Append(t.Context(), append(records, dead)...); err != nil {
		t.Fatal(err)
	}

	out := t.TempDir()
	m, err := New(Config{Settle: 300 * time.Millisecond, WorkDir: t.TempDir()}, Parts{Queue: KafkaGroup(k), Products: KafkaProducts{k}, Store: Folder(out), Annotator: annotator{}, Log: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- m.Run(ctx) }()

	// Listening to canvas.products is how anyone else would wait for them.
	listening, enough := context.WithTimeout(t.Context(), 2*time.Minute)
	defer enough()
	products, retired := make(chan Product, 10), make(chan string, 10)
	for p := range 2 {
		go k.Read(listening, event.ProductsTopic, p, 0, func(records []kafka.Record) error {
			for _, r := range records {
				if len(r.Value) == 0 {
					retired <- string(r.Key)
				}
				if item, err := r.Item(); err == nil {
					if p, err := ParseProduct(item); err == nil && string(r.Key) == p.Edge+"/"+p.Kind+"/"+p.Name {
						products <- p
					}
				}
			}
			return nil
		})
	}
	got := map[string]Product{}
	for len(got) < 2 {
		select {
		case p := <-products:
			got[p.Name] = p
		case <-listening.Done():
			t.Fatalf("only %v was made", got)
		}
	}
	select {
	case key := <-retired:
		if key != "s1" {
			t.Errorf("%s is retired", key)
		}
	case <-listening.Done():
		t.Error("the former announcement stands")
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if s := got["s1"].Scene; !got["s1"].Complete || s == nil || s.Results != 20 || s.Dead != 1 {
		t.Fatalf("scene %+v", got["s1"])
	}
	if c := got["yard"].Camera; !got["yard"].Complete || c == nil || c.Detections != 200 || c.Events != 3 {
		t.Fatalf("camera %+v", got["yard"])
	}
	for _, path := range []string{"s1/mask.tif", "s1/item.json", "yard/detections.json", "yard/annotated/frame_000030.jpg"} {
		if _, err := os.Stat(filepath.Join(out, path)); err != nil {
			t.Error(err)
		}
	}
}
