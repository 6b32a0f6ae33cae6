package main

import (
	"math"
	"os"
	"runtime/debug"
	"strconv"

	urfave "github.com/urfave/cli/v2"

	"cloudcanvas/cmd/internal/cli"
	"cloudcanvas/edge"
	"cloudcanvas/edge/capture"
)

// echoesEndings are what a folder of echoes is searched for: the files that describe them, and those that do so themselves.
var echoesEndings = []string{".yaml", ".yml", ".cphd"}

// radarOptions reads the flags that say something of a radar's echoes.
func radarOptions(c *urfave.Context) (o capture.EchoesOptions, err error) {
	o.Weighting = capture.EchoesWeighting{Range: c.String("weighting"), Azimuth: c.String("weighting")}
	if text := c.String("doppler-centroid"); text != "" {
		hz, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(hz, 0) || math.IsNaN(hz) {
			return o, cli.Usagef("--doppler-centroid: %q is no number", text)
		}
		o.DopplerCentroidHz = &hz
	}
	o.Problems(func(field, message, hint string) {
		err = cli.Usagef("--weighting: %q %s; %s", c.String("weighting"), message, hint)
	})
	return o, err
}

// echoesSource sends the raw lines: device and worker are one machine here, which focuses once.
func (j job) echoesSource(id, path string) edge.EchoesSource {
	var s edge.EchoesSource
	s.SetDefaults()
	s.Name, s.Path, s.Focus, s.EchoesOptions = id, path, edge.FocusCloud, j.radar
	return s
}

// echoesMemory is how far the heap of a job with echoes grows before garbage is collected more often: blocks are large, and
// as much garbage as there is data would double them. It stays below 1.5 GiB with the libraries.
const echoesMemory = 1100 << 20

// limitMemory holds the heap of a job with echoes; GOMEMLIMIT in the environment overrules it.
func (j job) limitMemory() {
	if len(j.echoes) > 0 && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(echoesMemory)
	}
}
