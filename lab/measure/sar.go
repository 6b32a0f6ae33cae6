package measure

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"

	"cloudcanvas/lab/simulate"
	"cloudcanvas/shared/raster"
	"cloudcanvas/shared/sar"
)

// SAR measures points of a focused radar image: how sharp they are, and with a truth how right.
type SAR struct {
	Options
	Image string       // a GeoTIFF of complex numbers, rows are lines, columns samples
	At    [][2]float64 // rows and columns of points; none: those of the truth
	Truth string       // truth.json of canvas simulate echoes
	// RowOffset is the image's (Plan.RowOffset); nil: what its file says, else the truth's.
	RowOffset *int
	Weights   sar.Weighting // of the image; empty: what item.json beside it says, else none
	Limits    SARLimits

	truth  *simulate.EchoesTruth
	report sarReport
}

// SARLimits are what points may be at most; nil: not asked for.
type SARLimits struct {
	IRW   *float64 `json:"irw,omitempty"`     // over the ideal one
	PSLR  *float64 `json:"pslr_db,omitempty"` // dB
	ISLR  *float64 `json:"islr_db,omitempty"` // dB
	Place *float64 `json:"place,omitempty"`   // samples off
	Phase *float64 `json:"phase_deg,omitempty"`
}

type sarReport struct {
	Image      string        `json:"image"`
	Simulated  bool          `json:"simulated"`
	Weights    sar.Weighting `json:"weights"`
	RowOffset  *int          `json:"row_offset,omitempty"`
	Ideal      *idealCuts    `json:"ideal,omitempty"`
	Points     []sarPoint    `json:"points"`
	Partial    int           `json:"partial"` // points of the truth whose echoes are not all there: they are not measured
	Limits     SARLimits     `json:"limits"`
	Missed     int           `json:"missed"`     // points beyond a limit
	Unmeasured int           `json:"unmeasured"` // points that could not be measured
}

type idealCuts struct {
	Range   sar.Cut `json:"range"`
	Azimuth sar.Cut `json:"azimuth"`
}

// sarPoint is a point as it was measured.
type sarPoint struct {
	Row          float64  `json:"row"` // where it was looked for
	Col          float64  `json:"col"`
	OffRow       float64  `json:"off_row"` // the peak is so many samples further
	OffCol       float64  `json:"off_col"`
	PowerDB      float64  `json:"power_db"`
	Range        sar.Cut  `json:"range"`
	Azimuth      sar.Cut  `json:"azimuth"`
	RangeRatio   *float64 `json:"range_irw_over_ideal,omitempty"`
	AzimuthRatio *float64 `json:"azimuth_irw_over_ideal,omitempty"`
	PhaseDeg     *float64 `json:"phase_error_deg,omitempty"`
	Missed       []string `json:"missed,omitempty"`
	Problem      string   `json:"problem,omitempty"`
}

// Run measures, tells, and gives how many points missed a limit or could not be measured.
func (k *SAR) Run() (short int, err error) {
	im, err := raster.OpenComplex(k.Image)
	if err != nil {
		return 0, err
	}
	defer im.Close()
	if err := k.prepare(im); err != nil {
		return 0, err
	}
	for i, at := range k.At {
		var truth *simulate.EchoTarget
		if k.truth != nil {
			truth = &k.truth.Targets[i]
		}
		p, err := k.measure(im, at[0], at[1], truth)
		if err != nil {
			return 0, err
		}
		if p.Problem != "" {
			k.report.Unmeasured++
		} else if len(p.Missed) > 0 {
			k.report.Missed++
		}
		k.report.Points = append(k.report.Points, p)
	}
	return k.report.Missed + k.report.Unmeasured, k.finish(k.report, k.report.table)
}

