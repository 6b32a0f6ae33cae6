package main

import (
	"context"
	"fmt"

	"github.com/oklog/ulid/v2"

	"cloudcanvas/cmd/internal/appliance"
	"cloudcanvas/shared/event"
	"cloudcanvas/shared/kafka"
)

// summary is DIR/summary.json, as docs/contracts.md lays down.
type summary struct {
	Version  string         `json:"version"`
	Engines  []engineLine   `json:"engines"`
	Scenes   []sceneLine    `json:"scenes"`
	Radar    []radarLine    `json:"radar"`
	Cameras  []cameraLine   `json:"cameras"`
	Delivery deliveryCounts `json:"delivery"`
	Failed   []failedInput  `json:"failed"`
	Seconds  float64        `json:"seconds"`
}

// engineLine says which engine really ran a model, and how it did on the golden case.
type engineLine struct {
	Model  string  `json:"model"`
	Engine string  `json:"engine"`
	Device string  `json:"device"`
	Golden string  `json:"golden"`
	Ms     float64 `json:"ms"`
	// Of a detector: boxes above its score floor, and those of them that can't be boxes.
	Candidates int64 `json:"candidates,omitempty"`
	ThrownAway int64 `json:"thrown_away,omitempty"`
}

type sceneLine struct {
	ID            string     `json:"id"`
	Width         int        `json:"width"`
	Height        int        `json:"height"`
	Tiles         tileCounts `json:"tiles"`
	Bytes         sceneBytes `json:"bytes"`
	Precision     float64    `json:"precision"`      // by how much a pixel that was sent may be off, in reflectance; 0: not at all
	CloudFraction *float64   `json:"cloud_fraction"` // of what was judged; null where nothing was
	// Shares of the mask's pixels, those without data aside: of which nobody said what they show, whose class the
	// device decided, and whose a model of the cloud. Null where there is no mask.
	NotJudged     *float64 `json:"not_judged"`
	JudgedByEdge  *float64 `json:"judged_by_edge"`
	JudgedByCloud *float64 `json:"judged_by_cloud"`
	Screening     string   `json:"screening"` // the rule or network that screened the tiles
	Complete      bool     `json:"complete"`
	Seconds       float64  `json:"seconds"`
	// Facts are what reading the scene rested on, Warnings what a person should look at.
	Facts    []event.SceneFact `json:"facts"`
	Warnings []string          `json:"warnings"`
}

type tileCounts struct {
	Total   int `json:"total"`
	Sent    int `json:"sent"`
	Masks   int `json:"masks"` // of these, as the device's own mask in place of the pixels
	Dropped struct {
		NoData    int `json:"nodata"`
		Cloud     int `json:"cloud"`
		Unchanged int `json:"unchanged"`
	} `json:"dropped"`
}

type sceneBytes struct {
	Scene    int64 `json:"scene"`    // the file
	Uplinked int64 `json:"uplinked"` // what went over the link for it
}

type cameraLine struct {
	Name            string  `json:"name"`
	Frames          int     `json:"frames"`
	Detections      int     `json:"detections"`
	FramesPerSecond float64 `json:"frames_per_second"`
	Seconds         float64 `json:"seconds"`
	LookedAgain     int     `json:"looked_again,omitempty"` // pictures whose detections are those of the cloud's model
}

// deliveryCounts are ids counted at both ends.
type deliveryCounts struct {
	Committed    uint64 `json:"committed"`     // in the outbox
	Received     uint64 `json:"received"`      // by the cloud's receipts
	KafkaRecords uint64 `json:"kafka_records"` // distinct ids of the edge found in Kafka
	Ledger       uint64 `json:"ledger"`        // dropped after commit, each with a reason
	Lost         uint64 `json:"lost"`
	Duplicates   uint64 `json:"duplicates"`
	Quarantined  uint64 `json:"quarantined"`
}

// failedInput is an input that could not be used, wholly or in part.
type failedInput struct {
	Input string `json:"input"`
	Error string `json:"error"`
}

// countDelivery counts ids at both ends: what the outbox committed, and what lies in Kafka.
func countDelivery(ctx context.Context, a *appliance.Appliance) (deliveryCounts, error) {
	s := a.Agent.Stats()
	d := deliveryCounts{Committed: s.Committed, Received: s.Received, Ledger: s.Dropped}
	seen := map[ulid.ULID]bool{}
	for _, topic := range []string{event.EventsTopic, event.WorkTopic, event.ResultsTopic, event.DLQTopic} {
		offsets, err := a.Kafka.Offsets(ctx, topic)
		if err != nil {
			return d, err
		}
		for p, span := range offsets {
			err := a.Kafka.Scan(ctx, topic, p, span.First, span.End, func(r kafka.Record) error {
				i, err := r.Item()
				switch {
				case topic == event.DLQTopic:
					d.Quarantined++
				case err != nil:
					return fmt.Errorf("an unreadable record in %s: %w", topic, err)
				case !a.Agent.Knows(i.Epoch) || i.Seq == 0: // made in the cloud
				case seen[i.ID]:
					d.Duplicates++
				default:
					seen[i.ID] = true
				}
				return nil
			})
			if err != nil {
				return d, fmt.Errorf("count what Kafka has: %w", err)
			}
		}
	}
	d.KafkaRecords = uint64(len(seen))
	d.Quarantined += uint64(a.Agent.Quarantined())
	if there := d.KafkaRecords + d.Ledger; there < d.Committed {
		d.Lost = d.Committed - there
	}
	return d, nil
}
