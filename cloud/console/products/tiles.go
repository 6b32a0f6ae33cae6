package products

import (
	"encoding/json"
	"errors"
	"fmt"

	"cloudcanvas/cloud/console/index"
	"cloudcanvas/cloud/console/text"
	"cloudcanvas/shared/event"
)

// TileFate is the edge's decision about a tile and what became of it: a line of tiles.json, or of a radar's
// blocks.json.
type TileFate struct {
	Tile     string   `json:"tile"`
	Decision string   `json:"decision"`
	Reason   string   `json:"reason"`
	Score    float64  `json:"score"`
	Cloud    float64  `json:"cloud"`
	NoData   float64  `json:"nodata"`
	Bytes    int      `json:"bytes"`
	State    string   `json:"state"` // result, dead, missing or dropped
	Model    string   `json:"model"`
	By       string   `json:"judged_by"` // edge or cloud; empty in products of before
	Found    *float64 `json:"found"`
	Why      string   `json:"why"`

	// Of a radar's block: the rows of the image that it makes, those of which there is the device's own amplitude
	// alone, and the targets in them.
	FirstRow int `json:"first_row"`
	Rows     int `json:"rows"`
	Shown    int `json:"shown"`
	Targets  int `json:"targets"`
}

// Because says in words what became of the tile and why.
func (t TileFate) Because() string {
	switch {
	case t.Rows > 0:
		return t.block()
	case t.State == "dead":
		return "is a dead letter: " + t.Why
	case t.State == "missing":
		return "was sent, its result has not come yet"
	case t.Reason == event.SentMask && t.By == "cloud":
		return fmt.Sprintf("its mask was sent first, and its pixels when they were asked for; %s found %s", t.Model, text.Percent(t.Found))
	case t.Reason == event.SentMask:
		return fmt.Sprintf("only its mask was sent: %s on the device was sure of it, and found %s", t.Model, text.Percent(t.Found))
	case t.Decision == event.TileSent:
		return fmt.Sprintf("was sent: worth %.2f to the edge, which saw %.0f %% cloud; %s found %s", t.Score, 100*t.Cloud, t.Model, text.Percent(t.Found))
	case t.Reason == event.DroppedNoData:
		return fmt.Sprintf("was not sent: %.0f %% of it has no data", 100*t.NoData)
	case t.Reason == event.DroppedCloud:
		return fmt.Sprintf("was not sent: %.0f %% of it is cloud", 100*t.Cloud)
	case t.Reason == event.DroppedUnchanged:
		return "was not sent: nothing in it has changed"
	}
	return "was not sent: " + t.Reason
}

// block says in words what became of a block of echoes.
func (t TileFate) block() string {
	said := fmt.Sprintf("rows %d to %d: ", t.FirstRow, t.FirstRow+t.Rows-1)
	switch t.State {
	case "result":
		said += fmt.Sprintf("focused by %s, %s", t.Model, text.Are(t.Targets, "bright target", "bright targets"))
	case "partial":
		said += fmt.Sprintf("focused by %s; %s", t.Model, t.Why)
	case "amplitude":
		return said + "the device sent its own amplitude in place of the echoes"
	case "dead":
		said += "is a dead letter: " + t.Why
	case "dropped":
		said += "was not sent: " + t.Reason
	default:
		said += "was sent, its result has not come yet"
		if t.Why != "" {
			said = fmt.Sprintf("rows %d to %d: %s", t.FirstRow, t.FirstRow+t.Rows-1, t.Why)
		}
	}
	if t.Shown > 0 {
		said += fmt.Sprintf("; of %d rows the device's own amplitude stands", t.Shown)
	}
	return said
}

// maxTilesFile bounds what is read of tiles.json.
const maxTilesFile = 64 << 20

// Tiles reads what became of each of a scene's tiles.
func (f *Folder) Tiles(p *index.Product) ([]TileFate, error) {
	file := tilesFile
	if p.Radar != nil {
		file = blocksFile
	}
	data, err := f.Read(p, file, maxTilesFile)
	if err != nil {
		return nil, err
	}
	var tiles []TileFate
	if err := json.Unmarshal(data, &tiles); err != nil {
		return nil, errors.New("the list of tiles is broken: " + file + " is not as it should be")
	}
	return tiles, nil
}