// prepare finds out where points are and what they can be at best.
func (k *SAR) prepare(im *raster.Complex) error {
	if (len(k.At) == 0) == (k.Truth == "") {
		return mistakef("give either --truth, or --at with the places of points")
	}
	if err := k.weights(); err != nil {
		return err
	}
	k.report.Image, k.report.Limits, k.report.Points = k.Image, k.Limits, []sarPoint{}
	k.report.Weights = k.Weights
	if k.Truth == "" {
		if k.Limits.IRW != nil || k.Limits.Phase != nil {
			return mistakef("--limits irw and phase need --truth, which says what is ideal")
		}
		return nil
	}
	text, err := os.ReadFile(k.Truth)
	if err != nil {
		return err
	}
	k.truth = new(simulate.EchoesTruth)
	if err := json.Unmarshal(text, k.truth); err != nil {
		return fmt.Errorf("read the truth %s: %w", k.Truth, err)
	}
	if !(k.truth.RangeBand > 0 && k.truth.AzimuthBand > 0 && k.truth.PRFHz > 0) {
		return fmt.Errorf("%s is no truth of simulated echoes: it has no range_band, azimuth_band and prf_hz", k.Truth)
	}
	if k.truth.Lines != im.Height || k.truth.Samples != im.Width {
		return fmt.Errorf("%s has %d x %d pixels, the truth is of %d lines of %d samples", k.Image, im.Width, im.Height, k.truth.Lines, k.truth.Samples)
	}
	offset := k.truth.RowOffset
	if said, err := strconv.Atoi(im.Metadata("ROW_OFFSET")); err == nil {
		offset = said
	}
	if k.RowOffset != nil {
		offset = *k.RowOffset
	}
	k.report.Simulated, k.report.RowOffset = true, &offset
	var ideal idealCuts
	if ideal.Range, ideal.Azimuth, err = k.Weights.Ideal(k.truth.RangeBand, k.truth.AzimuthBand, k.truth.AzimuthSkew); err != nil {
		return mistake(err)
	}
	k.report.Ideal = &ideal
	var points []simulate.EchoTarget
	for _, x := range k.truth.Targets {
		switch {
		case x.Kind != "point":
		case !x.Whole:
			k.report.Partial++
		default:
			points = append(points, x)
			k.At = append(k.At, [2]float64{x.LineNearest - float64(offset), x.Col})
		}
	}
	if len(points) == 0 {
		return fmt.Errorf("%s has no point whose echoes are all there", k.Truth)
	}
	k.truth.Targets = points
	return nil
}

// weights are what item.json beside an image says, where nobody says it.
func (k *SAR) weights() error {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(k.Image), "item.json"))
	if err != nil {
		return nil // other images have none
	}
	var item struct {
		Properties struct {
			Range   string `json:"canvas:range_window"`
			Azimuth string `json:"canvas:azimuth_window"`
		} `json:"properties"`
	}
	if err := json.Unmarshal(text, &item); err != nil {
		return fmt.Errorf("read item.json beside %s: %w", k.Image, err)
	}
	if k.Weights.Range == "" {
		k.Weights.Range = item.Properties.Range
	}
	if k.Weights.Azimuth == "" {
		k.Weights.Azimuth = item.Properties.Azimuth
	}
	return nil
}

// around is how much of the image is read around a point: the longest cut.
const around = 520

func (k *SAR) measure(im *raster.Complex, row, col float64, truth *simulate.EchoTarget) (sarPoint, error) {
	p := sarPoint{Row: row, Col: col}
	if !(row >= 0 && row <= float64(im.Height-1) && col >= 0 && col <= float64(im.Width-1)) {
		p.Problem = fmt.Sprintf("outside the image of %d x %d pixels", im.Width, im.Height)
		return p, nil
	}
	w := raster.Window{X: max(0, int(col)-around), Y: max(0, int(row)-around)}
	w.W, w.H = min(im.Width, int(col)+around)-w.X, min(im.Height, int(row)+around)-w.Y
	pixels, err := im.Read(w)
	if err != nil {
		return p, err
	}
	var a sar.Analysis
	if k.truth != nil {
		doppler := k.truth.DopplerHz / k.truth.PRFHz
		a.Doppler = &doppler
	}
	m, err := a.At(&sar.Image{FirstRow: w.Y, Rows: w.H, Cols: w.W, Pix: pixels}, row, col-float64(w.X))
	if err != nil {
		p.Problem = err.Error()
		return p, nil
	}
	p.OffRow, p.OffCol = m.Row-row, m.Col+float64(w.X)-col
	p.PowerDB, p.Range, p.Azimuth = 10*math.Log10(m.Power), m.Range, m.Azimuth
	if truth != nil {
		across, along := m.Range.IRW/k.report.Ideal.Range.IRW, m.Azimuth.IRW/k.report.Ideal.Azimuth.IRW
		p.RangeRatio, p.AzimuthRatio = &across, &along
		if truth.PhaseRad != nil {
			off := math.Remainder(m.PhaseThere-*truth.PhaseRad, 2*math.Pi) * 180 / math.Pi
			p.PhaseDeg = &off
		}
	}
	p.Missed = k.Limits.missed(p)
	return p, nil
}

