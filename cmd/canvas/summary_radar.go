package main

import (
	"fmt"

	"cloudcanvas/cloud/mosaic"
)

// radarLine is an acquisition of raw radar echoes in summary.json.
type radarLine struct {
	ID         string     `json:"id"`
	Lines      int        `json:"lines"`
	Samples    int        `json:"samples"`
	Blocks     int        `json:"blocks"`
	CentroidHz float64    `json:"centroid_hz"`
	Ambiguity  int        `json:"ambiguity"`
	Targets    int        `json:"targets"`
	Ships      int        `json:"ships"` // of the targets
	Bytes      radarBytes `json:"bytes"`
	Complete   bool       `json:"complete"`
	Seconds    float64    `json:"seconds"`
	// Rows of the image: focused, of which there is the device's own amplitude alone, and without data.
	FocusedRows   int  `json:"focused_rows"`
	AmplitudeRows int  `json:"amplitude_rows"`
	EmptyRows     int  `json:"empty_rows"`
	Simulated     bool `json:"simulated"` // nobody took it
	Placed        bool `json:"placed"`    // its orbit says where it lies
	// Models are the algorithms that made its rows and targets, with their versions: "-cufft" is a GPU.
	Models []string `json:"models"`
	// Warnings are what a person should look at.
	Warnings []string `json:"warnings"`
}

type radarBytes struct {
	Echoes   int64 `json:"echoes"`   // the file
	Uplinked int64 `json:"uplinked"` // what went over the link for it
}

func radarOf(p productEnd) radarLine {
	r, l := p.Radar, radarLine{ID: p.Name, Complete: p.Complete, Seconds: seconds(p.after), Models: p.Models, Warnings: []string{}}
	l.Lines, l.Samples, l.Blocks, l.CentroidHz, l.Ambiguity, l.Targets, l.Ships = r.Lines, r.Samples, r.Blocks, r.CentroidHz, r.Ambiguity, r.Targets, r.Ships
	l.FocusedRows, l.AmplitudeRows, l.EmptyRows, l.Simulated, l.Placed = r.FocusedRows, r.AmplitudeRows, r.EmptyRows, r.Simulated, r.Placed
	if s := p.Scene; s != nil {
		l.Bytes = radarBytes{Echoes: s.SceneBytes, Uplinked: s.UplinkedBytes}
		l.Warnings = warnings(s)
		if r.NotPlaced != "" {
			l.Warnings = append(l.Warnings, r.NotPlaced)
		}
		if s.Dead > 0 {
			l.Warnings = append(l.Warnings, fmt.Sprintf("%d of %d blocks are dead letters: blocks.json says why", s.Dead, s.Tiles))
		}
	}
	return l
}

// shipsOf says how many targets are taken for ships, where there are any.
func shipsOf(r *mosaic.RadarStats) string {
	if r.Ships == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s)", counted(r.Ships, "ship"))
}

// whatIsThere says in words how much of a radar's image there is.
func whatIsThere(r *mosaic.RadarStats) string {
	text := fmt.Sprintf("%d of %d rows focused, %s, Doppler centroid %.1f Hz (ambiguity %d)", r.FocusedRows, r.Lines, counted(r.Targets, "bright target")+shipsOf(r), r.CentroidHz, r.Ambiguity)
	if r.AmplitudeRows > 0 {
		text += fmt.Sprintf(", of %d rows the device's own amplitude alone", r.AmplitudeRows)
	}
	if r.EmptyRows > 0 {
		text += fmt.Sprintf(", %d rows without data", r.EmptyRows)
	}
	return text
}
