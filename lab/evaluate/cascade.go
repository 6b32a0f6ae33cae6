package evaluate

import (
	"fmt"
	"math"
	"slices"
)

// Piece is what a device may send whole or only speak of: a tile, a detection's crop.
type Piece struct {
	Doubt        float64 // of the device's network, from 0: what is in most doubt is sent first
	Small, Large int     // bytes of what the device says of it, and of it with its pixels
}

// CascadePoint is a cascade at one setting: pieces of at least that doubt are sent.
type CascadePoint struct {
	Doubt   float64 `json:"doubt"`   // from this on; of the first point above all pieces': none
	Sent    float64 `json:"sent"`    // share of the pieces
	Bytes   float64 `json:"bytes"`   // share of what sending all takes
	Quality float64 `json:"quality"` // of what comes out, 0 … 1
	Gain    float64 `json:"gain"`    // share of the way from the device alone to the cloud alone
}

// Cascade is quality against bytes of a device's network with a larger one behind it.
type Cascade struct {
	Edge   float64        `json:"edge"`  // quality of the device alone
	Cloud  float64        `json:"cloud"` // quality where everything is sent
	Points []CascadePoint `json:"points"`
	Chosen CascadePoint   `json:"chosen"` // the best within the budget
	Pays   bool           `json:"pays"`
	Why    string         `json:"why"`
}

// none is a doubt that none of the pieces reaches.
func none(pieces []Piece) float64 {
	most := 1.0
	for _, p := range pieces {
		most = max(most, p.Doubt)
	}
	return 1.01 * most
}

// least is a difference of quality worth speaking of.
const least = 0.001

// MeasureCascade sends more and more of the pieces, those in most doubt first. quality is what comes
// out when pieces from that doubt on are sent; cloud is the quality where everything goes, all is the
// bytes of that, and budget the share of them that may be spent.
func MeasureCascade(pieces []Piece, quality func(doubt float64) float64, cloud float64, all int, budget float64, steps int) Cascade {
	c := Cascade{Edge: quality(none(pieces)), Cloud: cloud}
	for _, doubt := range doubtSteps(pieces, steps) {
		p := CascadePoint{Doubt: doubt, Quality: quality(doubt)}
		sent, bytes := 0, 0
		for _, piece := range pieces {
			if piece.Doubt >= doubt {
				sent++
				bytes += piece.Large
			} else {
				bytes += piece.Small
			}
		}
		p.Sent, p.Bytes = float64(sent)/float64(max(len(pieces), 1)), float64(bytes)/float64(max(all, 1))
		if way := c.Cloud - c.Edge; math.Abs(way) >= least {
			p.Gain = (p.Quality - c.Edge) / way
		}
		c.Points = append(c.Points, p)
	}
	c.choose(budget)
	return c
}

// doubtSteps are doubts at equal steps of the pieces' number, from none sent to all.
func doubtSteps(pieces []Piece, steps int) []float64 {
	doubts := make([]float64, len(pieces))
	for i, p := range pieces {
		doubts[i] = p.Doubt
	}
	slices.Sort(doubts)
	out := []float64{none(pieces)}
	for step := 1; step <= steps && len(doubts) > 0; step++ {
		out = append(out, doubts[len(doubts)-max(1, len(doubts)*step/steps)])
	}
	return slices.Compact(out)
}

// choose takes the best point that the budget allows, of equals the cheapest, and says whether it is
// worth its bytes: better than the device alone, and than spending the same bytes at random.
func (c *Cascade) choose(budget float64) {
	c.Chosen = c.Points[0]
	for _, p := range c.Points {
		if p.Bytes <= budget && p.Quality > c.Chosen.Quality+least {
			c.Chosen = p
		}
	}
	p, first := c.Chosen, c.Points[0]
	random := c.Edge + (c.Cloud-c.Edge)*(p.Bytes-first.Bytes)/max(1-first.Bytes, least)
	switch {
	case first.Bytes > budget:
		c.Why = fmt.Sprintf("what the device says takes %.1f %% of the bytes already, the budget is %.1f %%", 100*first.Bytes, 100*budget)
	case c.Cloud <= c.Edge+least && p.Quality <= c.Edge+least:
		c.Why = fmt.Sprintf("the cloud's model is not better on these labels (%.3f, the device's %.3f): let the device decide", c.Cloud, c.Edge)
	case p.Quality <= c.Edge+least:
		c.Why = fmt.Sprintf("no point within %.1f %% of the bytes is better than the device alone (%.3f)", 100*budget, c.Edge)
	case p.Quality <= random:
		c.Why = fmt.Sprintf("%.3f for %.1f %% of the bytes is no more than pieces chosen at random would give (%.3f)", p.Quality, 100*p.Bytes, random)
	case c.Cloud <= c.Edge+least:
		c.Pays = true
		c.Why = fmt.Sprintf("%.3f for %.1f %% of the bytes is better than either model alone: the cloud's is right where the device doubts", p.Quality, 100*p.Bytes)
	default:
		c.Pays = true
		c.Why = fmt.Sprintf("%.0f %% of what the cloud's model gains for %.1f %% of the bytes", 100*p.Gain, 100*p.Bytes)
	}
}