func (l SARLimits) missed(p sarPoint) (all []string) {
	above := func(limit *float64, name string, values ...*float64) {
		for _, v := range values {
			if limit != nil && v != nil && !(*v <= *limit) {
				all = append(all, fmt.Sprintf("%s %.4g over %.4g", name, *v, *limit))
			}
		}
	}
	place := max(math.Abs(p.OffRow), math.Abs(p.OffCol))
	above(l.IRW, "irw", p.RangeRatio, p.AzimuthRatio)
	above(l.PSLR, "pslr", &p.Range.PSLR, &p.Azimuth.PSLR)
	above(l.ISLR, "islr", &p.Range.ISLR, &p.Azimuth.ISLR)
	above(l.Place, "place", &place)
	if p.PhaseDeg != nil {
		phase := math.Abs(*p.PhaseDeg)
		above(l.Phase, "phase", &phase)
	}
	return all
}

func (r sarReport) table(w io.Writer) {
	what := r.Image
	if r.Simulated {
		what += ", simulated"
	}
	fmt.Fprintf(w, "%s; weighted in range: %s, in azimuth: %s\n", what, weighting(r.Weights.Range), weighting(r.Weights.Azimuth))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "row\tcol\toff row\toff col\tphase °\tpower dB\trange IRW\t/ideal\tPSLR\tISLR\tazimuth IRW\t/ideal\tPSLR\tISLR\t")
	optional := func(v *float64, form string) string {
		if v == nil {
			return "-"
		}
		return fmt.Sprintf(form, *v)
	}
	if r.Ideal != nil {
		a, b := r.Ideal.Range, r.Ideal.Azimuth
		fmt.Fprintf(t, "ideal\t\t\t\t\t\t%.3f\t\t%.2f\t%.2f\t%.3f\t\t%.2f\t%.2f\t\n", a.IRW, a.PSLR, a.ISLR, b.IRW, b.PSLR, b.ISLR)
	}
	for _, p := range r.Points {
		if p.Problem != "" {
			continue
		}
		fmt.Fprintf(t, "%.2f\t%.2f\t%+.3f\t%+.3f\t%s\t%.1f\t%.3f\t%s\t%.2f\t%.2f\t%.3f\t%s\t%.2f\t%.2f\t\n", p.Row, p.Col, p.OffRow, p.OffCol, optional(p.PhaseDeg, "%+.2f"), p.PowerDB,
			p.Range.IRW, optional(p.RangeRatio, "%.4f"), p.Range.PSLR, p.Range.ISLR, p.Azimuth.IRW, optional(p.AzimuthRatio, "%.4f"), p.Azimuth.PSLR, p.Azimuth.ISLR)
	}
	t.Flush()
	for _, p := range r.Points {
		if p.Problem != "" {
			fmt.Fprintf(w, "row %.2f, column %.2f is not measured: %s\n", p.Row, p.Col, p.Problem)
		}
		for _, m := range p.Missed {
			fmt.Fprintf(w, "row %.2f, column %.2f misses a limit: %s\n", p.Row, p.Col, m)
		}
	}
	if r.Partial > 0 {
		fmt.Fprintf(w, "%d points whose echoes are not all there are left out\n", r.Partial)
	}
}

func weighting(word string) string {
	if word == "" {
		return "none"
	}
	return word
}
