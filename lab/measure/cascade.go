package measure

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"cloudcanvas/lab/evaluate"
	"cloudcanvas/shared/visible"
)

// Cascade is what both cascades have in common.
type Cascade struct {
	Options
	Edge, Cloud string  // models
	Budget      float64 // share of the bytes of sending everything that may be spent
	Steps       int     // points of the curve
}

// of are the options with one of the two models.
func (k Cascade) of(model string) Options {
	o := k.Options
	o.Model = model
	return o
}

// CascadeReport is report.json. Where pieces can be sent in several ways, it is of the recommended one.
type CascadeReport struct {
	EdgeModel  string  `json:"edge_model"`
	CloudModel string  `json:"cloud_model"`
	Figure     string  `json:"figure"`    // what the quality is
	Doubt      string  `json:"order"`     // what the doubt is
	AllBytes   int     `json:"all_bytes"` // of sending everything
	Budget     float64 `json:"budget"`
	Way
	Ways []Way `json:"ways,omitempty"`
}

// Way is a curve of one way to send pieces.
type Way struct {
	Send    string            `json:"send,omitempty"` // what is sent, where there is a choice
	Pieces  int               `json:"pieces"`
	Setting map[string]string `json:"setting"` // of the chosen point, as the device's configuration has it
	evaluate.Cascade
}

// better says whether a way is to be preferred within the budget: it pays, gives more, or costs less.
func (a Way) better(b Way) bool {
	switch {
	case a.Pays != b.Pays:
		return a.Pays
	case a.Chosen.Quality != b.Chosen.Quality:
		return a.Chosen.Quality > b.Chosen.Quality
	}
	return a.Chosen.Bytes < b.Chosen.Bytes
}

// recommend makes the report one of several ways, or of the only one.
func (r *CascadeReport) recommend(ways []Way) {
	r.Way = ways[0]
	for _, w := range ways[1:] {
		if w.better(r.Way) {
			r.Way = w
		}
	}
	if len(ways) > 1 {
		r.Ways = ways
	}
}

// curves are the report's ways, at least one.
func (r CascadeReport) curves() []Way {
	if len(r.Ways) > 0 {
		return r.Ways
	}
	return []Way{r.Way}
}

// tell draws the curves where there is a folder for them, and reports.
func (k Cascade) tell(r CascadeReport) error {
	if k.Out != "" {
		if err := r.draw(k.Out); err != nil {
			return fmt.Errorf("draw the curve: %w", err)
		}
	}
	return k.finish(r, r.table)
}

func (r CascadeReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s on the device, %s in the cloud; %s, %.1f KiB where all is sent\n", r.EdgeModel, r.CloudModel, r.Figure, float64(r.AllBytes)/1024)
	for _, c := range r.curves() {
		what := c.Send
		if what == "" {
			what = "pieces"
		}
		fmt.Fprintf(w, "\n%d %s, by %s:\n", c.Pieces, what, r.Doubt)
		t := visible.NewTable(w)
		t.Printf("from\tsent\tbytes\t%s\tgain\n", r.Figure)
		for _, p := range c.Points {
			mark := ""
			if p == c.Chosen {
				mark = "<- the best within the budget"
			}
			t.Printf("%.4f\t%.0f %%\t%.1f %%\t%.3f\t%.0f %%\t%s\n", p.Doubt, 100*p.Sent, 100*p.Bytes, p.Quality, 100*p.Gain, mark)
		}
		t.Flush()
	}
	fmt.Fprintf(w, "\nthe device alone %.3f, the cloud alone %.3f; within %.0f %% of the bytes:\n", r.Edge, r.Cloud, 100*r.Budget)
	for _, c := range r.curves() {
		what, pays := "the cascade", "does not pay"
		if c.Send != "" {
			what += " of " + c.Send
		}
		if c.Pays {
			pays = "pays"
		}
		fmt.Fprintf(w, "%s %s: %s\n", what, pays, c.Why)
	}
	for _, setting := range slices.Sorted(maps.Keys(r.Setting)) {
		fmt.Fprintf(w, "set %s: %s\n", setting, r.Setting[setting])
	}
}
